//! The process as OpenTelemetry metrics: `process.*` by the semantic conventions 1.44.0, read from the kernel, `rust.*`,
//! counted by the global allocator, and `tokio.*`, told by the schedulers of its runtimes, for next to nothing.
//!
//! Every source is a module of its own with the same four parts: a table of what it measures and
//! where that comes from, a `Reading`, `read`, and `register`. No module knows another, and on Linux none
//! allocates after warm-up. Elsewhere fewer metrics are there: see the table in [`register`].
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `size-classes` | yes | allocations counted by size, too |
//! | `jemalloc` | | what jemalloc says of itself, behind the counting allocator |
//! | `mimalloc` | | what mimalloc says of itself, behind the counting allocator |

mod allocator;
mod hint;
mod memory_counts;
mod memstats;
mod moments;
mod options;
mod pauses;
mod process;
mod runtimes;
#[cfg(unix)]
mod rusage;
mod tokio_scheduler;

pub use memstats::{BySize, MemStats};
pub use options::{AllocatorOptions, PauseOptions, PauseWarnings, ProcessOptions, TokioOptions};
pub use pauses::{OngoingPause, Pause, PauseCause, PauseMonitor, PauseScope, Pauses};
pub use process::creation_time;
pub use runtimes::{RuntimeTasks, Runtimes};

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
/// | `linux.scheduler.wait.time` | yes | | |
///
/// `process.network.io` of the conventions is never there: no system counts network bytes per process. Linux
/// counts them per namespace, where every process would show the same.
pub fn register(meter: &Meter, context: &SourceContext, options: &ProcessOptions) {
    if options.enabled {
        process::register(meter, context, options);
    }
}

/// Declares the instruments of the allocator group that `options` turns on, where the program's global allocator is an
/// [`otel_vitals_alloc::Counting`]. Where it is not, nothing is declared, and the log says once how to get them.
///
/// ```
/// use otel_vitals_core::SourceContext;
/// use otel_vitals_runtime::AllocatorOptions;
/// use std::time::Duration;
///
/// #[global_allocator]
/// static ALLOCATOR: otel_vitals_alloc::Counting = otel_vitals_alloc::Counting::system();
///
/// # fn main() {
/// let meter = opentelemetry::global::meter_provider().meter_with_scope(otel_vitals_runtime::scope());
/// let context = SourceContext::new(&meter, Duration::from_millis(100));
/// otel_vitals_runtime::register_allocator(&meter, &context, &AllocatorOptions::default());
/// # }
/// ```
///
/// | metric | with `Counting` |
/// | --- | --- |
/// | `rust.memory.allocated`, `rust.memory.freed` | yes |
/// | `rust.memory.allocations`, `rust.memory.deallocations`, `rust.memory.reallocations` | yes |
/// | `rust.memory.used`, `rust.memory.object.count` | yes |
/// | `rust.memory.size_class.allocations`, `rust.memory.size_class.deallocations` (opt-in) | yes, with the feature `size-classes` |
/// | `rust.allocator.memory.size` | what the allocator behind it tells |
pub fn register_allocator(meter: &Meter, context: &SourceContext, options: &AllocatorOptions) {
    if !options.enabled {
        return;
    }
    hint::unless_counted();
    memory_counts::register(meter, context, options);
    allocator::register(meter, context);
}

/// Declares the instruments of the tokio group, if `options` turns it on. They show the runtimes that `runtimes` watches at
/// the time: each comes and leaves with its series.
///
/// ```
/// use otel_vitals_core::SourceContext;
/// use otel_vitals_runtime::{Runtimes, TokioOptions};
/// use std::time::Duration;
///
/// let meter = opentelemetry::global::meter_provider().meter_with_scope(otel_vitals_runtime::scope());
/// let context = SourceContext::new(&meter, Duration::from_millis(100));
/// let runtimes = Runtimes::default();
/// otel_vitals_runtime::register_tokio(&meter, &context, &runtimes, &TokioOptions::default());
///
/// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// runtimes.watch("main", runtime.handle());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// | metric | stable tokio | with `--cfg tokio_unstable` |
/// | --- | --- | --- |
/// | `tokio.worker.count`, `tokio.task.count`, `tokio.global_queue.length` | yes | yes |
/// | `tokio.worker.busy.time`, `tokio.worker.parks` | with atomics of 64 bits | the same |
/// | `tokio.worker.polls`, `tokio.worker.noops`, `tokio.worker.local_schedules`, `tokio.worker.overflows` | | with atomics of 64 bits |
/// | `tokio.worker.steal.tasks`, `tokio.worker.steal.operations`, `tokio.worker.local_queue.length` | | the same |
/// | `tokio.blocking.thread.count`, `tokio.blocking.queue.length` | | the same |
/// | `tokio.task.spawned`, `tokio.task.remote_schedules`, `tokio.task.forced_yields` | | the same |
/// | `tokio.task.poll_time.polls` | | of runtimes that were built with the poll-time histogram |
pub fn register_tokio(meter: &Meter, context: &SourceContext, runtimes: &Runtimes, options: &TokioOptions) {
    if options.enabled {
        tokio_scheduler::register(meter, context, runtimes, options);
    }
}

/// What the tests in here count with.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: otel_vitals_alloc::Counting = otel_vitals_alloc::Counting::system();
