//! File systems against `df`.
#![cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

use otel_vitals_core::SourceContext;
use otel_vitals_host::{Filter, HostOptions};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};
use test_harness::{Collection, InMemory, Instrument};

/// How long what is seen may be another than what `df` says, because others write.
const PATIENCE: Duration = Duration::from_secs(5);
const STATES: [&str; 3] = ["used", "free", "reserved"];

fn pipeline(freshness: Duration, change: impl FnOnce(&mut HostOptions)) -> InMemory {
    let pipeline = InMemory::new();
    let meter = pipeline.meter("host");
    let mut options = HostOptions::default();
    options.filesystem.limit = true;
    change(&mut options);
    otel_vitals_host::register(&meter, &SourceContext::new(&meter, freshness), &options);
    pipeline
}

/// Values by state, of each mount point.
fn by_state(collection: &Collection, metric: &str) -> BTreeMap<String, BTreeMap<String, f64>> {
    let mut mounts: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    let points = collection.metric(metric).map(|metric| &metric.points[..]).unwrap_or_default();
    for point in points {
        let text = |key: &str| point.attributes[key].clone();
        let mount = mounts.entry(text("system.filesystem.mountpoint")).or_default();
        mount.insert(text("system.filesystem.state"), point.value);
    }
    mounts
}

/// What `df` says of one file system.
#[derive(Clone, Debug, PartialEq)]
struct Df {
    source: String,
    kind: String,
    point: String,
    size: f64,
    used: f64,
    available: f64,
}

/// The lines of `df`, those that are whole; none where there is no GNU `df`.
fn df(arguments: &[&str]) -> Vec<Df> {
    let columns = ["-B1", "--output=source,fstype,size,used,avail,target"];
    let Ok(output) = Command::new("df").args(columns).args(arguments).output() else { return Vec::new() };
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [source, kind, size, used, available, point] = words[..] else { return None };
        let number = |word: &str| word.parse::<f64>().ok();
        let [source, kind, point] = [source, kind, point].map(str::to_owned);
        Some(Df {
            source,
            kind,
            point,
            size: number(size)?,
            used: number(used)?,
            available: number(available)?,
        })
    };
    String::from_utf8_lossy(&output.stdout).lines().skip(1).filter_map(line).collect()
}

#[test]
fn every_file_system_is_what_df_says() {
    // Of every type, so that there is something to compare on any machine.
    let everything = |options: &mut HostOptions| options.filesystem.types = Filter::new(["*"], [""; 0]);
    let pipeline = pipeline(Duration::ZERO, everything);
    let mut compared = Vec::new();
    for point in by_state(&pipeline.collect(), "system.filesystem.usage").into_keys() {
        let started = Instant::now();
        loop {
            let before = df(&["--", &point]);
            let collection = pipeline.collect();
            let (before, after) = (before.first(), df(&["--", &point]).first().cloned());
            let (Some(before), Some(after)) = (before, after) else { break };
            let seen = &by_state(&collection, "system.filesystem.usage")[&point];
            assert_eq!(STATES.iter().map(|state| seen[*state]).sum::<f64>(), before.size, "{point}");
            // Others write too: compared until it is the same or, if that never comes, nearly.
            let slack = if started.elapsed() > PATIENCE { f64::from(1 << 30) } else { 0.0 };
            let is_near = |seen: f64, told: [f64; 2]| told.iter().any(|told| (seen - told).abs() <= slack);
            if is_near(seen["used"], [before.used, after.used])
                && is_near(seen["free"], [before.available, after.available])
            {
                compared.push(point);
                break;
            }
            assert!(slack == 0.0, "{seen:?} {before:?} {after:?}");
        }
    }
    println!("compared with df: {compared:?}");
}

#[test]
fn by_default_every_disk_that_df_lists_is_shown_once() {
    let collection = pipeline(Duration::ZERO, |_| {}).collect();
    let points =
        collection.metric("system.filesystem.limit").map(|metric| &metric.points[..]).unwrap_or_default();
    let mut shown: Vec<&str> =
        points.iter().filter_map(|point| Some(point.attributes.get("system.device")?.as_str())).collect();
    for disk in df(&["--local"]) {
        let is_image = ["squashfs", "iso9660", "erofs"].contains(&disk.kind.as_str());
        // Files that a container runtime mounts are not shown as disks.
        if disk.source.starts_with("/dev/") && !is_image && !disk.point.starts_with("/etc/") {
            assert!(shown.contains(&disk.source.as_str()), "{disk:?} is not in {shown:?}");
        }
    }
    shown.retain(|device| device.starts_with("/dev/"));
    let all = shown.len();
    shown.sort_unstable();
    shown.dedup();
    assert_eq!(shown.len(), all);
}

#[test]
fn fractions_and_states_sum_up() {
    let pipeline = pipeline(Duration::from_secs(60), |_| {});
    let collection = pipeline.collect();
    let (bytes, fractions) = (
        by_state(&collection, "system.filesystem.usage"),
        by_state(&collection, "system.filesystem.utilization"),
    );
    assert!(bytes.keys().eq(fractions.keys()));
    let limits =
        collection.metric("system.filesystem.limit").map(|metric| &metric.points[..]).unwrap_or_default();
    assert_eq!(limits.len(), bytes.len());
    for limit in limits {
        let point = &limit.attributes["system.filesystem.mountpoint"];
        assert_eq!(bytes[point].values().sum::<f64>(), limit.value, "{point}");
        for state in STATES {
            assert_eq!(fractions[point][state], bytes[point][state] / limit.value, "{point} {state}");
        }
    }
}

#[test]
fn a_recorded_machine_is_told_completely() {
    use Instrument::{Gauge, UpDownCounter};
    let collection = pipeline(Duration::ZERO, |options| {
        options.root_path = Some(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/full").into());
    })
    .collect();
    for (name, unit, instrument, integer, states) in [
        ("system.filesystem.usage", "By", UpDownCounter, true, &STATES[..]),
        ("system.filesystem.utilization", "1", Gauge, false, &STATES),
        ("system.filesystem.limit", "By", UpDownCounter, true, &[]),
    ] {
        let metric = collection.metric(name).unwrap();
        assert_eq!((&*metric.unit, metric.instrument, metric.integer), (unit, instrument, integer), "{name}");
        assert_eq!(metric.points.len(), 2 * states.len().max(1), "{name}");
        for (device, kind, mode, point) in
            [("/dev/mapper/vg-root", "ext4", "rw", "/"), ("/dev/sda1", "xfs", "ro", "/srv/data")]
        {
            let described = [
                ("system.device", device),
                ("system.filesystem.type", kind),
                ("system.filesystem.mode", mode),
                ("system.filesystem.mountpoint", point),
            ];
            let states = states.iter().map(|state| Some(("system.filesystem.state", *state)));
            let states: Vec<_> = if states.len() == 0 { vec![None] } else { states.collect() };
            for state in states {
                let attributes: Vec<_> = described.into_iter().chain(state).collect();
                assert!(collection.value(name, &attributes).is_some(), "{name} {attributes:?}");
            }
        }
    }
}
