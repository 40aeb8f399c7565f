//! How full swap is.
//!
//! | metric | source: `/proc/swaps` | attributes |
//! | --- | --- | --- |
//! | `system.paging.usage` | columns `Used`, `Size` | `system.paging.state` = used, free; `system.device` |
//! | `system.paging.utilization` | the same as shares of `Size` | as `system.paging.usage` |
//!
//! A machine without swap has neither. The device is the partition or file that the kernel names.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};
use otel_vitals_core::mountinfo::unescaped;
use otel_vitals_core::scan::{self, Faults};
use otel_vitals_core::{KernelFile, Malformed, SourceContext, Table, signed};

use crate::roots::Roots;

/// What `/proc/swaps` says.
#[derive(Debug, Default)]
struct Reading {
    devices: Table<Device>,
}

#[derive(Debug)]
struct Device {
    /// The attributes of used and free.
    attributes: [[KeyValue; 2]; 2],
    size: Option<Size>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Size {
    /// What pages can be written to (By).
    total: u64,
    /// What holds pages (By).
    used: u64,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        self.devices.iter_mut().for_each(|device| device.size = None);
    }
}

/// `<file> <type> <size in kB> <used in kB> <priority>` after a line of headings.
fn read(bytes: &[u8], reading: &mut Reading) -> Result<(), Malformed> {
    let mut faults = Faults::default();
    let mut lines = scan::lines(bytes);
    let headings = lines.next().filter(|line| line.starts_with(b"Filename"));
    faults.require(&headings, "a line of headings");
    reading.devices.update(|rows| {
        for line in lines {
            let mut fields = scan::fields(line);
            let (Some(name), Some(_type)) = (fields.next(), fields.next()) else {
                faults.keep::<()>(Err(Malformed::new("a swap device and its type", line)));
                continue;
            };
            rows.row(name, Device::new).size = faults.keep(size(&mut fields));
        }
    });
    faults.result()
}

fn size<'a>(fields: &mut impl Iterator<Item = &'a [u8]>) -> Result<Size, Malformed> {
    const USED: &str = "the used part of a swap device in kB";
    let total = scan::next_number(fields, "the size of a swap device in kB")?.saturating_mul(1024);
    let field = fields.next().unwrap_or(b"the end of the line");
    let used = scan::number(field, USED)?.saturating_mul(1024);
    // More than all of it would be a share beyond 1: one of the two is wrong, and nobody knows which.
    if used > total { Err(Malformed::new(USED, field)) } else { Ok(Size { total, used }) }
}

impl Device {
    fn new(name: &str) -> Self {
        let name = String::from_utf8_lossy(&unescaped(name.as_bytes())).into_owned();
        let device = KeyValue::new("system.device", name);
        let attributes =
            ["used", "free"].map(|state| [KeyValue::new("system.paging.state", state), device.clone()]);
        Device { attributes, size: None }
    }
}

impl Size {
    /// Bytes used and free.
    fn usage(self) -> [u64; 2] {
        [self.used, self.total.saturating_sub(self.used)]
    }

    /// Shares used and free.
    fn utilization(self) -> Option<[f64; 2]> {
        (self.total > 0).then(|| self.usage().map(|bytes| bytes as f64 / self.total as f64))
    }
}

pub(crate) fn register(meter: &Meter, context: &SourceContext, roots: &Roots) {
    let mut file = KernelFile::short_records(roots.path("/proc/swaps"));
    let source = context.source("system.swaps", Reading::default(), move |reading: &mut Reading| {
        file.parse(|bytes| read(bytes, reading))
    });
    meter
        .i64_observable_up_down_counter("system.paging.usage")
        .with_unit("By")
        .with_description("Swap by device and state; the states sum to the size of the device.")
        .with_callback(source.observe(|reading, instrument| {
            observe(reading, instrument, |size| Some(size.usage().map(signed)));
        }))
        .build();
    meter
        .f64_observable_gauge("system.paging.utilization")
        .with_unit("1")
        .with_description("Share of each state in the swap of a device.")
        .with_callback(source.observe(|reading, instrument| observe(reading, instrument, Size::utilization)))
        .build();
}

fn observe<T>(
    reading: &Reading,
    instrument: &dyn AsyncInstrument<T>,
    values: impl Fn(Size) -> Option<[T; 2]>,
) {
    for device in reading.devices.iter() {
        let values = device.size.and_then(&values).into_iter().flatten();
        for (value, attributes) in values.zip(&device.attributes) {
            instrument.observe(value, attributes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use otel_vitals_core::Reading as _;
    use proptest::prelude::*;

    const TWO: &[u8] = include_bytes!("../tests/fixtures/full/proc/swaps");

    fn parsed(text: &[u8]) -> (Reading, Result<(), Malformed>) {
        let mut reading = Reading::default();
        let outcome = read(text, &mut reading);
        (reading, outcome)
    }

    fn seen(reading: &Reading) -> Vec<(String, Option<Size>)> {
        let devices = reading.devices.iter();
        devices.map(|device| (device.attributes[0][1].value.to_string(), device.size)).collect()
    }

    #[test]
    fn reads_each_device_in_bytes() {
        let (reading, outcome) = parsed(TWO);
        assert_eq!(outcome, Ok(()));
        let partition = Size { total: 8_388_604 << 10, used: 1_048_576 << 10 };
        let file = Size { total: 2_097_148 << 10, used: 0 };
        let expected =
            [("/dev/nvme0n1p3".to_owned(), Some(partition)), ("/var/swap file".into(), Some(file))];
        assert_eq!(seen(&reading), expected);
        assert_eq!(partition.usage().iter().sum::<u64>(), partition.total);
        assert_eq!(file.utilization(), Some([0.0, 1.0]));
    }

    #[test]
    fn a_machine_without_swap_has_no_device() {
        let (reading, outcome) = parsed(b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
        assert_eq!(outcome, Ok(()));
        assert!(reading.devices.is_empty());
    }

    #[test]
    fn a_device_that_goes_is_forgotten_and_new_columns_are_ignored() {
        let (mut reading, _) = parsed(TWO);
        reading.clear();
        let outcome =
            read(b"Filename Type Size Used Priority New\n/dev/sdb1 partition 4 0 -2 9\n", &mut reading);
        assert_eq!(outcome, Ok(()));
        assert_eq!(seen(&reading), [("/dev/sdb1".to_owned(), Some(Size { total: 4096, used: 0 }))]);
    }

    #[test]
    fn a_line_that_is_cut_or_odd_costs_only_itself() {
        let (reading, outcome) = parsed(b"Filename\n/a partition 8 4 -2\n/b partition x 4\n/c file 8");
        assert_eq!(outcome.unwrap_err().found, "x");
        let a = Some(Size { total: 8192, used: 4096 });
        assert_eq!(seen(&reading), [("/a".to_owned(), a), ("/b".into(), None), ("/c".into(), None)]);
        let (reading, outcome) = parsed(b"Filename\n/dev");
        assert_eq!(outcome.unwrap_err().expected, "a swap device and its type");
        assert!(reading.devices.is_empty());
        assert_eq!(parsed(b"").1.unwrap_err().expected, "a line of headings");
    }

    #[test]
    fn a_device_that_is_more_than_full_is_refused_and_costs_only_itself() {
        let (reading, outcome) = parsed(b"Filename\n/a partition 5 9 -2\n/b file 8 8 -3\n");
        let error = outcome.unwrap_err();
        assert_eq!((error.expected, &*error.found), ("the used part of a swap device in kB", "9"));
        let full = Size { total: 8192, used: 8192 };
        assert_eq!(seen(&reading), [("/a".to_owned(), None), ("/b".into(), Some(full))]);
        assert_eq!(full.utilization(), Some([1.0, 0.0]));
    }

    #[test]
    fn a_device_without_size_has_no_shares() {
        assert_eq!(Size { total: 0, used: 0 }.utilization(), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64),
                        text in "Filename\n(/[a-c]{1,2}| |[0-9]{1,30}|\n){0,20}") {
            let _ = (parsed(&bytes), parsed(text.as_bytes()));
        }
    }
}
