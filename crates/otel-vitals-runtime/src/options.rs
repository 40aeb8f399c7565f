//! What to show of the process, of its allocator, of its tokio runtimes and of its pauses.

use std::time::Duration;

/// What to measure of this process. The default is everything that the conventions recommend and nothing that
/// they call opt-in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessOptions {
    /// Whether the group is on.
    pub enabled: bool,
    /// `process.cpu.utilization`.
    pub cpu_utilization: bool,
    /// `process.memory.utilization`.
    pub memory_utilization: bool,
    /// `process.signals_pending`.
    pub signals_pending: bool,
    /// `process.disk.operations`, which Linux only approximates: it counts the read and write system calls,
    /// whatever they reach.
    pub disk_operations: bool,
    /// `linux.scheduler.wait.time`, which costs a read for each thread and keeps up to 64 descriptors open. Linux only.
    pub scheduler_wait: bool,
}

impl Default for ProcessOptions {
    fn default() -> Self {
        ProcessOptions {
            enabled: true,
            cpu_utilization: false,
            memory_utilization: false,
            signals_pending: false,
            disk_operations: false,
            scheduler_wait: true,
        }
    }
}

/// What to measure of the allocator. The default is all but the size classes, which are many series.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AllocatorOptions {
    /// Whether the group is on.
    pub enabled: bool,
    /// `rust.memory.size_class.*`, in a build with the feature `size-classes`.
    pub size_classes: bool,
}

impl Default for AllocatorOptions {
    fn default() -> Self {
        AllocatorOptions { enabled: true, size_classes: false }
    }
}

/// What to measure of the tokio runtimes that are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokioOptions {
    /// Whether the group is on.
    pub enabled: bool,
    /// What workers do (`tokio.worker.*` but their count) of each worker instead of all together: as many series as a
    /// runtime has workers.
    pub per_worker: bool,
}

impl Default for TokioOptions {
    fn default() -> Self {
        TokioOptions { enabled: true, per_worker: false }
    }
}

/// How to watch for pauses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PauseOptions {
    /// Whether they are watched for. Without, there is no thread that does so, and no `tokio.schedule.delay` either.
    pub enabled: bool,
    /// How often the thread wakes up and sends a stamp to each runtime. What the watch costs is in proportion.
    pub tick: Duration,
    /// From when on a stall of the process is a pause.
    pub threshold: Duration,
    /// From when on a stall of a runtime is a pause.
    pub runtime_threshold: Duration,
    /// Which of them are logged.
    pub warnings: PauseWarnings,
}

/// Which pauses are logged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PauseWarnings {
    /// Whether any are.
    pub enabled: bool,
    /// From when on a pause is.
    pub threshold: Duration,
    /// How long after one the next is at the earliest; those between are counted.
    pub interval: Duration,
}

impl Default for PauseOptions {
    fn default() -> Self {
        PauseOptions {
            enabled: true,
            tick: Duration::from_millis(100),
            threshold: Duration::from_millis(1),
            runtime_threshold: Duration::from_millis(10),
            warnings: PauseWarnings::default(),
        }
    }
}

impl Default for PauseWarnings {
    fn default() -> Self {
        PauseWarnings { enabled: true, threshold: Duration::from_secs(1), interval: Duration::from_secs(10) }
    }
}
