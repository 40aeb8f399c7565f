//! What to show of the process and of its allocator.

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
