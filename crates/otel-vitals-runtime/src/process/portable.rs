//! The process as sysinfo tells of it, where there is no room for the kernel at hand.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `process.memory.usage`, `process.memory.virtual` | `Process::memory`, `virtual_memory` | |
//! | `process.memory.utilization` (opt-in) | usage by `System::total_memory`, read once | |
//! | `process.disk.io` (macOS) | `Process::disk_usage` | `disk.io.direction` = read, write |
//! | `process.unix.file_descriptor.count` (Unix) | `Process::open_files` | |
//! | `process.windows.handle.count` (Windows) | `Process::open_files`, which counts handles there | |
//! | `process.uptime` | `Process::run_time`, to the second | |
//!
//! Absent are `process.disk.io` where sysinfo gives the bytes of everything (Windows) or blocks (the BSDs),
//! `process.cpu.time` on Windows, because sysinfo does not divide it by mode, `process.thread.count`, and what
//! only Linux tells: `process.disk.operations` and `process.signals_pending`. Reading through sysinfo allocates.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_core::{ReadError, Source, SourceContext, signed};
use std::time::{Duration, SystemTime};
use sysinfo::{MemoryRefreshKind, Pid, Process, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::ProcessOptions;
use crate::process::memory::{self, Memory};

const USAGE: &str = "The amount of physical memory in use.";

/// Whether sysinfo's disk bytes are that. Linux is here to be tested.
const DISK_BYTES: bool = cfg!(any(target_os = "macos", target_os = "linux"));

/// What sysinfo says.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    memory: Memory,
    /// Bytes read from and written to disks since the start of the process.
    disk: [Option<u64>; 2],
    /// Open file descriptors; on Windows, handles.
    open: Option<u64>,
    /// Time since the process was started (s).
    uptime: Option<u64>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        *self = Reading::default();
    }
}

/// sysinfo has no absent value: it says 0 for a size that it does not know, and no process has one.
fn read(process: &Process, total_memory: Option<u64>, reading: &mut Reading) {
    let known = |value: u64| Some(value).filter(|value| *value > 0);
    let usage = known(process.memory());
    reading.memory = Memory {
        usage,
        mapped: known(process.virtual_memory()),
        utilization: usage.zip(total_memory).map(|(usage, total)| usage as f64 / total as f64),
    };
    if DISK_BYTES {
        let disk = process.disk_usage();
        reading.disk = [Some(disk.total_read_bytes), Some(disk.total_written_bytes)];
    }
    reading.open = process.open_files().and_then(|open| u64::try_from(open).ok()).map(less_the_listing);
    reading.uptime = known(process.start_time()).map(|_| process.run_time());
}

/// On Linux sysinfo lists a folder, and counts the descriptor by which it does.
fn less_the_listing(open: u64) -> u64 {
    open.saturating_sub(u64::from(cfg!(target_os = "linux")))
}

pub(super) fn register(meter: &Meter, context: &SourceContext, options: &ProcessOptions) {
    let source = context.source("process.sysinfo", Reading::default(), reader(options));
    memory::declare(meter, &source, options, USAGE, |reading| &reading.memory);
    if DISK_BYTES {
        disk(meter, &source);
    }
    open(meter, &source);
    meter
        .f64_observable_gauge("process.uptime")
        .with_unit("s")
        .with_description("The time the process has been running, to the second.")
        .with_callback(source.observe(|reading, instrument| {
            if let Some(uptime) = reading.uptime {
                instrument.observe(uptime as f64, &[]);
            }
        }))
        .build();
}

pub(super) fn creation_time() -> Option<SystemTime> {
    let mut system = System::new().ok()?;
    let start = refresh(&mut system, ProcessRefreshKind::nothing()).ok()?.start_time();
    (start > 0).then_some(())?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(start))
}

fn reader(options: &ProcessOptions) -> impl FnMut(&mut Reading) -> Result<(), ReadError> + Send + 'static {
    let wants_total = options.memory_utilization;
    let mut system = None;
    let mut total_memory = None;
    move |reading| {
        let system = match &mut system {
            Some(system) => system,
            slot => slot.insert(System::new().map_err(|error| unavailable("sysinfo", &error))?),
        };
        if wants_total && total_memory.is_none() {
            system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
            total_memory = Some(system.total_memory()).filter(|total| *total > 0);
        }
        let process = refresh(system, ProcessRefreshKind::nothing().with_memory().with_disk_usage())?;
        read(process, total_memory, reading);
        Ok(())
    }
}

/// This process, as it is now.
fn refresh(system: &mut System, what: ProcessRefreshKind) -> Result<&Process, ReadError> {
    let own = Pid::from_u32(std::process::id());
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), true, what);
    system.process(own).ok_or_else(|| unavailable("this process in sysinfo's list", &"none"))
}

#[cold]
fn unavailable(expected: &'static str, found: &dyn std::fmt::Display) -> ReadError {
    ReadError::Unavailable { expected, found: found.to_string() }
}

fn disk(meter: &Meter, source: &Source<Reading>) {
    let directions = ["read", "write"].map(|direction| [KeyValue::new("disk.io.direction", direction)]);
    meter
        .u64_observable_counter("process.disk.io")
        .with_unit("By")
        .with_description("Disk bytes transferred.")
        .with_callback(source.observe(move |reading, instrument| {
            for (bytes, direction) in reading.disk.iter().zip(&directions) {
                if let Some(bytes) = bytes {
                    instrument.observe(*bytes, direction);
                }
            }
        }))
        .build();
}

fn open(meter: &Meter, source: &Source<Reading>) {
    let (name, unit, description) = if cfg!(windows) {
        ("process.windows.handle.count", "{handle}", "Number of handles held by the process.")
    } else {
        (
            "process.unix.file_descriptor.count",
            "{file_descriptor}",
            "Number of UNIX file descriptors in use by the process.",
        )
    };
    meter
        .i64_observable_up_down_counter(name)
        .with_unit(unit)
        .with_description(description)
        .with_callback(source.observe(|reading, instrument| {
            if let Some(open) = reading.open {
                instrument.observe(signed(open), &[]);
            }
        }))
        .build();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_can_be_read() {
        let options = ProcessOptions { memory_utilization: true, ..ProcessOptions::default() };
        let mut next = reader(&options);
        let mut reading = Reading::default();
        next(&mut reading).unwrap();
        let (usage, mapped) = (reading.memory.usage.unwrap(), reading.memory.mapped.unwrap());
        assert!(100_000 < usage && usage < mapped, "{usage} {mapped}");
        let utilization = reading.memory.utilization.unwrap();
        assert!(0.0 < utilization && utilization < 1.0, "{utilization}");
        assert!(reading.open.unwrap() >= 3);
        assert!(reading.uptime.unwrap() < 86_400);
    }

    #[test]
    fn the_start_is_not_after_now() {
        let start = creation_time().unwrap();
        let age = SystemTime::now().duration_since(start).unwrap();
        assert!(age < Duration::from_secs(86_400), "{age:?}");
    }
}
