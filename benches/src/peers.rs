//! Other crates that read the same, made to read once.

pub mod instrumentation_process;
pub mod procfs;
pub mod sysinfo;
pub mod system_metrics;
