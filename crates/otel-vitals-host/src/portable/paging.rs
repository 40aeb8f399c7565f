//! How full swap is, or the page file.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `system.paging.usage` | `System::used_swap`, `System::total_swap` | `system.paging.state` = used, free |
//! | `system.paging.utilization` | the same as shares of the total | as `system.paging.usage` |

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_core::{ReadError, SourceContext, signed};
use sysinfo::{MemoryRefreshKind, System};

use super::ready;

#[derive(Debug, Default)]
struct Reading {
    /// None on a machine without swap.
    swap: Option<Swap>,
}

#[derive(Clone, Copy, Debug)]
struct Swap {
    /// What pages can be written to (By).
    total: u64,
    /// What holds pages (By).
    used: u64,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        self.swap = None;
    }
}

fn read(system: &mut Option<System>, reading: &mut Reading) -> Result<(), ReadError> {
    let system = ready(system, System::new, "the size of swap")?;
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_swap());
    let swap = Swap { total: system.total_swap(), used: system.used_swap() };
    reading.swap = Some(swap).filter(|swap| swap.total > 0);
    Ok(())
}

impl Swap {
    /// Bytes used and free.
    fn usage(self) -> [u64; 2] {
        let used = self.used.min(self.total);
        [used, self.total - used]
    }
}

pub(super) fn register(meter: &Meter, context: &SourceContext) {
    let mut system = None;
    let source = context
        .source("system.swaps", Reading::default(), move |reading: &mut Reading| read(&mut system, reading));
    let states = ["used", "free"].map(|state| [KeyValue::new("system.paging.state", state)]);
    let shares = states.clone();
    meter
        .i64_observable_up_down_counter("system.paging.usage")
        .with_unit("By")
        .with_description("Swap by state; the states sum to all of it.")
        .with_callback(source.observe(move |reading, instrument| {
            let usage = reading.swap.map(Swap::usage);
            for (bytes, state) in usage.iter().flatten().zip(&states) {
                instrument.observe(signed(*bytes), state);
            }
        }))
        .build();
    meter
        .f64_observable_gauge("system.paging.utilization")
        .with_unit("1")
        .with_description("Share of each state in all swap.")
        .with_callback(source.observe(move |reading, instrument| {
            let Some(swap) = reading.swap else { return };
            for (bytes, state) in swap.usage().iter().zip(&shares) {
                instrument.observe(*bytes as f64 / swap.total as f64, state);
            }
        }))
        .build();
}
