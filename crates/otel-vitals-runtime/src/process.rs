//! The process group: which sources there are on which system.

#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod linux;
mod memory;
#[cfg(any(not(target_os = "linux"), otel_vitals_portable))]
mod portable;
#[cfg(unix)]
mod usage;

#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
use linux as system;
#[cfg(any(not(target_os = "linux"), otel_vitals_portable))]
use portable as system;

use opentelemetry::metrics::Meter;
use otel_vitals_core::SourceContext;
use std::time::SystemTime;

use crate::ProcessOptions;

pub(crate) fn register(meter: &Meter, context: &SourceContext, options: &ProcessOptions) {
    #[cfg(unix)]
    usage::register(meter, context, options);
    system::register(meter, context, options);
}

/// When this process was started, by the wall clock as it is now: what the conventions call
/// `process.creation.time`.
///
/// Linux tells the start to a hundredth of a second after boot, other systems to the second. None where the
/// system does not tell. Two calls may differ by as much as the wall clock was set between them: ask once.
#[must_use]
pub fn creation_time() -> Option<SystemTime> {
    system::creation_time()
}
