//! The clock of each processor. Opt-in.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `system.cpu.frequency` | `/sys/devices/system/cpu/cpuN/cpufreq/scaling_cur_freq` (kHz) | `cpu.logical_number` |
//!
//! Absent where the kernel does not scale the clock, which is most virtual machines.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_core::{KernelFile, Malformed, ReadError, SourceContext, scan, signed};
use std::fs;
use std::path::Path;

use crate::roots::Roots;

/// What each `scaling_cur_freq` says.
#[derive(Debug)]
struct Reading {
    /// The processors that had one when the group was registered, by number.
    cpus: Vec<Cpu>,
}

#[derive(Debug)]
struct Cpu {
    attributes: [KeyValue; 1],
    file: KernelFile,
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
    let cpus = cpus(&roots.path("/sys/devices/system/cpu"));
    if cpus.is_empty() {
        return;
    }
    let source = context.source("system.cpu.frequency", Reading { cpus }, |reading: &mut Reading| {
        // One processor may be offline: the others are read all the same.
        reading.cpus.iter_mut().map(Cpu::read).fold(Ok(()), Result::and)
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

/// The processors below `folder` that tell their frequency.
fn cpus(folder: &Path) -> Vec<Cpu> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut numbers: Vec<u64> =
        names.filter_map(|name| name.to_str()?.strip_prefix("cpu")?.parse().ok()).collect();
    numbers.sort_unstable();
    let cpus = numbers.into_iter().map(|number| Cpu {
        attributes: [KeyValue::new("cpu.logical_number", signed(number))],
        file: KernelFile::single_record(folder.join(format!("cpu{number}/cpufreq/scaling_cur_freq"))),
        frequency: None,
    });
    cpus.filter(|cpu| cpu.file.path().exists()).collect()
}

impl Cpu {
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
        let mut reading = Reading { cpus: cpus(root.path()) };
        fs::remove_file(frequency("cpu0")).unwrap();
        let outcomes: Vec<bool> = reading.cpus.iter_mut().map(|cpu| cpu.read().is_ok()).collect();
        assert_eq!(outcomes, [false, true]);
        let seen = |reading: &Reading| -> Vec<_> {
            reading.cpus.iter().map(|cpu| (cpu.attributes[0].value.to_string(), cpu.frequency)).collect()
        };
        assert_eq!(seen(&reading), [("0".into(), None), ("10".into(), Some(1_000_000_000))]);
        reading.clear();
        assert_eq!(reading.cpus[1].frequency, None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..32)) {
            let _ = read(&bytes);
        }
    }
}
