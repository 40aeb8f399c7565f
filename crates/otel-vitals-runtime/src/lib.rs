//! The process as OpenTelemetry metrics: `process.*` by the semantic conventions 1.44.0, read from the kernel for
//! next to nothing.
//!
//! Every source of the kernel is a module of its own with the same four parts: a table of what it measures and
//! where that comes from, a `Reading`, `read`, and `register`. No module knows another, and on Linux none
//! allocates after warm-up. Elsewhere fewer metrics are there: see the table in [`register`].

mod options;
mod process;

pub use options::ProcessOptions;
pub use process::creation_time;

use opentelemetry::InstrumentationScope;
use opentelemetry::metrics::Meter;
use otel_vitals_core::{SCHEMA_URL, SourceContext};

/// The instrumentation scope of everything in this crate.
#[must_use]
pub fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(SCHEMA_URL)
        .build()
}

/// Declares the instruments of the process group that `options` turns on.
///
/// | metric | Linux | other Unix | Windows |
/// | --- | --- | --- | --- |
/// | `process.cpu.time`, `process.context_switches`, `process.paging.faults` | yes | yes | |
/// | `process.cpu.utilization` (opt-in) | yes | yes | |
/// | `process.memory.usage`, `process.memory.virtual` | yes | yes | yes |
/// | `process.memory.utilization` (opt-in) | yes | yes | yes |
/// | `process.disk.io` | yes | macOS | |
/// | `process.disk.operations` (opt-in) | yes | | |
/// | `process.unix.file_descriptor.count` | yes | where sysinfo can | |
/// | `process.windows.handle.count` | | | yes |
/// | `process.thread.count` | yes | | |
/// | `process.uptime` | yes | to the second | to the second |
/// | `process.signals_pending` (opt-in) | yes | | |
///
/// `process.network.io` of the conventions is never there: no system counts network bytes per process. Linux
/// counts them per namespace, where every process would show the same.
pub fn register(meter: &Meter, context: &SourceContext, options: &ProcessOptions) {
    if options.enabled {
        process::register(meter, context, options);
    }
}
