//! The ground floor of [otel-vitals](https://docs.rs/otel-vitals): what every metric group stands on.
//!
//! OpenTelemetry for Rust has no batch callback: every observable instrument asks for its value by itself.
//! A metric group whose ten instruments all come from one kernel file must still read that file once. This
//! crate makes that the easy way to write a group:
//!
//! | part | what it does |
//! | --- | --- |
//! | [`Source`] | reads once per collection into a reused [`Reading`]; instruments only look at it, behind a panic guard |
//! | [`SourceContext`] | the freshness window and the self-metrics all sources of one pipeline share |
//! | [`KernelFile`] | a kernel file kept open and re-read with `pread(2)` into a reused buffer |
//! | [`Table`] | rows keyed by device or mount, with attribute sets built once per row |
//! | [`scan`] | lines, fields and numbers out of kernel text, without allocating |
//! | [`clock`] | the boot clock, the page size and the tick of the kernel |
//! | `cgroup` | on Linux: where the files of this process's own control group are, and what they say |
//! | `pressure` | on Linux: how long was waited for a resource |
//! | `mountinfo` | on Linux: the table of mounts |
//!
//! # Example: a metric group in a few lines
//!
//! ```
//! use opentelemetry::metrics::MeterProvider as _;
//! use otel_vitals_core::{KernelFile, Malformed, Reading, SourceContext, scan};
//! use std::time::Duration;
//!
//! #[derive(Default)]
//! struct Entropy {
//!     bits: Option<u64>,
//! }
//!
//! impl Reading for Entropy {
//!     fn clear(&mut self) {
//!         self.bits = None;
//!     }
//! }
//!
//! fn read(bytes: &[u8], reading: &mut Entropy) -> Result<(), Malformed> {
//!     reading.bits = Some(scan::number(scan::trim(bytes), "bits of entropy")?);
//!     Ok(())
//! }
//!
//! # let provider = opentelemetry_sdk::metrics::SdkMeterProvider::default();
//! let meter = provider.meter("example");
//! let context = SourceContext::new(&meter, Duration::from_millis(100));
//! let mut file = KernelFile::single_record("/proc/sys/kernel/random/entropy_avail");
//! let source = context.source("example.entropy", Entropy::default(), move |reading: &mut Entropy| {
//!     file.parse(|bytes| read(bytes, reading))
//! });
//! meter
//!     .u64_observable_gauge("example.entropy")
//!     .with_unit("bit")
//!     .with_callback(source.observe(|reading, instrument| {
//!         if let Some(bits) = reading.bits {
//!             instrument.observe(bits, &[]);
//!         }
//!     }))
//!     .build();
//! ```
//!
//! A missing file, a truncated line or a panic in such a group costs that group its values for one collection:
//! they are absent, counted in `otel_vitals.source.errors`, logged once, and tried again at the next collection.

#[cfg(target_os = "linux")]
pub mod cgroup;
pub mod clock;
mod error;
mod kernel_file;
#[cfg(target_os = "linux")]
pub mod mountinfo;
mod panics;
#[cfg(target_os = "linux")]
pub mod pressure;
pub mod scan;
mod self_metrics;
mod source;
mod table;

pub use error::{Malformed, ReadError};
pub use kernel_file::KernelFile;
pub use panics::{caught, quietly};
pub use source::{Collection, Reading, Source, SourceContext};
pub use table::Table;

/// Schema URL of the OpenTelemetry semantic conventions whose names, units and attributes we emit.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// `value` for an up-down counter, which OpenTelemetry counts in `i64`; a value beyond it stays at the maximum.
///
/// ```
/// assert_eq!(otel_vitals_core::signed(42), 42);
/// assert_eq!(otel_vitals_core::signed(u64::MAX), i64::MAX);
/// ```
#[must_use]
pub fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
