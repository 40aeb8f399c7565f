//! Memory.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `system.memory.usage` | `System::total_memory`, `System::available_memory` | `system.memory.state` = used, free |
//! | `system.memory.utilization` | the same as shares of the total | as `system.memory.usage` |
//! | `system.memory.limit` (opt-in) | `System::total_memory` | |
//!
//! `free` is what programs could get; caches that can be dropped are in it, because not every system tells them.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_core::{ReadError, SourceContext, signed};
use sysinfo::{MemoryRefreshKind, System};

use super::ready;
use crate::MemoryOptions;

#[derive(Debug, Default)]
struct Reading {
    memory: Option<Memory>,
}

#[derive(Clone, Copy, Debug)]
struct Memory {
    /// All memory (By).
    total: u64,
    /// What programs could get (By).
    available: u64,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        self.memory = None;
    }
}

fn read(system: &mut Option<System>, reading: &mut Reading) -> Result<(), ReadError> {
    let system = ready(system, System::new, "the size of memory")?;
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    let memory = Memory { total: system.total_memory(), available: system.available_memory() };
    reading.memory = Some(memory).filter(|memory| memory.total > 0);
    Ok(())
}

impl Memory {
    /// Bytes used and free.
    fn usage(self) -> [u64; 2] {
        let free = self.available.min(self.total);
        [self.total - free, free]
    }
}

pub(super) fn register(meter: &Meter, context: &SourceContext, options: &MemoryOptions) {
    let mut system = None;
    let source = context
        .source("system.memory", Reading::default(), move |reading: &mut Reading| read(&mut system, reading));
    let states = ["used", "free"].map(|state| [KeyValue::new("system.memory.state", state)]);
    let shares = states.clone();
    meter
        .i64_observable_up_down_counter("system.memory.usage")
        .with_unit("By")
        .with_description("Memory by state; the states sum to all of it.")
        .with_callback(source.observe(move |reading, instrument| {
            let usage = reading.memory.map(Memory::usage);
            for (bytes, state) in usage.iter().flatten().zip(&states) {
                instrument.observe(signed(*bytes), state);
            }
        }))
        .build();
    meter
        .f64_observable_gauge("system.memory.utilization")
        .with_unit("1")
        .with_description("Share of each state in all memory.")
        .with_callback(source.observe(move |reading, instrument| {
            let Some(memory) = reading.memory else { return };
            for (bytes, state) in memory.usage().iter().zip(&shares) {
                instrument.observe(*bytes as f64 / memory.total as f64, state);
            }
        }))
        .build();
    if options.limit {
        meter
            .i64_observable_up_down_counter("system.memory.limit")
            .with_unit("By")
            .with_description("All memory.")
            .with_callback(source.observe(|reading, instrument| {
                if let Some(memory) = reading.memory {
                    instrument.observe(signed(memory.total), &[]);
                }
            }))
            .build();
    }
}
