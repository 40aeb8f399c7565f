//! The instruments of `process.memory.*`, over whatever reads the memory of the process: `/proc/self/statm` on Linux,
//! sysinfo elsewhere.

use opentelemetry::metrics::Meter;
use otel_vitals_core::{Reading, Source, signed};

use crate::ProcessOptions;

/// Memory of the process.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Memory {
    /// Physical memory that the process holds (By).
    pub(super) usage: Option<u64>,
    /// Address space that is mapped (By).
    pub(super) mapped: Option<u64>,
    /// Share of the machine's physical memory (1).
    pub(super) utilization: Option<f64>,
}

impl Reading for Memory {
    fn clear(&mut self) {
        *self = Memory::default();
    }
}

/// Declares the instruments over `source`, whose reading has the memory at `memory`. `usage` describes
/// `process.memory.usage`, because sources differ in how exact they are.
pub(super) fn declare<R: Reading>(
    meter: &Meter,
    source: &Source<R>,
    options: &ProcessOptions,
    usage: &'static str,
    memory: fn(&R) -> &Memory,
) {
    meter
        .i64_observable_up_down_counter("process.memory.usage")
        .with_unit("By")
        .with_description(usage)
        .with_callback(source.observe(move |reading, instrument| {
            if let Some(usage) = memory(reading).usage {
                instrument.observe(signed(usage), &[]);
            }
        }))
        .build();
    meter
        .i64_observable_up_down_counter("process.memory.virtual")
        .with_unit("By")
        .with_description("The amount of committed virtual memory.")
        .with_callback(source.observe(move |reading, instrument| {
            if let Some(mapped) = memory(reading).mapped {
                instrument.observe(signed(mapped), &[]);
            }
        }))
        .build();
    if options.memory_utilization {
        meter
            .f64_observable_gauge("process.memory.utilization")
            .with_unit("1")
            .with_description("Percentage of total physical memory that is used by the process.")
            .with_callback(source.observe(move |reading, instrument| {
                if let Some(utilization) = memory(reading).utilization {
                    instrument.observe(utilization, &[]);
                }
            }))
            .build();
    }
}
