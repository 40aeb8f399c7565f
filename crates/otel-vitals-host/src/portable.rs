//! The machine where there is no `/proc`: a smaller set, by way of the crate `sysinfo`.
//!
//! | metric | what differs from Linux |
//! | --- | --- |
//! | `system.cpu.logical.count`, `system.cpu.physical.count` | |
//! | `system.cpu.utilization` (opt-in) | only `cpu.mode` = idle: what else there is cannot be told apart |
//! | `system.cpu.frequency` (opt-in) | whole MHz |
//! | `system.memory.usage`, `system.memory.utilization` | only used and free, where free is what is available |
//! | `system.memory.limit` (opt-in) | |
//! | `system.paging.usage`, `system.paging.utilization` | of all swap together, without `system.device` |
//! | `system.filesystem.usage`, `system.filesystem.utilization`, `system.filesystem.limit` (opt-in) | only used and free: what only root may fill is in used |
//! | `system.network.io`, `system.network.packet.count`, `system.network.errors` | |
//! | `linux.load.average` | absent on Windows, which has none |
//! | `system.uptime` | whole seconds |
//!
//! All else is absent: `sysinfo` does not tell it, or only at the price of a walk over all processes. `root_path` is
//! ignored, `per_core` is obeyed, and reading allocates.
//!
//! `--cfg otel_vitals_portable` chooses this on Linux too, so that it can be tested there.

mod cpu;
pub(crate) mod filesystem;
mod load;
mod memory;
mod network;
mod paging;
mod uptime;

use opentelemetry::metrics::Meter;
use otel_vitals_core::{ReadError, SourceContext};

use crate::HostOptions;

pub(crate) fn register(meter: &Meter, context: &SourceContext, options: &HostOptions) {
    if options.cpu.enabled {
        cpu::register(meter, context, &options.cpu);
    }
    if options.memory.enabled {
        memory::register(meter, context, &options.memory);
    }
    if options.paging.enabled {
        paging::register(meter, context);
    }
    if options.filesystem.enabled {
        filesystem::register(meter, context, &options.filesystem);
    }
    if options.network.enabled {
        network::register(meter, context, &options.network);
    }
    if options.load.enabled && cfg!(not(windows)) {
        load::register(meter, context);
    }
    if options.uptime.enabled {
        uptime::register(meter, context);
    }
}

/// What `made` holds, made by `make` if it is not there yet; a failure is tried again at the next reading.
pub(crate) fn ready<'a, T>(
    made: &'a mut Option<T>,
    make: impl FnOnce() -> Result<T, sysinfo::Error>,
    expected: &'static str,
) -> Result<&'a mut T, ReadError> {
    match made {
        Some(made) => Ok(made),
        slot => Ok(slot.insert(make().map_err(|error| unavailable(expected, error))?)),
    }
}

pub(crate) fn unavailable(expected: &'static str, reason: impl ToString) -> ReadError {
    ReadError::Unavailable { expected, found: reason.to_string() }
}
