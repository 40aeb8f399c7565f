//! Disks.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `system.disk.io` | `/proc/diskstats`, sectors of 512 bytes | `system.device`, `disk.io.direction` = read, write |
//! | `system.disk.operations` | `/proc/diskstats`, completed | `system.device`, `disk.io.direction` |
//! | `system.disk.operation_time` | `/proc/diskstats`, milliseconds | `system.device`, `disk.io.direction` |
//! | `system.disk.merged` | `/proc/diskstats`, merged | `system.device`, `disk.io.direction` |
//! | `system.disk.io_time` | `/proc/diskstats`, milliseconds busy | `system.device` |
//! | `system.disk.limit` (opt-in) | `/sys/block/<device>/size`, sectors of 512 bytes | `system.device` |
//!
//! A sector is 512 bytes here whatever the disk's own sector is. Discards and flushes, which newer kernels count
//! too, are neither reads nor writes and are left out.
//!
//! # Which devices
//! By default whole disks: not the partitions of a listed disk, nor what is only memory (`ram`, `zram`), another
//! file (`loop`), a floppy (`fd`), an optical drive (`sr`) or one path of a multipath NVMe disk (`nvme0c0n1`).
//! Device mapper (`dm-0`), software RAID (`md0`) and their like are listed beside the disks below them, because an
//! operator looks for the latency of the volume as much as for that of the disk; they repeat the bytes of those
//! disks, so a sum over devices should leave them out (`exclude: ["dm-*", "md*"]`).

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};
use otel_vitals_core::scan::{self, Faults};
use otel_vitals_core::{KernelFile, Malformed, ReadError, Source, SourceContext, Table, signed};

use crate::DiskOptions;
use crate::filter::Choice;
use crate::roots::Roots;

const SECTOR: u64 = 512;

/// What the kernel says of each disk.
#[derive(Debug, Default)]
struct Reading {
    devices: Table<Device>,
}

#[derive(Debug)]
struct Device {
    /// None when the options leave this device out.
    shown: Option<Box<Shown>>,
    counts: Counts,
    /// Capacity (By).
    limit: Option<u64>,
}

/// What is made once for a device that is shown.
#[derive(Debug)]
struct Shown {
    device: [KeyValue; 1],
    /// As in [`Counts::directions`].
    directions: [[KeyValue; 2]; 2],
    /// Where the kernel keeps the capacity, when it is asked for.
    size: Option<KernelFile>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counts {
    /// Reads, then writes.
    directions: [Transfers; 2],
    /// Time in which any operation was under way (ms).
    busy: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Transfers {
    /// Completed operations.
    operations: Option<u64>,
    /// Requests that were merged into another before they reached the disk.
    merged: Option<u64>,
    /// Bytes (By).
    bytes: Option<u64>,
    /// Time of all operations together (ms).
    time: Option<u64>,
}

/// Which devices are shown, and whether with their capacity.
#[derive(Debug)]
struct Selection {
    devices: Choice,
    /// Where `/sys` is, when the capacity is asked for.
    limit: Option<Roots>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        for device in self.devices.iter_mut() {
            device.counts = Counts::default();
            device.limit = None;
        }
    }
}

fn read(bytes: &[u8], reading: &mut Reading, selection: &Selection) -> Result<(), Malformed> {
    let mut faults = Faults::default();
    reading.devices.update(|rows| {
        let mut disk: &[u8] = b"";
        for line in scan::lines(bytes) {
            let mut fields = scan::fields(line);
            let Some(name) = faults.keep(name(&mut fields, line)) else { continue };
            // The kernel lists the partitions of a disk right after it.
            let partition_of = is_partition(name, disk).then_some(disk);
            if partition_of.is_none() {
                disk = name;
            }
            let device = rows.row(name, |name| selection.device(name, partition_of));
            if device.shown.is_some() {
                device.counts = Counts::read(&mut fields, partition_of.is_some(), &mut faults);
            }
        }
    });
    faults.result()
}

/// The name behind the two numbers of the device.
fn name<'a>(fields: &mut impl Iterator<Item = &'a [u8]>, line: &[u8]) -> Result<&'a [u8], Malformed> {
    const EXPECTED: &str = "major and minor number and name of a block device";
    scan::next_number(fields, EXPECTED)?;
    scan::next_number(fields, EXPECTED)?;
    fields.next().ok_or_else(|| Malformed::new(EXPECTED, line))
}

/// Whether the kernel made `name` for a partition of `disk`: the number follows, after a `p` if the name of the
/// disk ends in a digit itself.
fn is_partition(name: &[u8], disk: &[u8]) -> bool {
    let Some(rest) = name.strip_prefix(disk) else { return false };
    let number = match disk.last() {
        None => return false,
        Some(last) if last.is_ascii_digit() => rest.strip_prefix(b"p"),
        Some(_) => Some(rest),
    };
    number.is_some_and(is_number)
}

fn is_number(digits: &[u8]) -> bool {
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

impl Selection {
    fn new(options: &DiskOptions, roots: &Roots) -> Self {
        Selection { devices: Choice::new(&options.devices), limit: options.limit.then(|| roots.clone()) }
    }

    fn device(&self, name: &str, partition_of: Option<&[u8]>) -> Device {
        let by_default = || partition_of.is_none() && !is_no_disk(name.as_bytes());
        let shown = self.devices.takes(name, by_default).then(|| {
            let device = KeyValue::new("system.device", name.to_owned());
            let directions = ["read", "write"]
                .map(|direction| [device.clone(), KeyValue::new("disk.io.direction", direction)]);
            let size = self.limit.as_ref().map(|roots| size(roots, name, partition_of));
            Box::new(Shown { device: [device], directions, size })
        });
        Device { shown, counts: Counts::default(), limit: None }
    }
}

/// Whether a device that is no partition keeps no data of its own on a disk.
fn is_no_disk(name: &[u8]) -> bool {
    let numbered = |kind: &&str| name.strip_prefix(kind.as_bytes()).is_some_and(is_number);
    ["loop", "ram", "zram", "fd", "sr"].iter().any(numbered) || is_nvme_path(name)
}

/// `nvme0c1n1` is the path by controller 1 to `nvme0n1`.
fn is_nvme_path(name: &[u8]) -> bool {
    let Some(rest) = name.strip_prefix(b"nvme") else { return false };
    let mut numbers = rest.split(|byte| matches!(byte, b'c' | b'n'));
    let three = [numbers.next(), numbers.next(), numbers.next()];
    rest.contains(&b'c') && numbers.next().is_none() && three.iter().all(|part| part.is_some_and(is_number))
}

/// The file that holds the capacity; sysfs writes `!` where a name has a slash.
fn size(roots: &Roots, name: &str, partition_of: Option<&[u8]>) -> KernelFile {
    let name = name.replace('/', "!");
    KernelFile::single_record(match partition_of {
        Some(disk) => {
            let disk = String::from_utf8_lossy(disk).replace('/', "!");
            roots.path(&format!("/sys/block/{disk}/{name}/size"))
        }
        None => roots.path(&format!("/sys/block/{name}/size")),
    })
}

impl Counts {
    /// The columns after the name. Before 2.6.25 a partition has four of them only.
    fn read<'a>(fields: &mut impl Iterator<Item = &'a [u8]>, partition: bool, faults: &mut Faults) -> Self {
        let mut columns: [Option<&[u8]>; 10] = [None; 10];
        for column in &mut columns {
            *column = fields.next();
        }
        let mut number =
            |column: Option<&[u8]>, expected| faults.keep(scan::number(column.unwrap_or_default(), expected));
        if let (true, [reads, read, writes, written, None, ..]) = (partition, columns) {
            let mut transfers = |operations, sectors| Transfers {
                operations: number(operations, "a count of operations"),
                bytes: number(sectors, "a count of sectors").map(bytes),
                ..Transfers::default()
            };
            return Counts { directions: [transfers(reads, read), transfers(writes, written)], busy: None };
        }
        let mut transfers = |[operations, merged, sectors, time]: [Option<&[u8]>; 4]| Transfers {
            operations: number(operations, "a count of operations"),
            merged: number(merged, "a count of merged operations"),
            bytes: number(sectors, "a count of sectors").map(bytes),
            time: number(time, "milliseconds of operations"),
        };
        let [a, b, c, d, e, f, g, h, _in_flight, busy] = columns;
        let directions = [transfers([a, b, c, d]), transfers([e, f, g, h])];
        Counts { directions, busy: number(busy, "milliseconds in which the disk was busy") }
    }
}

fn bytes(sectors: u64) -> u64 {
    sectors.saturating_mul(SECTOR)
}

fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

impl Reading {
    /// Reads the capacity of every device that is shown with it; the first error is told after all are read.
    fn read_limits(&mut self) -> Result<(), ReadError> {
        let mut outcome = Ok(());
        for device in self.devices.iter_mut() {
            let Some(size) = device.shown.as_mut().and_then(|shown| shown.size.as_mut()) else { continue };
            let limit = &mut device.limit;
            let read = size.parse(|text| {
                let sectors = scan::number(scan::trim(text), "a count of sectors")?;
                // A drive without a medium says 0, which is no capacity.
                *limit = (sectors > 0).then(|| bytes(sectors));
                Ok(())
            });
            outcome = outcome.and(read);
        }
        outcome
    }

    /// Observes a value of either direction of every device that is shown.
    fn by_direction<N>(&self, instrument: &dyn AsyncInstrument<N>, value: impl Fn(&Transfers) -> Option<N>) {
        for (shown, device) in self.shown() {
            for (transfers, attributes) in device.counts.directions.iter().zip(&shown.directions) {
                if let Some(value) = value(transfers) {
                    instrument.observe(value, attributes);
                }
            }
        }
    }

    fn shown(&self) -> impl Iterator<Item = (&Shown, &Device)> {
        self.devices.iter().filter_map(|device| Some((device.shown.as_deref()?, device)))
    }
}

pub(crate) fn register(meter: &Meter, context: &SourceContext, roots: &Roots, options: &DiskOptions) {
    let mut file = KernelFile::short_records(roots.path("/proc/diskstats"));
    let selection = Selection::new(options, roots);
    let source = context.source("system.disk", Reading::default(), move |reading: &mut Reading| {
        let counts = file.parse(|bytes| read(bytes, reading, &selection));
        let limits = reading.read_limits();
        counts.and(limits)
    });
    meter
        .u64_observable_counter("system.disk.io")
        .with_unit("By")
        .with_description("Bytes read from and written to the disk.")
        .with_callback(
            source
                .observe(|reading, instrument| reading.by_direction(instrument, |transfers| transfers.bytes)),
        )
        .build();
    meter
        .u64_observable_counter("system.disk.operations")
        .with_unit("{operation}")
        .with_description("Completed reads and writes.")
        .with_callback(source.observe(|reading, instrument| {
            reading.by_direction(instrument, |transfers| transfers.operations);
        }))
        .build();
    meter
        .f64_observable_counter("system.disk.operation_time")
        .with_unit("s")
        .with_description("Sum of the time each operation took, from queue to completion.")
        .with_callback(source.observe(|reading, instrument| {
            reading.by_direction(instrument, |transfers| transfers.time.map(seconds));
        }))
        .build();
    meter
        .u64_observable_counter("system.disk.merged")
        .with_unit("{operation}")
        .with_description("Reads and writes that were merged into another before they reached the disk.")
        .with_callback(
            source.observe(|reading, instrument| {
                reading.by_direction(instrument, |transfers| transfers.merged)
            }),
        )
        .build();
    meter
        .f64_observable_counter("system.disk.io_time")
        .with_unit("s")
        .with_description("Time in which at least one operation was under way.")
        .with_callback(source.observe(|reading, instrument| {
            for (shown, device) in reading.shown() {
                if let Some(busy) = device.counts.busy {
                    instrument.observe(seconds(busy), &shown.device);
                }
            }
        }))
        .build();
    if options.limit {
        register_limit(meter, &source);
    }
}

fn register_limit(meter: &Meter, source: &Source<Reading>) {
    meter
        .i64_observable_up_down_counter("system.disk.limit")
        .with_unit("By")
        .with_description("Capacity of the disk.")
        .with_callback(source.observe(|reading, instrument| {
            for (shown, device) in reading.shown() {
                if let Some(limit) = device.limit {
                    instrument.observe(signed(limit), &shown.device);
                }
            }
        }))
        .build();
}

#[cfg(test)]
mod tests;
