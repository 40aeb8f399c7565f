//! The process as Linux tells of it in `/proc/self`, one room per file.

mod descriptors;
mod directory;
mod disk;
mod memory;
mod proc_files;
mod scheduler_wait;
mod signals;
mod stat;
mod threads;
mod uptime;

use opentelemetry::metrics::Meter;
use otel_vitals_core::SourceContext;
use proc_files::ProcFiles;
use std::time::SystemTime;

use crate::ProcessOptions;

pub(super) fn register(meter: &Meter, context: &SourceContext, options: &ProcessOptions) {
    register_from(meter, context, options, &ProcFiles::default());
}

pub(super) fn creation_time() -> Option<SystemTime> {
    uptime::creation_time(&ProcFiles::default()).ok()
}

fn register_from(meter: &Meter, context: &SourceContext, options: &ProcessOptions, files: &ProcFiles) {
    memory::register(meter, context, options, files);
    disk::register(meter, context, options, files);
    descriptors::register(meter, context, files);
    threads::register(meter, context, files);
    uptime::register(meter, context, files);
    if options.scheduler_wait {
        scheduler_wait::register(meter, context, files);
    }
    if options.signals_pending {
        signals::register(meter, context, files);
    }
}

#[cfg(test)]
mod tests;
