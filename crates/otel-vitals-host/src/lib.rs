//! The machine as OpenTelemetry metrics: `system.*` by the semantic conventions 1.44.0, read from the kernel for
//! next to nothing.
//!
//! Every metric group is a module of its own with the same four parts: a table of what it measures and where
//! that comes from, a `Reading`, `read`, and `register`. No group knows another, none walks all processes or all
//! sockets, and none allocates after warm-up.

mod cpu;
mod cpu_frequency;
mod cpu_time;
mod cpu_topology;
mod kernel_stat;
mod load;
mod memory;
mod memory_hugepages;
mod options;
mod paging;
mod paging_swap;
mod processes;
mod roots;
mod uptime;

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
    if options.cpu.enabled || options.processes.enabled {
        let stat = kernel_stat::source(context, &roots, options.cpu.per_core);
        if options.cpu.enabled {
            cpu::register(meter, &stat, &roots, options.cpu.utilization);
        }
        if options.processes.enabled {
            processes::register(meter, context, &roots, &stat);
        }
    }
    if options.cpu.enabled && options.cpu.frequency {
        cpu_frequency::register(meter, context, &roots);
    }
    if options.memory.enabled {
        memory::register(meter, context, &roots, &options.memory);
    }
    if options.paging.enabled {
        paging::register(meter, context, &roots);
        paging_swap::register(meter, context, &roots);
    }
    if options.load.enabled {
        load::register(meter, context, &roots);
    }
    if options.uptime.enabled {
        uptime::register(meter, context, &roots);
    }
}
