//! What the process has used of the CPU and the memory system, exited threads included.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `process.cpu.time` | `getrusage(RUSAGE_SELF)`, `ru_utime` and `ru_stime` | `cpu.mode` = user, system |
//! | `process.cpu.utilization` (opt-in) | the same, since the last reading | `cpu.mode` = user, system |
//! | `process.context_switches` | `ru_nvcsw` and `ru_nivcsw` | `process.context_switch.type` = voluntary, involuntary |
//! | `process.paging.faults` | `ru_majflt` and `ru_minflt` | `system.paging.fault.type` = major, minor |
//!
//! The kernel knows the sum of both CPU times to the microsecond and divides it between the modes by what its
//! clock tick found running.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_core::{ReadError, Source, SourceContext};
use std::time::{Duration, Instant};

use crate::{ProcessOptions, rusage};

/// What `getrusage(2)` says; every total counts from the start of the process.
#[derive(Clone, Debug, Default, PartialEq)]
struct Reading {
    /// CPU time in user mode and in the kernel.
    cpu_time: [Option<Duration>; 2],
    /// Share of the CPUs used since the last reading, in user mode and in the kernel (1).
    cpu_utilization: [Option<f64>; 2],
    /// Times that a thread gave up its CPU by itself, and times that it was made to.
    context_switches: [Option<u64>; 2],
    /// Page faults that needed the disk, and those that did not.
    faults: [Option<u64>; 2],
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        *self = Reading::default();
    }
}

fn read(usage: &libc::rusage, reading: &mut Reading) {
    reading.cpu_time = [usage.ru_utime, usage.ru_stime].map(duration);
    reading.context_switches = [usage.ru_nvcsw, usage.ru_nivcsw].map(count);
    reading.faults = [usage.ru_majflt, usage.ru_minflt].map(count);
}

fn duration(time: libc::timeval) -> Option<Duration> {
    let microseconds = u32::try_from(time.tv_usec).ok().filter(|value| *value < 1_000_000)?;
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, microseconds * 1_000))
}

/// A total that has outgrown the kernel's type comes out negative, and is then not known.
fn count(value: libc::c_long) -> Option<u64> {
    u64::try_from(value).ok()
}

/// A reading to which the next one is compared.
struct Before {
    at: Instant,
    cpu_time: [Option<Duration>; 2],
}

impl Before {
    fn utilization(&self, now: Instant, reading: &Reading, cpus: usize) -> [Option<f64>; 2] {
        let available = now.saturating_duration_since(self.at).as_secs_f64() * cpus as f64;
        let mut utilization = [None; 2];
        for ((share, before), now) in utilization.iter_mut().zip(self.cpu_time).zip(reading.cpu_time) {
            let used = before.zip(now).and_then(|(before, now)| now.checked_sub(before));
            *share = used.filter(|_| available > 0.0).map(|used| used.as_secs_f64() / available);
        }
        utilization
    }
}

pub(super) fn register(meter: &Meter, context: &SourceContext, options: &ProcessOptions) {
    let source = context.source("process.usage", Reading::default(), reader(options));
    cpu(meter, &source, options);
    totals(meter, &source);
}

/// Reads, and compares with the reading before if somebody wants to know.
fn reader(options: &ProcessOptions) -> impl FnMut(&mut Reading) -> Result<(), ReadError> + Send + 'static {
    let cpus = options.cpu_utilization.then(available_cpus);
    let mut last: Option<Before> = None;
    move |reading| {
        let usage =
            rusage::of_this_process().ok_or_else(|| ReadError::last_call("getrusage(RUSAGE_SELF)"))?;
        read(&usage, reading);
        if let Some(cpus) = cpus {
            let now = Instant::now();
            if let Some(before) = &last {
                reading.cpu_utilization = before.utilization(now, reading, cpus);
            }
            last = Some(Before { at: now, cpu_time: reading.cpu_time });
        }
        Ok(())
    }
}

/// CPUs that affinity and cgroup quota leave to the process, asked once.
fn available_cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn cpu(meter: &Meter, source: &Source<Reading>, options: &ProcessOptions) {
    let modes = ["user", "system"].map(|mode| [KeyValue::new("cpu.mode", mode)]);
    let attributes = modes.clone();
    meter
        .f64_observable_counter("process.cpu.time")
        .with_unit("s")
        .with_description("Total CPU seconds broken down by different CPU modes.")
        .with_callback(source.observe(move |reading, instrument| {
            for (time, mode) in reading.cpu_time.iter().zip(&attributes) {
                if let Some(time) = time {
                    instrument.observe(time.as_secs_f64(), mode);
                }
            }
        }))
        .build();
    if !options.cpu_utilization {
        return;
    }
    meter
        .f64_observable_gauge("process.cpu.utilization")
        .with_unit("1")
        .with_description(
            "Difference in process.cpu.time since the last measurement, divided by the elapsed time and number \
             of CPUs available to the process (by affinity and cgroup quota when it started to measure).",
        )
        .with_callback(source.observe(move |reading, instrument| {
            for (share, mode) in reading.cpu_utilization.iter().zip(&modes) {
                if let Some(share) = share {
                    instrument.observe(*share, mode);
                }
            }
        }))
        .build();
}

fn totals(meter: &Meter, source: &Source<Reading>) {
    let types = ["voluntary", "involuntary"].map(|kind| [KeyValue::new("process.context_switch.type", kind)]);
    meter
        .u64_observable_counter("process.context_switches")
        .with_unit("{context_switch}")
        .with_description("Number of times the process has been context switched.")
        .with_callback(source.observe(move |reading, instrument| {
            for (switches, kind) in reading.context_switches.iter().zip(&types) {
                if let Some(switches) = switches {
                    instrument.observe(*switches, kind);
                }
            }
        }))
        .build();
    let types = ["major", "minor"].map(|kind| [KeyValue::new("system.paging.fault.type", kind)]);
    meter
        .u64_observable_counter("process.paging.faults")
        .with_unit("{fault}")
        .with_description("Number of page faults the process has made.")
        .with_callback(source.observe(move |reading, instrument| {
            for (faults, kind) in reading.faults.iter().zip(&types) {
                if let Some(faults) = faults {
                    instrument.observe(*faults, kind);
                }
            }
        }))
        .build();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(change: impl FnOnce(&mut libc::rusage)) -> Reading {
        let mut usage = rusage::of_this_process().unwrap();
        change(&mut usage);
        let mut reading = Reading::default();
        read(&usage, &mut reading);
        reading
    }

    #[test]
    fn reads_every_total_from_its_field() {
        let reading = parsed(|usage| {
            usage.ru_utime = libc::timeval { tv_sec: 12, tv_usec: 345_678 };
            usage.ru_stime = libc::timeval { tv_sec: 0, tv_usec: 9 };
            (usage.ru_nvcsw, usage.ru_nivcsw) = (1, 2);
            (usage.ru_majflt, usage.ru_minflt) = (3, 4);
        });
        let cpu_time = [Duration::from_micros(12_345_678), Duration::from_micros(9)].map(Some);
        assert_eq!(reading.cpu_time, cpu_time);
        assert_eq!(reading.context_switches, [Some(1), Some(2)]);
        assert_eq!(reading.faults, [Some(3), Some(4)]);
    }

    #[test]
    fn a_total_beyond_the_type_is_absent() {
        let reading = parsed(|usage| {
            usage.ru_nvcsw = -1;
            usage.ru_stime.tv_usec = 1_000_000;
        });
        assert_eq!(reading.context_switches[0], None);
        assert!(reading.context_switches[1].is_some() && reading.cpu_time[0].is_some());
        assert_eq!(reading.cpu_time[1], None);
    }

    #[test]
    fn utilization_is_the_share_of_all_cpus() {
        let at = Instant::now();
        let before = Before { at, cpu_time: [Some(Duration::from_secs(10)), Some(Duration::from_secs(1))] };
        let cpu_time = [Some(Duration::from_secs(13)), Some(Duration::from_secs(1))];
        let reading = Reading { cpu_time, ..Reading::default() };
        let shares = before.utilization(at + Duration::from_secs(2), &reading, 4);
        assert_eq!(shares, [Some(0.375), Some(0.0)]);
        assert_eq!(before.utilization(at, &reading, 4), [None, None], "no time has passed");
        let unknown = Reading { cpu_time: [None; 2], ..Reading::default() };
        assert_eq!(before.utilization(at + Duration::from_secs(2), &unknown, 4), [None, None]);
    }

    #[test]
    fn utilization_needs_two_readings() {
        let options = ProcessOptions { cpu_utilization: true, ..ProcessOptions::default() };
        let mut next = reader(&options);
        let mut reading = Reading::default();
        next(&mut reading).unwrap();
        assert_eq!(reading.cpu_utilization, [None, None]);
        assert!(reading.cpu_time[0].is_some());
        next(&mut reading).unwrap();
        assert!(reading.cpu_utilization[0].is_some() && reading.cpu_utilization[1].is_some());
    }

    proptest! {
        #[test]
        fn never_panics(seconds: libc::time_t, micros: libc::suseconds_t, total: libc::c_long) {
            let reading = parsed(|usage| {
                usage.ru_utime = libc::timeval { tv_sec: seconds, tv_usec: micros };
                (usage.ru_nvcsw, usage.ru_minflt) = (total, total);
            });
            prop_assert_eq!(reading.context_switches[0].is_some(), total >= 0);
        }
    }
}
