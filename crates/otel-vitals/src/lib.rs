//! One call in `main` gives a Rust service the visibility that Go services are born with: process, memory and host metrics by
//! the OpenTelemetry semantic conventions, shipped over OTLP to a collector or any OTLP backend.
//!
//! ```no_run
//! // Counts what is allocated; without it everything else works.
//! #[global_allocator]
//! static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let vitals = otel_vitals::init()?;
//!     // ... the service ...
//!     vitals.shutdown()?;
//!     Ok(())
//! }
//! ```
//!
//! [`init`] takes its configuration from the environment (`OTEL_*`, `VITALS_*`) and an optional `vitals.yaml`. It works
//! inside and outside any runtime, connects to nothing and returns at once. [`Vitals::builder`] is the long form.
//!
//! [`Vitals::health`] runs health checks and answers probes, and [`Vitals::hardware`] tells whether disks, memory and processors are
//! still enough. `Vitals::profile_cpu` and `Vitals::profile_heap` are its profiles. [`Vitals::memstats`] is Go's `runtime.ReadMemStats` of a Rust program, and [`Vitals::vars`] its `expvar`.
//!
//! # What it promises
//!
//! - It never takes the service down: a collector that is away, slow or wrong, a kernel file that is missing, a
//!   callback of ours that panics cost the values concerned and nothing else. Bad configuration is an [`Error`]
//!   that names the file or variable, the key, what is there and what was expected; nothing is half-started then.
//! - Every wait is bounded: [`Vitals::flush`], [`Vitals::shutdown`] and the drop of the last handle.
//! - A value that is not available is absent, never zero.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `grpc` | yes | OTLP over gRPC |
//! | `http` | yes | OTLP over HTTP, protobuf and JSON |
//! | `gzip` | yes | compressed OTLP requests |
//! | `tls` | yes | `https` endpoints, own certificate authorities, client certificates |
//! | `size-classes` | yes | allocations counted by size, too |
//! | `profiling` | yes | CPU, heap, thread and task profiles, as Go's tools read them; the heap is sampled from the start |
//! | `flamegraph` | | profiles as flame graphs; [inferno](https://crates.io/crates/inferno), which draws them, is under the CDDL 1.0 |
//! | `taskdump` | | the stacks of tokio's tasks in their profile; only in programs for Linux that are built with `--cfg tokio_unstable` |
//! | `jemalloc` | | what jemalloc says of itself, behind the counting allocator, and its own heap profile |
//! | `mimalloc` | | what mimalloc says of itself, behind the counting allocator |
//!
//! The `console` exporter (`OTEL_METRICS_EXPORTER=console`) and bringing one's own provider need none of them.

mod brought;
mod builder;
mod config;
mod delta;
mod error;
mod groups;
pub mod hardware;
pub mod health;
mod memstats;
mod pipeline;
#[cfg(feature = "profiling")]
mod profiles;
mod resource;
pub mod vars;
mod vitals;

pub use builder::VitalsBuilder;
pub use config::{
    AdminConfig, Compression, Config, CpuProfileConfig, Endpoint, ExporterKind, HardwareRoutes, Headers,
    HeapProfileConfig, HeapSource, MetricsConfig, MonitorConfig, OtlpConfig, ProfilingConfig, Protocol,
    ResourceConfig, ServiceConfig, Temporality, Threshold, Thresholds, Tokens, Users,
};
pub use error::{ConfigError, Error};
#[cfg(feature = "profiling")]
pub use profiles::CpuRecording;
pub use vitals::Vitals;

pub use otel_vitals_alloc as alloc;
pub use otel_vitals_host as host;
#[cfg(feature = "profiling")]
pub use otel_vitals_profiling as profiling;
pub use otel_vitals_runtime as runtime;

use opentelemetry::InstrumentationScope;

/// Starts measuring this process and its machine, and shipping what is measured, as the environment and an optional
/// `vitals.yaml` say. The one call.
///
/// Synchronous; works inside and outside any runtime; makes no connection, which the export thread does later; never
/// panics. Keep the handle as long as the service runs: dropping the last clone exports a last time and stops.
///
/// ```no_run
/// let vitals = otel_vitals::init()?;
/// # Ok::<(), otel_vitals::Error>(())
/// ```
///
/// # Errors
/// [`Error::Config`] for a wrong file or environment, [`Error::AlreadyInitialized`] for a second call,
/// [`Error::Start`] when the system refuses a thread. Nothing is left half-started.
pub fn init() -> Result<Vitals, Error> {
    Vitals::builder().start()
}

/// The instrumentation scope of what the pipeline says of itself.
pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(otel_vitals_core::SCHEMA_URL)
        .build()
}

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// And so does that of the reference of pauses.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/pauses.md")]
struct PausesReference;

/// And so does that of the reference of the hardware.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/hardware.md")]
struct HardwareReference;

/// And so does that of the reference of `MemStats`.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/memstats.md")]
struct MemStatsReference;

/// And so does that of the reference of published variables.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/variables.md")]
struct VariablesReference;

/// And so does that of the reference of health checks.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/health.md")]
struct HealthReference;

/// And so does that of the reference of profiles.
#[cfg(all(doctest, feature = "profiling"))]
#[doc = include_str!("../../../docs/profiling.md")]
struct ProfilingReference;
