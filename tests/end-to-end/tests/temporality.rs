//! Cumulative, delta and low-memory temporality.

use end_to_end::received::{Export, Point, Temporality};
use end_to_end::{Collector, Subject, procfs};
use std::time::Duration;

use crate::programs::plain;

const PREFERENCE: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";

/// Counts 12 in three exports and shuts down; gives everything that arrived.
fn count_twelve(preference: &str) -> Option<(Vec<Export>, Subject, Duration)> {
    let mut collector = Collector::start()?;
    let mut subject = plain().grpc(collector.grpc()).env(PREFERENCE, preference).start();
    for count in ["count 3", "count 4", "count 5"] {
        subject.tell(count).ok();
        subject.tell("burn 50").ok();
        subject.tell("flush").ok();
    }
    let before = procfs::cpu_time(subject.pid());
    subject.tell("shutdown").ok();
    let last = collector.wait_for("the last count", |exports| {
        let sums = exports.iter().filter_map(|export| export.sum("subject.count"));
        let all: f64 = if preference == "cumulative" { sums.last()? } else { sums.sum() };
        (all >= 12.0).then(|| exports.to_vec())
    });
    // The last export may hold more than the last count.
    let exports = collector.wait_for("the export at shutdown", |exports| {
        (exports.len() >= last.len()).then(|| exports.to_vec())
    });
    Some((exports, subject, before))
}

fn points<'a>(exports: &'a [Export], name: &str, temporality: Temporality) -> Vec<&'a Point> {
    let metrics = exports.iter().filter_map(|export| export.metric(name));
    let points = metrics.flat_map(|metric| {
        assert_eq!(metric.temporality, Some(temporality), "{name}");
        metric.points.iter()
    });
    points.collect()
}

#[test]
fn cumulative_sums_grow_from_one_start() {
    let Some((exports, ..)) = count_twelve("cumulative") else { return };
    let counts = points(&exports, "subject.count", Temporality::Cumulative);
    assert_eq!(counts.last().unwrap().value, 12.0);
    assert!(counts.is_sorted_by_key(|point| point.value), "{counts:?}");
    assert!(counts.iter().all(|point| point.start == counts[0].start), "{counts:?}");
    for name in ["process.cpu.time", "process.memory.usage", "otel_vitals.source.read.duration"] {
        assert!(!points(&exports, name, Temporality::Cumulative).is_empty(), "{name}");
    }
}

#[test]
fn deltas_add_up_to_the_whole() {
    let Some((exports, subject, before)) = count_twelve("delta") else { return };
    let counts = points(&exports, "subject.count", Temporality::Delta);
    assert_eq!(counts.iter().map(|point| point.value).sum::<f64>(), 12.0);
    for pair in counts.windows(2) {
        assert!(pair[0].time <= pair[1].start, "{pair:?} overlap");
    }
    // What the library watches adds up to what the kernel says, in ticks of 10 ms and two modes.
    let spent: f64 =
        points(&exports, "process.cpu.time", Temporality::Delta).iter().map(|point| point.value).sum();
    let after = procfs::cpu_time(subject.pid()).as_secs_f64();
    let before = before.as_secs_f64();
    assert!(before - 0.03 <= spent && spent <= after + 0.03, "{spent} is not from {before} to {after}");
    points(&exports, "otel_vitals.source.read.duration", Temporality::Delta);
    // What may fall is always told whole.
    assert!(!points(&exports, "process.memory.usage", Temporality::Cumulative).is_empty());
}

#[test]
fn low_memory_remembers_only_what_is_observed() {
    let Some((exports, ..)) = count_twelve("lowmemory") else { return };
    let counts = points(&exports, "subject.count", Temporality::Delta);
    assert_eq!(counts.iter().map(|point| point.value).sum::<f64>(), 12.0);
    assert!(!points(&exports, "process.cpu.time", Temporality::Cumulative).is_empty());
    assert!(!points(&exports, "process.memory.usage", Temporality::Cumulative).is_empty());
    points(&exports, "otel_vitals.source.read.duration", Temporality::Delta);
}
