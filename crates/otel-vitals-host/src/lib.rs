//! The machine as OpenTelemetry metrics: `system.*` by the semantic conventions 1.44.0, read from the kernel for
//! next to nothing.
//!
//! Every metric group is a module of its own with the same four parts: a table of what it measures and where
//! that comes from, a `Reading`, `read`, and `register`. No group knows another, none walks all processes or all
//! sockets, and none allocates after warm-up.

mod load;
mod options;
mod roots;

pub use options::{
    CpuOptions, DiskOptions, FilesystemOptions, Filter, HostOptions, LoadOptions, MemoryOptions,
    NetworkOptions, PagingOptions, ProcessCountOptions, UptimeOptions,
};

use opentelemetry::InstrumentationScope;
use opentelemetry::metrics::Meter;
use otel_vitals_core::{SCHEMA_URL, SourceContext};
use roots::Roots;

/// The instrumentation scope of everything in this crate.
#[must_use]
pub fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(SCHEMA_URL)
        .build()
}

/// Declares the instruments of the groups that `options` turns on.
pub fn register(meter: &Meter, context: &SourceContext, options: &HostOptions) {
    let roots = Roots::new(options.root_path.as_deref());
    if options.load.enabled {
        load::register(meter, context, &roots);
    }
}
