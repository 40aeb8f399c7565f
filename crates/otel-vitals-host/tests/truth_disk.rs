//! Disks against independent readings of this machine.
#![cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

use otel_vitals_core::SourceContext;
use otel_vitals_host::{Filter, HostOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};
use test_harness::{Collection, InMemory, Instrument};

fn pipeline(change: impl FnOnce(&mut HostOptions)) -> InMemory {
    let pipeline = InMemory::new();
    let meter = pipeline.meter("host");
    let mut options = HostOptions::default();
    change(&mut options);
    // Every instrument of a collection sees one reading.
    otel_vitals_host::register(&meter, &SourceContext::new(&meter, Duration::from_millis(500)), &options);
    pipeline
}

/// The columns of `/sys/block/<device>/stat`, which the kernel writes by other code than `/proc/diskstats`.
type Stat = Vec<f64>;

fn stat(device: &str) -> Option<Stat> {
    let text = fs::read_to_string(format!("/sys/block/{}/stat", device.replace('/', "!"))).ok()?;
    Some(text.split_whitespace().map(|column| column.parse().unwrap()).collect())
}

/// The devices of sysfs, which lists no partitions there.
fn devices() -> BTreeMap<String, Stat> {
    let names = fs::read_dir("/sys/block").into_iter().flatten();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap().replace('!', "/"));
    names.filter_map(|name| Some((name.clone(), stat(&name)?))).collect()
}

fn named(collection: &Collection, metric: &str) -> BTreeSet<String> {
    let points = collection.metric(metric).map(|metric| &metric.points[..]).unwrap_or_default();
    points.iter().map(|point| point.attributes["system.device"].clone()).collect()
}

/// Metric, direction, column of `stat`, and what that column is counted in.
const COLUMNS: [(&str, Option<&str>, usize, Unit); 9] = [
    ("system.disk.operations", Some("read"), 0, Unit::One),
    ("system.disk.merged", Some("read"), 1, Unit::One),
    ("system.disk.io", Some("read"), 2, Unit::Sector),
    ("system.disk.operation_time", Some("read"), 3, Unit::Millisecond),
    ("system.disk.operations", Some("write"), 4, Unit::One),
    ("system.disk.merged", Some("write"), 5, Unit::One),
    ("system.disk.io", Some("write"), 6, Unit::Sector),
    ("system.disk.operation_time", Some("write"), 7, Unit::Millisecond),
    ("system.disk.io_time", None, 9, Unit::Millisecond),
];

#[derive(Clone, Copy)]
enum Unit {
    One,
    Sector,
    Millisecond,
}

impl Unit {
    fn of(self, count: f64) -> f64 {
        match self {
            Unit::One => count,
            Unit::Sector => count * 512.0,
            Unit::Millisecond => count / 1000.0,
        }
    }
}

#[test]
fn every_count_of_every_device_is_what_sysfs_says() {
    let pipeline = pipeline(|options| options.disk.devices = Filter::new(["*"], [""; 0]));
    let before = devices();
    let collection = pipeline.collect();
    let after = devices();
    for (device, before) in &before {
        let Some(after) = after.get(device) else { continue };
        for (metric, direction, column, unit) in COLUMNS {
            let mut attributes = vec![("system.device", device.as_str())];
            attributes.extend(direction.map(|direction| ("disk.io.direction", direction)));
            let value = collection.value(metric, &attributes).unwrap();
            let (before, after) = (unit.of(before[column]), unit.of(after[column]));
            assert!(before <= value && value <= after, "{device} {metric}: {before} {value} {after}");
        }
    }
}

#[test]
fn by_default_the_disks_are_those_of_sysfs_that_are_neither_memory_nor_loops() {
    let collection = pipeline(|_| {}).collect();
    let shown = named(&collection, "system.disk.io");
    let others = ["loop", "ram", "zram", "fd", "sr"];
    let disks = devices().into_keys().filter(|name| {
        let kind = name.trim_end_matches(|digit: char| digit.is_ascii_digit());
        !(others.contains(&kind) || name.starts_with("nvme") && name.contains('c'))
    });
    for disk in disks {
        assert!(shown.contains(&disk), "{disk} is not in {shown:?}");
    }
    for name in &shown {
        let is_partition = fs::exists(format!("/sys/class/block/{name}/partition")).unwrap();
        assert!(!is_partition || !shown.iter().any(|disk| disk != name && name.starts_with(disk)), "{name}");
    }
}

#[test]
fn capacity_is_what_sysfs_says() {
    let collection = pipeline(|options| options.disk.limit = true).collect();
    for device in named(&collection, "system.disk.io") {
        let sectors = fs::read_to_string(format!("/sys/block/{}/size", device.replace('/', "!"))).unwrap();
        let bytes = sectors.trim().parse::<f64>().unwrap() * 512.0;
        let value = collection.value("system.disk.limit", &[("system.device", &device)]);
        assert_eq!(value, (bytes > 0.0).then_some(bytes), "{device}");
    }
}

#[test]
fn bytes_that_are_written_are_counted() {
    const SIZE: usize = 8 << 20;
    let folder = env!("CARGO_TARGET_TMPDIR");
    let device = fs::metadata(folder).unwrap().dev();
    let (major, minor) = (libc::major(device), libc::minor(device));
    let table = fs::read_to_string("/proc/diskstats").unwrap_or_default();
    let listed = table.lines().any(|line| {
        let mut fields = line.split_whitespace();
        fields.next() == Some(&major.to_string()) && fields.next() == Some(&minor.to_string())
    });
    if !listed {
        println!("skipped: {folder} is on {major}:{minor}, which is no block device of this kernel");
        return;
    }
    let pipeline = pipeline(|_| {});
    let written = || -> f64 {
        let collection = pipeline.collect();
        let points = &collection.metric("system.disk.io").unwrap().points;
        points
            .iter()
            .filter(|point| point.attributes["disk.io.direction"] == "write")
            .map(|point| point.value)
            .sum()
    };
    let before = written();
    // Noise, so that no file system makes it smaller.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .take(SIZE / 8)
    .flatten()
    .collect();
    let mut file = tempfile::NamedTempFile::new_in(folder).unwrap();
    file.write_all(&noise).unwrap();
    file.as_file().sync_all().unwrap();
    // A collection in the freshness window of the one before sees its reading.
    let (started, mut after) = (Instant::now(), written());
    while after - before < SIZE as f64 {
        assert!(started.elapsed() < Duration::from_secs(30), "{before} {after}");
        after = written();
    }
}

#[test]
fn a_recorded_machine_is_told_completely() {
    use Instrument::{Counter, UpDownCounter};
    let pipeline = pipeline(|options| {
        options.root_path = Some(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/full").into());
        options.disk.limit = true;
    });
    let collection = pipeline.collect();
    for (name, unit, instrument, integer, direction, value) in [
        ("system.disk.io", "By", Counter, true, Some("read"), 71_223_310.0 * 512.0),
        ("system.disk.io", "By", Counter, true, Some("write"), 99_120_334.0 * 512.0),
        ("system.disk.operations", "{operation}", Counter, true, Some("write"), 1_442_018.0),
        ("system.disk.operation_time", "s", Counter, false, Some("read"), 310.22),
        ("system.disk.merged", "{operation}", Counter, true, Some("write"), 228_120.0),
        ("system.disk.io_time", "s", Counter, false, None, 611.204),
        ("system.disk.limit", "By", UpDownCounter, true, None, 1_953_525_168.0 * 512.0),
    ] {
        let metric = collection.metric(name).unwrap();
        assert_eq!((&*metric.unit, metric.instrument, metric.integer), (unit, instrument, integer), "{name}");
        let mut attributes = vec![("system.device", "nvme0n1")];
        attributes.extend(direction.map(|direction| ("disk.io.direction", direction)));
        assert_eq!(collection.value(name, &attributes), Some(value), "{name}");
        assert_eq!(metric.points.len(), if direction.is_some() { 6 } else { 3 }, "{name}");
    }
}
