//! The process as OpenTelemetry metrics: `process.*` by the semantic conventions 1.44.0, read from the kernel for
//! next to nothing.

mod options;

pub use options::ProcessOptions;

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
pub fn register(_meter: &Meter, _context: &SourceContext, _options: &ProcessOptions) {}
