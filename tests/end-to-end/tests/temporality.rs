//! Cumulative, delta and low-memory temporality.

use end_to_end::received::{Export, Point, Temporality};
use end_to_end::{Collector, procfs};
use std::ops::Range;

use crate::programs::told;

const PREFERENCE: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";

/// Counts 12 in three exports, the last of them at shutdown. Gives everything that arrived, and the CPU time of the
/// subject before and after.
fn count_twelve(preference: &str) -> Option<(Vec<Export>, Range<f64>)> {
    let mut collector = Collector::start()?;
    let mut subject = told().grpc(collector.grpc()).env(PREFERENCE, preference).start();
    for commands in [["count 3", "flush"], ["count 4", "flush"], ["count 4", "count 1"]] {
        subject.tell("burn 50").ok();
        for command in commands {
            subject.tell(command).ok();
        }
    }
    let before = procfs::cpu_time(subject.pid());
    let took = subject.tell("shutdown").ok().took;
    let exports = collector.wait_for("the last count", |exports| {
        let mut sums = exports.iter().filter_map(|export| export.sum("subject.count"));
        let counted: f64 = if preference == "cumulative" { sums.next_back()? } else { sums.sum() };
        (counted == 12.0).then(|| exports.to_vec())
    });
    Some((exports, before.as_secs_f64()..(before + took * 2).as_secs_f64()))
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
    let Some((exports, cpu_time)) = count_twelve("delta") else { return };
    let counts = points(&exports, "subject.count", Temporality::Delta);
    assert_eq!(counts.iter().map(|point| point.value).sum::<f64>(), 12.0);
    for pair in counts.windows(2) {
        assert!(pair[0].time <= pair[1].start, "{pair:?} overlap");
    }
    // What the library watches adds up to what the kernel says.
    let spent = points(&exports, "process.cpu.time", Temporality::Delta);
    let spent: f64 = spent.iter().map(|point| point.value).sum();
    assert!(cpu_time.start - 0.03 <= spent && spent <= cpu_time.end + 0.03, "{spent} is not in {cpu_time:?}");
    points(&exports, "otel_vitals.source.read.duration", Temporality::Delta);
    // Counted since the start of the process, so that the first export has what was allocated before it.
    let sum =
        |name| -> f64 { points(&exports, name, Temporality::Delta).iter().map(|point| point.value).sum() };
    let used = points(&exports, "rust.memory.used", Temporality::Cumulative);
    let used = used.last().unwrap().value;
    assert_eq!(sum("rust.memory.allocated") - sum("rust.memory.freed"), used);
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
