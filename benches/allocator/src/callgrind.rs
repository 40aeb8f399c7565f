//! Instructions, counted by valgrind's callgrind.

use std::io;
use std::process::{Command, Stdio};

use super::program::{Work, Workload};
use super::{Program, Programs};

/// Whether valgrind is here.
#[must_use]
pub fn is_here() -> bool {
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    valgrind.status().is_ok_and(|status| status.success())
}

/// Instructions that `program` takes for one `work`, in the mean of many: those of a run with twice as many, less those
/// of a run.
///
/// # Errors
/// When callgrind cannot be run, or does not tell.
pub fn instructions(programs: &Programs, program: Program, work: Work, size: usize) -> io::Result<f64> {
    // Of small blocks as many as make a dozen samples, where the heap is sampled.
    let times = if size < 1024 { 100_000 } else { 10_000 };
    let size = size.to_string();
    // Nothing but the work, and what is called from there: other threads are there, too.
    let only = match work {
        Work::Pair => "--toggle-collect=benches_allocator::sys::pairs*",
        Work::Realloc => "--toggle-collect=benches_allocator::sys::reallocations*",
    };
    per_time(times, |times| {
        run(programs, program, &[only], &["exactly", work.name(), &size, &times.to_string()])
    })
}

/// Instructions that `program` takes for one repetition of `workload`.
///
/// # Errors
/// When callgrind cannot be run, or does not tell.
pub fn instructions_of_workload(
    programs: &Programs,
    program: Program,
    workload: Workload,
) -> io::Result<f64> {
    per_time(2, |times| run(programs, program, &[], &["work-exactly", workload.name(), &times.to_string()]))
}

fn per_time(times: u32, run: impl Fn(u32) -> io::Result<u64>) -> io::Result<f64> {
    let (once, twice) = (run(times)?, run(times * 2)?);
    Ok(twice.saturating_sub(once) as f64 / f64::from(times))
}

/// Instructions of a run, of those that `only` leaves.
fn run(programs: &Programs, program: Program, only: &[&str], arguments: &[&str]) -> io::Result<u64> {
    let command = programs.command(program);
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).args(only);
    valgrind.arg(command.get_program()).args(arguments);
    valgrind.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = valgrind.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let counted = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    match counted {
        Some(counted) if output.status.success() => Ok(counted),
        _ => Err(io::Error::other(format!("{valgrind:?}: {}, {said}", output.status))),
    }
}
