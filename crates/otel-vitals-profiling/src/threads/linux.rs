//! Threads as the kernel tells them.

use crate::profile::{Frame, Label, Sample, ValueType};
use crate::{Error, Profile};
use otel_vitals_core::{Malformed, clock, scan, signed};
use std::fs;
use std::path::Path;
use std::sync::Arc;

const NANOSECONDS: u64 = 1_000_000_000;

pub(super) fn profile() -> Result<Profile, Error> {
    let tasks = fs::read_dir("/proc/self/task")
        .map_err(|source| Error::System { what: "to read /proc/self/task", source })?;
    let tasks = tasks.filter_map(Result::ok).filter_map(|task| {
        let id = task.file_name().to_str()?.parse().ok()?;
        // One that has ended since is none of them any more.
        thread(id, &task.path())
    });
    Ok(of(tasks.collect()))
}

/// A thread, as it is at the moment.
#[derive(Debug)]
struct Thread {
    id: i64,
    name: Arc<str>,
    stat: Stat,
}

/// What `stat` says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    state: &'static str,
    /// User and system time.
    ticks: u64,
}

fn thread(id: i64, folder: &Path) -> Option<Thread> {
    let name = name(&fs::read(folder.join("comm")).ok()?);
    let stat = stat(&fs::read(folder.join("stat")).ok()?).ok()?;
    Some(Thread { id, name, stat })
}

fn of(mut threads: Vec<Thread>) -> Profile {
    let count = ValueType { kind: "threads", unit: "count" };
    let cpu = ValueType { kind: "cpu", unit: "nanoseconds" };
    let mut profile =
        Profile { period: Some((count, 1)), ..Profile::empty(vec![count, cpu]) }.showing("threads");
    profile.comment("live threads, and the CPU time that each has taken since it began");
    threads.sort_by_key(|thread| thread.id);
    let nanoseconds_per_tick = NANOSECONDS / clock::ticks_per_second().max(1);
    profile.samples = threads
        .into_iter()
        .map(|thread| Sample {
            stack: Arc::new([Frame::Named(Arc::clone(&thread.name))]),
            values: vec![1, signed(thread.stat.ticks.saturating_mul(nanoseconds_per_tick))],
            labels: vec![
                ("thread", Label::Text(thread.name)),
                ("state", Label::Text(thread.stat.state.into())),
                ("thread_id", Label::Number(thread.id, "")),
            ],
        })
        .collect();
    profile
}

/// The name in `comm`, which may have any bytes in it and ends in one newline of the kernel's.
fn name(comm: &[u8]) -> Arc<str> {
    let name = comm.strip_suffix(b"\n").unwrap_or(comm);
    String::from_utf8_lossy(name).into()
}

/// State and CPU time in `stat`. The name in it may have spaces, parentheses and newlines: what follows its last parenthesis is the rest.
fn stat(stat: &[u8]) -> Result<Stat, Malformed> {
    /// Between the state and the user time.
    const BETWEEN: usize = 10;
    let expected = "a name in parentheses";
    let end = stat.iter().rposition(|byte| *byte == b')').ok_or_else(|| Malformed::new(expected, stat))?;
    let mut fields = scan::fields(stat.get(end + 1..).unwrap_or_default());
    let state = fields.next().map_or("", state);
    let mut fields = fields.skip(BETWEEN);
    let user = scan::next_number(&mut fields, "user time")?;
    let system = scan::next_number(&mut fields, "system time")?;
    Ok(Stat { state, ticks: user.saturating_add(system) })
}

/// Words for the letters of proc(5).
fn state(letter: &[u8]) -> &'static str {
    match letter {
        b"R" => "running",
        b"S" => "sleeping",
        b"D" => "waiting for a device",
        b"T" => "stopped",
        b"t" => "traced",
        b"Z" => "ended",
        b"X" | b"x" => "dead",
        b"I" => "idle",
        b"P" => "parked",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::mpsc::channel;

    const REST: &str =
        "S 1 4242 4242 0 -1 4194368 123 0 1 0 12 34 5 6 20 0 9 0 999 1000 200 18446744073709551615";

    #[test]
    fn state_and_time_are_behind_any_name() {
        for name in ["worker", "a b", ") S 1 (", "()\n)", "\u{fffd}"] {
            let text = format!("4243 ({name}) {REST}\n");
            assert_eq!(stat(text.as_bytes()), Ok(Stat { state: "sleeping", ticks: 46 }), "{name:?}");
        }
    }

    #[test]
    fn a_truncated_line_is_malformed() {
        for text in
            ["", "4243 (worker", "4243 (worker)", "4243 (worker) S 1 4242 4242 0 -1 4194368 123 0 1 0 12"]
        {
            assert!(stat(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_name_keeps_its_own_newlines() {
        assert_eq!(&*name(b"a\n\n"), "a\n");
        assert_eq!(&*name(b"a\xff"), "a\u{fffd}");
        assert_eq!(&*name(b""), "");
    }

    #[test]
    fn threads_that_run_are_there_with_their_names_and_those_that_have_ended_are_not() {
        let here = |profile: &Profile| {
            let named = |sample: &&Sample| sample.text("thread") == Some("a (b) c");
            profile.samples.iter().filter(named).map(|sample| sample.values.clone()).collect::<Vec<_>>()
        };
        let (end, ended) = channel::<()>();
        let (began, begun) = channel();
        let thread = std::thread::Builder::new().name("a (b) c".to_owned()).spawn(move || {
            began.send(()).expect("somebody waits");
            let _ = ended.recv();
        });
        begun.recv().expect("it begins");
        let profile = super::profile().expect("there is /proc");
        assert_eq!(here(&profile).len(), 1);
        assert_eq!(profile.total("threads"), i64::try_from(profile.samples.len()).ok());
        drop(end);
        thread.expect("there is a thread").join().expect("it ends");
        // The kernel takes a moment after the thread has been joined.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !here(&super::profile().expect("there is /proc")).is_empty() {
            assert!(std::time::Instant::now() < deadline, "the thread is still there");
            std::thread::yield_now();
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = stat(&bytes);
            let _ = name(&bytes);
        }

        #[test]
        fn any_times_are_added_up(user in any::<u64>(), system in any::<u64>(), name in "\\PC{0,15}") {
            let text = format!("1 ({name}) R 1 1 1 0 -1 0 0 0 0 0 {user} {system} 0 0");
            let expected = Stat { state: "running", ticks: user.saturating_add(system) };
            prop_assert_eq!(stat(text.as_bytes()), Ok(expected));
        }
    }
}
