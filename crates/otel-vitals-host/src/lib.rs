//! The machine as OpenTelemetry metrics: `system.*` by the semantic conventions 1.44.0, read from the kernel for
//! next to nothing.
//!
//! Every metric group is a module of its own with the same four parts: a table of what it measures and where
//! that comes from, a `Reading`, `read`, and `register`. No group knows another, none walks all processes or all
//! sockets, and none allocates after warm-up.
//!
//! That is Linux. Elsewhere the module `portable` shows a smaller set by way of the crate `sysinfo`.

#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod askers;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod cgroup_cpu;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod cpu;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod cpu_frequency;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod cpu_time;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod cpu_topology;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod disk;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod filesystem;
mod filter;
pub mod hardware;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod kernel_stat;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod load;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod memory;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod memory_hugepages;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod mounts;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod network;
mod options;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod own_cgroup;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod paging;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod paging_swap;
#[cfg(any(not(target_os = "linux"), otel_vitals_portable))]
mod portable;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod pressure;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod processes;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod roots;
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod uptime;

pub use options::{
    CgroupOptions, CpuOptions, DiskOptions, FilesystemOptions, Filter, HostOptions, LoadOptions,
    MemoryOptions, NetworkOptions, PagingOptions, PressureOptions, ProcessCountOptions, UptimeOptions,
};

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

/// Declares the instruments of the groups that `options` turns on.
pub fn register(meter: &Meter, context: &SourceContext, options: &HostOptions) {
    #[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
    register_rooms(meter, context, options);
    #[cfg(any(not(target_os = "linux"), otel_vitals_portable))]
    portable::register(meter, context, options);
}

#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
fn register_rooms(meter: &Meter, context: &SourceContext, options: &HostOptions) {
    let roots = roots::Roots::new(options.root_path.as_deref());
    if options.cpu.enabled || options.processes.enabled {
        let stat = kernel_stat::source(context, &roots, options.cpu.per_core);
        if options.cpu.enabled {
            cpu::register(meter, &stat, options.cpu.utilization);
            cpu_topology::register(meter, context, &roots);
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
    if options.disk.enabled {
        disk::register(meter, context, &roots, &options.disk);
    }
    if options.filesystem.enabled {
        filesystem::register(meter, context, &roots, &options.filesystem);
    }
    if options.network.enabled {
        network::register(meter, context, &roots, &options.network);
    }
    if options.load.enabled {
        load::register(meter, context, &roots);
    }
    if options.uptime.enabled {
        uptime::register(meter, context, &roots);
    }
    register_signals(meter, context, options, &roots);
}

/// What the kernel says of waiting.
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
fn register_signals(meter: &Meter, context: &SourceContext, options: &HostOptions, roots: &roots::Roots) {
    let (cgroup, pressure) = (&options.cgroup, &options.pressure);
    let wanted = own_cgroup::Wanted { cpu: cgroup.enabled, pressure: pressure.enabled && pressure.cgroup };
    // The own group's, whatever machine is watched.
    let own = (wanted.cpu || wanted.pressure)
        .then(|| own_cgroup::source(context, std::path::Path::new("/"), wanted));
    if let Some(own) = own.as_ref().filter(|_| wanted.cpu) {
        cgroup_cpu::register(meter, own);
    }
    if pressure.enabled {
        pressure::register(meter, context, roots, own.filter(|_| wanted.pressure));
    }
}

#[cfg(test)]
#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod tests;
