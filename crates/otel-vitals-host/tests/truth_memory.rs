//! Memory and paging against independent readings of this machine.
#![cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

use otel_vitals_core::SourceContext;
use otel_vitals_host::HostOptions;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};
use test_harness::{Collection, InMemory};

/// Other programs come and go: a comparison may be off by this much, and is repeated for so long.
const SLACK: f64 = 64.0 * 1024.0 * 1024.0;
const DEADLINE: Duration = Duration::from_secs(60);

fn pipeline(change: impl FnOnce(&mut HostOptions)) -> InMemory {
    let pipeline = InMemory::new();
    let meter = pipeline.meter("host");
    let mut options = HostOptions::default();
    change(&mut options);
    otel_vitals_host::register(&meter, &SourceContext::new(&meter, Duration::ZERO), &options);
    pipeline
}

fn state(collection: &Collection, metric: &str, state: &str) -> f64 {
    collection.value(metric, &[("system.memory.state", state)]).unwrap()
}

/// Collects until what is seen lies between two `readings` of another kind, one before and one after.
fn agree<const N: usize>(
    pipeline: &InMemory,
    readings: impl Fn() -> [f64; N],
    seen: impl Fn(&Collection) -> [f64; N],
) {
    let started = Instant::now();
    loop {
        let before = readings();
        let seen = seen(&pipeline.collect());
        let after = readings();
        let between = |at: usize| {
            let (low, high) = (before[at].min(after[at]), before[at].max(after[at]));
            (low - SLACK..=high + SLACK).contains(&seen[at])
        };
        if (0..N).all(between) {
            return;
        }
        assert!(started.elapsed() < DEADLINE, "{before:?} {seen:?} {after:?}");
    }
}

/// `/proc/meminfo` by the standard library, in bytes.
fn meminfo(keys: [&str; 8]) -> [f64; 8] {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let lines: BTreeMap<&str, f64> = text
        .lines()
        .filter_map(|line| {
            let (key, rest) = line.split_once(':')?;
            Some((key, rest.trim().strip_suffix(" kB")?.parse::<f64>().ok()? * 1024.0))
        })
        .collect();
    keys.map(|key| lines[key])
}

#[test]
fn memory_is_what_the_kernel_says() {
    let pipeline = pipeline(|options| (options.memory.limit, options.memory.shared) = (true, true));
    let keys =
        ["MemTotal", "MemFree", "Buffers", "Cached", "SReclaimable", "SUnreclaim", "MemAvailable", "Shmem"];
    let readings = || {
        let [total, free, buffers, cached, reclaimable, unreclaimable, available, shared] = meminfo(keys);
        [total, free, buffers, cached + reclaimable, reclaimable, unreclaimable, available, shared]
    };
    agree(&pipeline, readings, |collection| {
        let slab = |state| {
            let attributes = [("system.memory.linux.slab.state", state)];
            collection.value("system.memory.linux.slab.usage", &attributes).unwrap()
        };
        [
            collection.sum("system.memory.usage").unwrap(),
            state(collection, "system.memory.usage", "free"),
            state(collection, "system.memory.usage", "buffers"),
            state(collection, "system.memory.usage", "cached"),
            slab("reclaimable"),
            slab("unreclaimable"),
            collection.sum("system.memory.linux.available").unwrap(),
            collection.sum("system.memory.linux.shared").unwrap(),
        ]
    });
    let collection = pipeline.collect();
    let limit = collection.sum("system.memory.limit");
    assert_eq!(limit, Some(meminfo(keys)[0]));
    assert_eq!(collection.sum("system.memory.usage"), limit);
    let shares = collection.sum("system.memory.utilization").unwrap();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");
}

#[test]
fn memory_is_what_free_prints() {
    // total used free shared buffers cache available
    let free = || {
        let output = Command::new("free").args(["--bytes", "--wide"]).output().ok()?;
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("Mem:"))?.to_owned();
        let columns: Vec<f64> = line.split_whitespace().map(|column| column.parse().unwrap()).collect();
        Some([columns[0], columns[2], columns[4], columns[5], columns[6]])
    };
    if free().is_none() {
        println!("free is not there to compare with (package procps)");
        return;
    }
    agree(
        &pipeline(|_| {}),
        || free().unwrap(),
        |collection| {
            [
                collection.sum("system.memory.usage").unwrap(),
                state(collection, "system.memory.usage", "free"),
                state(collection, "system.memory.usage", "buffers"),
                state(collection, "system.memory.usage", "cached"),
                collection.sum("system.memory.linux.available").unwrap(),
            ]
        },
    );
}

#[test]
fn huge_pages_are_what_the_kernel_says() {
    let collection = pipeline(|options| options.memory.hugepages = true).collect();
    let read = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().parse::<f64>().unwrap());
    let limit = collection.sum("system.memory.linux.hugepages.limit");
    let Some(size) = collection.sum("system.memory.linux.hugepages.page_size") else {
        assert_eq!((limit, read("/proc/sys/vm/nr_hugepages")), (None, None), "a kernel without huge pages");
        return;
    };
    // The pool of the default size, by another path.
    let pool = format!("/sys/kernel/mm/hugepages/hugepages-{}kB", size / 1024.0);
    for (metric, file) in
        [("limit", "nr_hugepages"), ("reserved", "resv_hugepages"), ("surplus", "surplus_hugepages")]
    {
        let value = collection.sum(&format!("system.memory.linux.hugepages.{metric}"));
        assert_eq!(value, read(&format!("{pool}/{file}")), "{metric}");
    }
    let free = [("system.memory.linux.hugepages.state", "free")];
    let seen = collection.value("system.memory.linux.hugepages.usage", &free);
    assert_eq!(seen, read(&format!("{pool}/free_hugepages")));
}

#[test]
fn faults_of_this_process_are_among_all_faults() {
    let pipeline = pipeline(|_| {});
    let minor = || {
        pipeline.collect().value("system.paging.faults", &[("system.paging.fault.type", "minor")]).unwrap()
    };
    // Minor and major faults of this process, fields 10 and 12.
    let own = || {
        let text = fs::read_to_string("/proc/self/stat").unwrap();
        let (_, after_name) = text.rsplit_once(')').unwrap();
        after_name.split_whitespace().nth(7).unwrap().parse::<f64>().unwrap()
    };
    let (before, own_before) = (minor(), own());
    // Huge pages may make the faults few, but never none.
    let touched = vec![1_u8; 64 << 20];
    let (own_after, after) = (own(), minor());
    assert!(std::hint::black_box(touched).len() == 64 << 20);
    assert!(own_after - own_before >= 16.0, "{own_before} {own_after}");
    assert!(after - before >= own_after - own_before, "{before} {after} {own_before} {own_after}");
}

#[test]
fn paging_is_what_the_kernel_counts() {
    let pipeline = pipeline(|_| {});
    let vmstat = |key: &str| -> f64 {
        let text = fs::read_to_string("/proc/vmstat").unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        value.unwrap().parse().unwrap()
    };
    let major = ("system.paging.fault.type", "major");
    for (metric, attributes, key) in [
        ("system.paging.faults", vec![major], "pgmajfault"),
        ("system.paging.operations", vec![major, ("system.paging.direction", "in")], "pswpin"),
        ("system.paging.operations", vec![major, ("system.paging.direction", "out")], "pswpout"),
    ] {
        let before = vmstat(key);
        let value = pipeline.collect().value(metric, &attributes).unwrap();
        let after = vmstat(key);
        assert!(before <= value && value <= after, "{key}: {before} {value} {after}");
    }
}

#[test]
fn swap_is_there_when_the_machine_has_it() {
    let collection = pipeline(|_| {}).collect();
    let swaps = fs::read_to_string("/proc/swaps").unwrap();
    let devices = swaps.lines().skip(1).count();
    let points = |name: &str| collection.metric(name).map_or(0, |metric| metric.points.len());
    assert_eq!(points("system.paging.usage"), devices * 2);
    assert_eq!(points("system.paging.utilization"), devices * 2);
    let total: f64 = meminfo(["SwapTotal"; 8])[0];
    assert_eq!(collection.sum("system.paging.usage").unwrap_or_default(), total);
}
