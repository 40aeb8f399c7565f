//! System calls, counted by `strace`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::group::Group;
use crate::subject::{Extent, Who};

/// Where nothing is; who looks for it has just started or ended to collect.
const MARK: &str = "/benches/mark";

/// Makes a system call that stands out in a trace.
pub fn mark() {
    let _ = std::fs::symlink_metadata(MARK);
}

/// System calls of one collection: how often each was made, by its name and the file that it was made on.
pub type Calls = BTreeMap<String, u32>;

/// Collections that are traced. The one with the fewest calls counts: when something interrupts a collection for long, it
/// reads again what went stale meanwhile.
const COLLECTIONS: usize = 5;

/// Whether `strace` is here and may trace.
#[must_use]
pub fn is_here() -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-o", "/dev/null", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    strace.status().is_ok_and(|status| status.success())
}

/// The system calls that `one_collection` (a path) makes in one collection, all threads together.
///
/// # Errors
/// When `strace` cannot be run, or nobody collects `group` like that.
pub fn calls(one_collection: &Path, group: Group, who: Who, extent: Extent) -> io::Result<Calls> {
    let name = format!("benches-{}-{}-{}-{}", std::process::id(), group.name(), who.name(), extent.name());
    let output = std::env::temp_dir().join(name);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-qq", "-e", "signal=none", "-o"]).arg(&output).arg(one_collection);
    strace.args([group.name(), who.name(), extent.name(), &COLLECTIONS.to_string(), "--slow"]);
    let status = strace.stdin(Stdio::null()).status()?;
    let trace = std::fs::read_to_string(&output)?;
    std::fs::remove_file(&output)?;
    let collections = between_marks(&trace);
    if !status.success() || collections.len() != COLLECTIONS {
        return Err(io::Error::other(format!("{strace:?}: {status}, {} collections", collections.len())));
    }
    let fewest = collections.into_iter().min_by_key(|calls| calls.values().sum::<u32>());
    Ok(fewest.unwrap_or_default())
}

/// The calls after each mark but the last.
fn between_marks(trace: &str) -> Vec<Calls> {
    let mut collections: Vec<Calls> = Vec::new();
    for line in trace.lines() {
        if line.contains(MARK) {
            collections.push(Calls::new());
        } else if let (Some(calls), Some(call)) = (collections.last_mut(), name(line)) {
            *calls.entry(call).or_default() += 1;
        }
    }
    collections.pop();
    collections
}

/// `4711 pread64(5</proc/4711/statm>, ...) = 20` is `pread64 /proc/self/statm`. A call that another thread interrupts has
/// a second line, which names nothing.
fn name(line: &str) -> Option<String> {
    let (_thread, call) = line.split_once(' ')?;
    let (name, arguments) = call.trim_start().split_once('(')?;
    let file =
        arguments.split_once('<').filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()));
    Some(match file.and_then(|(_, rest)| rest.split_once('>')) {
        Some((file, _)) => format!("{name} {}", of_self(file)),
        None => name.to_owned(),
    })
}

fn of_self(path: &str) -> String {
    let own = path.strip_prefix("/proc/").and_then(|rest| rest.split_once('/'));
    match own.filter(|(process, _)| process.bytes().all(|byte| byte.is_ascii_digit())) {
        // Threads have other numbers in every process.
        Some((_, file)) => match file.strip_prefix("task/").and_then(|rest| rest.split_once('/')) {
            Some((_, file)) => format!("/proc/self/task/*/{file}"),
            None => format!("/proc/self/{file}"),
        },
        None => path.to_owned(),
    }
}
