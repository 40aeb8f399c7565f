//! How long the threads of the process have waited for a core.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `linux.scheduler.wait.time` | field 2 of `/proc/self/task/*/schedstat`, summed up | |
//!
//! `/proc/self/schedstat` is the first thread's alone, and nowhere does the kernel keep the sum. So each thread counts with what
//! it was last seen to have waited, also after it has exited; what it waited after that, and a thread that came and went between two
//! readings, are missing. The sum never goes back.
//!
//! Up to 64 threads are read through descriptors that stay open, fewer where the process may have only a few; the
//! others are opened, read and closed. The folder is listed only when the number of threads, which costs one `fstat(2)`,
//! is not that of the threads known to be alive.
//!
//! A kernel without this account (`CONFIG_SCHED_INFO`) has no such file or writes zeros, and the metric is absent.

mod tasks;

use opentelemetry::metrics::Meter;
use otel_vitals_core::scan::{self, Faults};
use otel_vitals_core::{Malformed, ReadError, SourceContext};

use super::directory::ProcDirectory;
use super::proc_files::ProcFiles;
use tasks::Tasks;

#[allow(unsafe_code)]
mod sys {
    //! The system call behind this module, and nothing else.

    use std::mem::MaybeUninit;

    /// How many descriptors the process may have.
    pub(super) fn descriptors() -> Option<u64> {
        let mut limit = MaybeUninit::<libc::rlimit>::zeroed();
        // SAFETY: `limit` is room for one rlimit that lives through the call, which writes only to it.
        let outcome = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, limit.as_mut_ptr()) };
        if outcome != 0 {
            return None;
        }
        // SAFETY: an rlimit is two integers, for which the zeroes that it started with are valid, too.
        let limit = unsafe { limit.assume_init() };
        #[allow(
            clippy::useless_conversion,
            reason = "the type is narrower on some architectures than on others"
        )]
        Some(u64::from(limit.rlim_cur))
    }
}

/// Threads whose file stays open, at most.
const KEPT: u64 = 64;
/// Of the descriptors that the process may have, one in so many at most.
const SHARE: u64 = 16;

/// What all threads together have waited.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    /// Time that threads could have run and had no core, those that have exited included (nanoseconds).
    waited: Option<u64>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        *self = Reading::default();
    }
}

/// What `schedstat` says of one thread; all of it only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct SchedStat {
    /// Time on a core (nanoseconds).
    ran: u64,
    /// Time of waiting for one (nanoseconds).
    waited: u64,
    /// Times that it was given one.
    turns: u64,
}

/// A line such as `65838 52340 2`.
fn read(bytes: &[u8]) -> Result<SchedStat, Malformed> {
    let mut fields = scan::fields(scan::trim(bytes));
    let mut next = |expected| scan::next_number(&mut fields, expected);
    Ok(SchedStat {
        ran: next("nanoseconds on a core")?,
        waited: next("nanoseconds of waiting for a core")?,
        turns: next("a number of time slices")?,
    })
}

pub(super) fn register(meter: &Meter, context: &SourceContext, files: &ProcFiles) {
    let source = context.source("process.scheduler", Reading::default(), reader(files, kept()));
    meter
        .f64_observable_counter("linux.scheduler.wait.time")
        .with_unit("s")
        .with_description("Time that threads of the process could have run and waited for a core.")
        .with_callback(source.observe(|reading, instrument| {
            if let Some(waited) = reading.waited {
                instrument.observe(waited as f64 / 1e9, &[]);
            }
        }))
        .build();
}

/// How many files to keep open.
fn kept() -> usize {
    let descriptors = sys::descriptors().unwrap_or(0);
    usize::try_from((descriptors / SHARE).min(KEPT)).unwrap_or(0)
}

fn reader(
    files: &ProcFiles,
    kept: usize,
) -> impl FnMut(&mut Reading) -> Result<(), ReadError> + Send + 'static {
    let mut directory = ProcDirectory::new(files.own("task"));
    let mut tasks = Tasks::new(kept);
    let own = files.own("schedstat");
    // The kernel has the account or has it not, and does not change its mind.
    let mut is_kept = None;
    move |reading| {
        if !*is_kept.get_or_insert_with(|| std::fs::exists(&own).unwrap_or(true)) {
            return Ok(());
        }
        let mut faults = Faults::default();
        let outcome = tasks.read(&mut directory, &mut faults);
        reading.waited = tasks.waited();
        outcome?;
        faults.result().map_err(|source| ReadError::Malformed { path: own.clone(), source })
    }
}

#[cfg(test)]
mod tests;
