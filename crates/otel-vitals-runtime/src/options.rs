//! What to show of the process.

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
}

impl Default for ProcessOptions {
    fn default() -> Self {
        ProcessOptions {
            enabled: true,
            cpu_utilization: false,
            memory_utilization: false,
            signals_pending: false,
            disk_operations: false,
        }
    }
}
