//! How long the machine has been up.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `system.uptime` | `System::uptime` | |

use opentelemetry::metrics::Meter;
use otel_vitals_core::{ReadError, SourceContext};
use sysinfo::System;

use super::unavailable;

#[derive(Debug, Default)]
struct Reading {
    /// Time since boot (s).
    uptime: Option<u64>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        self.uptime = None;
    }
}

fn read(reading: &mut Reading) -> Result<(), ReadError> {
    reading.uptime = Some(System::uptime().map_err(|error| unavailable("time since boot", error))?);
    Ok(())
}

pub(super) fn register(meter: &Meter, context: &SourceContext) {
    let source = context.source("system.uptime", Reading::default(), read);
    meter
        .f64_observable_gauge("system.uptime")
        .with_unit("s")
        .with_description("Time since boot, in whole seconds.")
        .with_callback(source.observe(|reading, instrument| {
            if let Some(uptime) = reading.uptime {
                instrument.observe(uptime as f64, &[]);
            }
        }))
        .build();
}
