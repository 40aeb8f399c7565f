//! Load averages.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `linux.load.average` | `System::load_average` | `linux.load.period` = 1m, 5m, 15m |

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_core::{ReadError, SourceContext};
use sysinfo::System;

use super::unavailable;

#[derive(Debug, Default)]
struct Reading {
    /// Tasks running or waiting, averaged over 1, 5 and 15 minutes (1).
    averages: Option<[f64; 3]>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        self.averages = None;
    }
}

fn read(reading: &mut Reading) -> Result<(), ReadError> {
    let load = System::load_average().map_err(|error| unavailable("load averages", error))?;
    reading.averages = Some([load.one, load.five, load.fifteen]);
    Ok(())
}

pub(super) fn register(meter: &Meter, context: &SourceContext) {
    let source = context.source("system.load", Reading::default(), read);
    let periods = ["1m", "5m", "15m"].map(|period| [KeyValue::new("linux.load.period", period)]);
    meter
        .f64_observable_gauge("linux.load.average")
        .with_unit("1")
        .with_description("Tasks that run or wait for a core or a disk, averaged over the period.")
        .with_callback(source.observe(move |reading, instrument| {
            for (average, period) in reading.averages.iter().flatten().zip(&periods) {
                instrument.observe(*average, period);
            }
        }))
        .build();
}
