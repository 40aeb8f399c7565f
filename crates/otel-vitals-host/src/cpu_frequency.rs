//! The clock of each processor. Opt-in.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `system.cpu.frequency` | `/sys/devices/system/cpu/cpuN/cpufreq/scaling_cur_freq` (kHz) | `cpu.logical_number` |
//!
//! Absent, and an error of the source, where the kernel does not scale the clock, which is most virtual machines.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_core::{KernelFile, Malformed, ReadError, SourceContext, scan, signed};
use std::path::Path;
use std::{fs, mem};

use crate::roots::Roots;

/// What each `scaling_cur_freq` says.
#[derive(Debug)]
struct Reading {
    /// The processors that there were at the first reading, by number.
    cpus: Vec<Cpu>,
}

#[derive(Debug)]
struct Cpu {
    attributes: [KeyValue; 1],
    file: KernelFile,
    /// Whether the file was ever there: one that goes is an error, one that never came is not.
    was_there: bool,
    /// Present frequency (Hz).
    frequency: Option<u64>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        self.cpus.iter_mut().for_each(|cpu| cpu.frequency = None);
    }
}

/// The kernel says 0 when the driver does not know.
fn read(bytes: &[u8]) -> Result<Option<u64>, Malformed> {
    let kilohertz = scan::number(scan::trim(bytes), "a frequency in kHz")?;
    Ok(kilohertz.checked_mul(1000).filter(|frequency| *frequency > 0))
}

pub(crate) fn register(meter: &Meter, context: &SourceContext, roots: &Roots) {
    let folder = roots.path("/sys/devices/system/cpu");
    // For the log, which is written once. A machine without the files lacks them at every reading, and that
    // allocates as little as any other.
    let mut found = format!("none in {}", folder.display());
    let reading = Reading { cpus: Vec::new() };
    let source = context.source("system.cpu.frequency", reading, move |reading: &mut Reading| {
        if reading.cpus.is_empty() {
            reading.cpus = cpus(&folder);
        }
        let some = reading.read()?;
        let expected = "a file cpuN/cpufreq/scaling_cur_freq";
        if some { Ok(()) } else { Err(ReadError::Unavailable { expected, found: mem::take(&mut found) }) }
    });
    meter
        .i64_observable_gauge("system.cpu.frequency")
        .with_unit("Hz")
        .with_description("Present frequency of each logical processor.")
        .with_callback(source.observe(|reading, instrument| {
            for cpu in &reading.cpus {
                if let Some(frequency) = cpu.frequency {
                    instrument.observe(signed(frequency), &cpu.attributes);
                }
            }
        }))
        .build();
}

/// The processors below `folder`.
fn cpus(folder: &Path) -> Vec<Cpu> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut numbers: Vec<u64> =
        names.filter_map(|name| name.to_str()?.strip_prefix("cpu")?.parse().ok()).collect();
    numbers.sort_unstable();
    let cpus = numbers.into_iter().map(|number| Cpu {
        attributes: [KeyValue::new("cpu.logical_number", signed(number))],
        file: KernelFile::single_record(folder.join(format!("cpu{number}/cpufreq/scaling_cur_freq"))),
        was_there: false,
        frequency: None,
    });
    cpus.collect()
}

impl Reading {
    /// Whether there is a file at all. One processor may be offline: the others are read all the same.
    fn read(&mut self) -> Result<bool, ReadError> {
        let (mut some, mut outcome) = (false, Ok(()));
        for cpu in self.cpus.iter_mut().filter_map(Cpu::there) {
            some = true;
            outcome = outcome.and(cpu.read());
        }
        outcome.map(|()| some)
    }
}

impl Cpu {
    /// This one, if it tells its frequency.
    fn there(&mut self) -> Option<&mut Self> {
        self.was_there = self.was_there || self.file.path().exists();
        self.was_there.then_some(self)
    }

    fn read(&mut self) -> Result<(), ReadError> {
        let Cpu { file, frequency, .. } = self;
        file.parse(|bytes| read(bytes).map(|read| *frequency = read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use otel_vitals_core::Reading as _;
    use proptest::prelude::*;

    #[test]
    fn kilohertz_become_hertz_and_zero_is_not_known() {
        assert_eq!(read(b"2400000\n"), Ok(Some(2_400_000_000)));
        assert_eq!(read(b"0\n"), Ok(None));
        assert_eq!(read(b"<unknown>\n").unwrap_err().found, "<unknown>");
    }

    #[test]
    fn processors_are_found_by_number_and_one_that_goes_costs_only_itself() {
        let root = tempfile::tempdir().unwrap();
        for name in ["cpu0", "cpu2", "cpu10", "cpufreq", "cpuidle"] {
            fs::create_dir_all(root.path().join(name).join("cpufreq")).unwrap();
        }
        let frequency = |name: &str| root.path().join(name).join("cpufreq/scaling_cur_freq");
        for name in ["cpu0", "cpu10", "cpufreq"] {
            fs::write(frequency(name), "1000000\n").unwrap();
        }
        let seen = |reading: &Reading| -> Vec<_> {
            reading.cpus.iter().map(|cpu| (cpu.attributes[0].value.to_string(), cpu.frequency)).collect()
        };
        let expected =
            |zero: Option<u64>| [("0".into(), zero), ("2".into(), None), ("10".into(), Some(1_000_000_000))];
        let mut reading = Reading { cpus: cpus(root.path()) };
        assert!(reading.read().unwrap());
        assert_eq!(seen(&reading), expected(Some(1_000_000_000)));
        reading.clear();
        assert!(reading.cpus.iter().all(|cpu| cpu.frequency.is_none()));

        let mut reading = Reading { cpus: cpus(root.path()) };
        assert!(reading.cpus[0].there().is_some());
        fs::remove_file(frequency("cpu0")).unwrap();
        assert!(reading.read().unwrap_err().to_string().contains("cpu0/cpufreq/scaling_cur_freq"));
        assert_eq!(seen(&reading), expected(None));
    }

    #[test]
    fn without_any_file_there_is_nothing_until_one_comes() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("cpu1/cpufreq");
        fs::create_dir_all(&folder).unwrap();
        let mut reading = Reading { cpus: cpus(root.path()) };
        assert!(!reading.read().unwrap());
        fs::write(folder.join("scaling_cur_freq"), "2000000\n").unwrap();
        assert!(reading.read().unwrap());
        assert_eq!(reading.cpus[0].frequency, Some(2_000_000_000));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..32)) {
            let _ = read(&bytes);
        }
    }
}
