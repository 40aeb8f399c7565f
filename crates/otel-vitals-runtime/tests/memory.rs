//! Memory is what the process holds. One test: another one beside it would hold some of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(target_os = "linux")]

use otel_vitals_core::SourceContext;
use otel_vitals_runtime::ProcessOptions;
use std::fs;
use std::time::Duration;
use test_harness::InMemory;

const SIZE: usize = 64 << 20;
/// The pipeline's own memory, and what the kernel keeps per CPU and has not added up yet.
const SLACK: f64 = (4 << 20) as f64;

#[test]
fn memory_grows_by_what_is_touched_and_shrinks_by_what_is_freed() {
    let pipeline = InMemory::new();
    let meter = pipeline.meter("truth");
    let mut options = ProcessOptions::default();
    options.memory_utilization = true;
    otel_vitals_runtime::register(&meter, &SourceContext::new(&meter, Duration::ZERO), &options);
    let _warm = pipeline.collect();

    let before = checked(&pipeline);
    let touched = std::hint::black_box(vec![1u8; SIZE]);
    let held = checked(&pipeline);
    drop(touched);
    let after = checked(&pipeline);
    for (name, ((before, held), after)) in METRICS.iter().zip(before.into_iter().zip(held).zip(after)) {
        assert!((held - before - SIZE as f64).abs() <= SLACK, "{name}: {before} {held}");
        assert!((held - after - SIZE as f64).abs() <= SLACK, "{name}: {held} {after}");
    }
}

const METRICS: [&str; 2] = ["process.memory.usage", "process.memory.virtual"];

/// The values of [`METRICS`], which `/proc/self/status` and `/proc/meminfo` have confirmed.
fn checked(pipeline: &InMemory) -> [f64; 2] {
    let collection = pipeline.collect();
    let values = METRICS.map(|name| collection.value(name, &[]).unwrap());
    let expected = ["VmRSS", "VmSize"].map(|key| kilobytes("/proc/self/status", key) * 1024.0);
    for ((name, value), expected) in METRICS.iter().zip(values).zip(expected) {
        assert!((value - expected).abs() <= SLACK, "{name}: {value} {expected}");
    }
    let [usage, _] = values;
    let total = kilobytes("/proc/meminfo", "MemTotal") * 1024.0;
    let utilization = collection.value("process.memory.utilization", &[]).unwrap();
    assert!((utilization * total - usage).abs() <= SLACK, "{utilization} {total} {usage}");
    values
}

fn kilobytes(path: &str, key: &str) -> f64 {
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}
