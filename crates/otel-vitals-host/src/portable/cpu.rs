//! Processors.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `system.cpu.logical.count` | `System::cpus` | |
//! | `system.cpu.physical.count` | `System::physical_core_count`, read until it tells | |
//! | `system.cpu.utilization` (opt-in) | `Cpu::usage`, `System::global_cpu_usage` | `cpu.mode` = idle; per core `cpu.logical_number` |
//! | `system.cpu.frequency` (opt-in) | `Cpu::frequency` (MHz) | `cpu.logical_number` |
//!
//! `sysinfo` tells how busy processors are and not with what, so what is left, idle, is the only mode. It is a share
//! of the time since the last reading, absent at the first one and at one that follows within
//! [`sysinfo::MINIMUM_CPU_UPDATE_INTERVAL`].

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_core::{ReadError, Source, SourceContext, signed};
use std::time::Instant;
use sysinfo::{CpuRefreshKind, MINIMUM_CPU_UPDATE_INTERVAL, System};

use super::ready;
use crate::CpuOptions;

#[derive(Debug, Default)]
struct Reading {
    /// Logical processors (processors).
    count: Option<u64>,
    /// Physical cores (cores).
    physical: Option<u64>,
    /// Share of time in which processors were idle, all together (1).
    idle: Option<f64>,
    processors: Vec<Processor>,
}

#[derive(Debug)]
struct Processor {
    number: [KeyValue; 1],
    idle_and_number: [KeyValue; 2],
    /// Share of time in which it was idle (1).
    idle: Option<f64>,
    /// Present frequency (Hz).
    frequency: Option<u64>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        (self.count, self.physical, self.idle) = (None, None, None);
        self.processors.iter_mut().for_each(|cpu| (cpu.idle, cpu.frequency) = (None, None));
    }
}

impl Processor {
    fn new(number: usize) -> Self {
        let number = KeyValue::new("cpu.logical_number", signed(number as u64));
        Processor {
            number: [number.clone()],
            idle_and_number: [idle_mode(), number],
            idle: None,
            frequency: None,
        }
    }
}

fn idle_mode() -> KeyValue {
    KeyValue::new("cpu.mode", "idle")
}

/// What `sysinfo` keeps from one reading to the next.
struct Processors {
    system: Option<System>,
    /// Cores, which are seldom plugged in and so are counted once.
    physical: Option<usize>,
    wanted: CpuRefreshKind,
    /// When the usage was measured last.
    measured: Option<Instant>,
}

impl Processors {
    fn read(&mut self, reading: &mut Reading) -> Result<(), ReadError> {
        let system = ready(&mut self.system, System::new, "processors")?;
        let elapsed = self.measured.map(|at| at.elapsed());
        match elapsed {
            None => system.refresh_cpu_list(self.wanted),
            Some(elapsed) if elapsed < MINIMUM_CPU_UPDATE_INTERVAL => {
                system.refresh_cpu_specifics(self.wanted.without_usage());
            }
            Some(_) => system.refresh_cpu_specifics(self.wanted),
        }
        let is_measured = elapsed.is_some_and(|elapsed| elapsed >= MINIMUM_CPU_UPDATE_INTERVAL);
        if is_measured || elapsed.is_none() {
            self.measured = Some(Instant::now());
        }
        let cpus = system.cpus();
        reading.count = Some(cpus.len() as u64).filter(|count| *count > 0);
        reading.processors.truncate(cpus.len());
        reading.processors.extend((reading.processors.len()..cpus.len()).map(Processor::new));
        for (processor, cpu) in reading.processors.iter_mut().zip(cpus) {
            processor.frequency = cpu.frequency().checked_mul(1_000_000).filter(|frequency| *frequency > 0);
            processor.idle = is_measured.then(|| idle(cpu.usage()));
        }
        reading.idle = is_measured.then(|| idle(system.global_cpu_usage()));
        let physical =
            ready(&mut self.physical, System::physical_core_count, "the number of physical cores")?;
        reading.physical = Some(*physical as u64);
        Ok(())
    }
}

/// The share that a usage in percent leaves.
fn idle(percent: f32) -> f64 {
    (1.0 - f64::from(percent) / 100.0).clamp(0.0, 1.0)
}

pub(super) fn register(meter: &Meter, context: &SourceContext, options: &CpuOptions) {
    let mut wanted = CpuRefreshKind::nothing();
    if options.utilization {
        wanted = wanted.with_usage();
    }
    if options.frequency {
        wanted = wanted.with_frequency();
    }
    let mut processors = Processors { system: None, physical: None, wanted, measured: None };
    let source = context
        .source("system.cpu", Reading::default(), move |reading: &mut Reading| processors.read(reading));
    register_counts(meter, &source);
    if options.utilization {
        register_utilization(meter, &source, options.per_core);
    }
    if options.frequency {
        meter
            .i64_observable_gauge("system.cpu.frequency")
            .with_unit("Hz")
            .with_description("Present frequency of each logical processor.")
            .with_callback(source.observe(|reading, instrument| {
                for processor in &reading.processors {
                    if let Some(frequency) = processor.frequency {
                        instrument.observe(signed(frequency), &processor.number);
                    }
                }
            }))
            .build();
    }
}

fn register_counts(meter: &Meter, source: &Source<Reading>) {
    meter
        .i64_observable_up_down_counter("system.cpu.logical.count")
        .with_unit("{cpu}")
        .with_description("Logical processors.")
        .with_callback(source.observe(|reading, instrument| {
            if let Some(count) = reading.count {
                instrument.observe(signed(count), &[]);
            }
        }))
        .build();
    meter
        .i64_observable_up_down_counter("system.cpu.physical.count")
        .with_unit("{cpu}")
        .with_description("Physical processor cores.")
        .with_callback(source.observe(|reading, instrument| {
            if let Some(cores) = reading.physical {
                instrument.observe(signed(cores), &[]);
            }
        }))
        .build();
}

fn register_utilization(meter: &Meter, source: &Source<Reading>, per_core: bool) {
    let all = [idle_mode()];
    meter
        .f64_observable_gauge("system.cpu.utilization")
        .with_unit("1")
        .with_description("Share of the time since the last reading in which processors were idle.")
        .with_callback(source.observe(move |reading, instrument| {
            if !per_core {
                reading.idle.iter().for_each(|idle| instrument.observe(*idle, &all));
                return;
            }
            for processor in &reading.processors {
                if let Some(idle) = processor.idle {
                    instrument.observe(idle, &processor.idle_and_number);
                }
            }
        }))
        .build();
}
