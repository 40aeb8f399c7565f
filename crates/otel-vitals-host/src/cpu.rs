//! Processors: what they spend their time on, and how many there are.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `system.cpu.time` | `/proc/stat`, line `cpu`, or lines `cpuN` per core | `cpu.mode` = user, nice, system, idle, iowait, interrupt, steal; per core `cpu.logical_number` |
//! | `system.cpu.logical.count` | `/proc/stat`, number of lines `cpuN` | |
//! | `system.cpu.physical.count` | see `cpu_topology.rs` | |
//! | `system.cpu.utilization` (opt-in) | change of `system.cpu.time` since the last reading | as `system.cpu.time` |
//! | `system.cpu.frequency` (opt-in) | see `cpu_frequency.rs` | `cpu.logical_number` |
//!
//! Modes are disjoint. `interrupt` is the kernel's irq and softirq together. Time that a guest of this machine
//! ran is in user and nice, where the kernel counts it too. The reading is that of `kernel_stat.rs`, and `read`
//! of one line is in `cpu_time.rs`.

use opentelemetry::metrics::{AsyncInstrument, Meter};
use otel_vitals_core::{Source, clock, signed};

use crate::cpu_time::{ByMode, CpuTime};
use crate::kernel_stat::Reading;

pub(crate) fn register(meter: &Meter, source: &Source<Reading>, utilization: bool) {
    let hertz = clock::ticks_per_second() as f64;
    meter
        .f64_observable_counter("system.cpu.time")
        .with_unit("s")
        .with_description("Time that processors spent in each mode.")
        .with_callback(source.observe(move |reading, instrument| {
            by_mode(reading, instrument, |time| time.seconds(hertz));
        }))
        .build();
    if utilization {
        meter
            .f64_observable_gauge("system.cpu.utilization")
            .with_unit("1")
            .with_description(
                "Share of each mode in the time since the last reading, in ticks of the kernel.",
            )
            .with_callback(source.observe(|reading, instrument| {
                by_mode(reading, instrument, CpuTime::utilization);
            }))
            .build();
    }
    meter
        .i64_observable_up_down_counter("system.cpu.logical.count")
        .with_unit("{cpu}")
        .with_description("Logical processors online.")
        .with_callback(source.observe(|reading, instrument| {
            if let Some(online) = reading.online {
                instrument.observe(signed(online), &[]);
            }
        }))
        .build();
}

/// Observes what `value` makes of the time of each processor that the reading keeps.
fn by_mode(
    reading: &Reading,
    instrument: &dyn AsyncInstrument<f64>,
    value: impl Fn(&CpuTime) -> ByMode<f64>,
) {
    for cpu in reading.cpus.iter() {
        for (value, attributes) in value(&cpu.time).into_iter().zip(&cpu.attributes) {
            if let Some(value) = value {
                instrument.observe(value, attributes);
            }
        }
    }
}
