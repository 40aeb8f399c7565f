//! Stalls of the process and of the runtimes in it, each with its cause.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `rust.pause.duration` | a thread that wakes every tick, and a task on every watched runtime | `rust.pause.scope` = process, runtime; `rust.pause.cause` |
//! | `rust.pause.ongoing.duration` | the same, of what has not ended yet | `rust.pause.scope`, `tokio.runtime.name` |
//! | `rust.wakeup.delay` | how late that thread was woken | |
//! | `tokio.schedule.delay` | how long that task was ready before it ran | `tokio.runtime.name` |
//!
//! Causes are decided from what the kernel counts: see [`PauseCause`].

mod cause;
mod evidence;
mod instruments;
mod monitor;
mod ongoing;
mod ring;
mod ticker;
mod tracker;
mod warnings;
mod worker;

pub use monitor::PauseMonitor;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::MemStats;
use monitor::Shared;
use ring::Entry;

/// What stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PauseScope {
    /// The whole process, as far as a thread that only sleeps and wakes can tell.
    Process,
    /// One tokio runtime, or one of its workers.
    Runtime,
}

/// Why it stood still: the first of these whose evidence covers at least half of the stall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PauseCause {
    /// The control group had used up its CPU quota (throttled time in `cpu.stat` of the cgroup).
    Throttled,
    /// The thread was ready to run and had no core (`/proc/self/task/*/schedstat`).
    CpuWait,
    /// Memory had to be read from disk (major faults of `getrusage(2)`, at most 10 ms for each).
    MajorFault,
    /// Memory was short (`memory.pressure` of the cgroup, else of the machine).
    MemoryPressure,
    /// A disk was slow (`io.pressure`, likewise).
    IoPressure,
    /// None of these: a task of the runtime did not yield, or nobody ran the runtime.
    BlockedExecutor,
    /// None of these, and it was the whole process: it was stopped, or its machine was.
    Unknown,
}

/// A stall that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pause {
    /// How long it was.
    pub duration: Duration,
    /// When it ended.
    pub ended_at: SystemTime,
    /// What stood still.
    pub scope: PauseScope,
    /// Why.
    pub cause: PauseCause,
    /// The name of the runtime that stood still; none when it was the whole process.
    pub runtime: Option<String>,
    /// Tokio's index of the worker that stood still, where tokio tells.
    pub worker: Option<usize>,
}

/// A stall that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OngoingPause {
    /// How long it is by now.
    pub duration: Duration,
    /// What stands still.
    pub scope: PauseScope,
    /// The name of the runtime; none when it is the whole process.
    pub runtime: Option<String>,
    /// Tokio's index of the worker, where tokio tells.
    pub worker: Option<usize>,
}

/// What has stood still since the start, and what does now. Cheap to clone; clones and later calls see what has happened since.
///
/// ```
/// use otel_vitals_runtime::Pauses;
///
/// fn report(pauses: &Pauses) {
///     println!("{} pauses, {:?} in all", pauses.count(), pauses.total());
///     for pause in pauses.last() {
///         println!("{:?} of {}: {}", pause.duration, pause.runtime.as_deref().unwrap_or("the process"), pause.cause);
///     }
/// }
/// # report(&Pauses::default());
/// ```
#[derive(Clone, Default)]
pub struct Pauses {
    /// None when nothing watches.
    shared: Option<Arc<Shared>>,
}

impl PauseScope {
    /// All of them.
    pub const ALL: &[PauseScope] = &[PauseScope::Process, PauseScope::Runtime];

    /// The value of `rust.pause.scope`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PauseScope::Process => "process",
            PauseScope::Runtime => "runtime",
        }
    }
}

impl PauseCause {
    /// All of them, in the order in which they are considered.
    pub const ALL: &[PauseCause] = &[
        PauseCause::Throttled,
        PauseCause::CpuWait,
        PauseCause::MajorFault,
        PauseCause::MemoryPressure,
        PauseCause::IoPressure,
        PauseCause::BlockedExecutor,
        PauseCause::Unknown,
    ];

    /// The value of `rust.pause.cause`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PauseCause::Throttled => "throttled",
            PauseCause::CpuWait => "cpu_wait",
            PauseCause::MajorFault => "major_fault",
            PauseCause::MemoryPressure => "memory_pressure",
            PauseCause::IoPressure => "io_pressure",
            PauseCause::BlockedExecutor => "blocked_executor",
            PauseCause::Unknown => "unknown",
        }
    }
}

impl fmt::Display for PauseScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Display for PauseCause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            PauseCause::Throttled => "throttled",
            PauseCause::CpuWait => "waiting for a core",
            PauseCause::MajorFault => "major page faults",
            PauseCause::MemoryPressure => "memory pressure",
            PauseCause::IoPressure => "I/O pressure",
            PauseCause::BlockedExecutor => "blocked executor",
            PauseCause::Unknown => "unknown",
        })
    }
}

impl Pauses {
    /// How many pauses there were since the start; zero when nothing watches.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| shared.ring.totals().0)
    }

    /// How long they were, all together.
    #[must_use]
    pub fn total(&self) -> Duration {
        Duration::from_nanos(self.shared.as_ref().map_or(0, |shared| shared.ring.totals().1))
    }

    /// The last 256, oldest first.
    #[must_use]
    pub fn last(&self) -> Vec<Pause> {
        let entries = self.shared.as_ref().map(|shared| shared.ring.snapshot().last);
        entries.unwrap_or_default().iter().map(Pause::from).collect()
    }

    /// Those that are not over, longest first.
    #[must_use]
    pub fn ongoing(&self) -> Vec<OngoingPause> {
        self.shared.as_ref().map(|shared| shared.ongoing()).unwrap_or_default()
    }

    /// Puts them where Go has the pauses of its garbage collector: `num_gc`, `pause_total_ns`, and the rings `pause_ns` and `pause_end`.
    pub fn fill(&self, stats: &mut MemStats) {
        let Some(shared) = &self.shared else { return };
        let snapshot = shared.ring.snapshot();
        // As Go's counter, which wraps, too; the place in the ring stays right.
        stats.num_gc = snapshot.count as u32;
        stats.pause_total_ns = snapshot.total;
        let first = snapshot.count.saturating_sub(snapshot.last.len() as u64);
        for (number, entry) in (first..).zip(&snapshot.last) {
            let place = (number % stats.pause_ns.len() as u64) as usize;
            if let (Some(duration), Some(end)) =
                (stats.pause_ns.get_mut(place), stats.pause_end.get_mut(place))
            {
                (*duration, *end) = (entry.duration, entry.ended);
            }
        }
    }
}

impl fmt::Debug for Pauses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pauses").field("count", &self.count()).field("total", &self.total()).finish()
    }
}

impl From<&Entry> for Pause {
    fn from(entry: &Entry) -> Self {
        Pause {
            duration: Duration::from_nanos(entry.duration),
            ended_at: SystemTime::UNIX_EPOCH + Duration::from_nanos(entry.ended),
            scope: entry.scope,
            cause: entry.cause,
            runtime: entry.name.text(),
            worker: entry.worker.map(|worker| worker as usize),
        }
    }
}
