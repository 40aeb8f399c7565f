//! The collector goes away and comes back.

use end_to_end::received::{Export, Metric, Point};
use end_to_end::{Collector, Launch, Subject, procfs, wait_until};

use crate::programs::plain;

/// Exports that fail while it is looked how much a subject grows, each of some 30 KiB.
const FAILURES: u64 = 60;
/// How much it may grow meanwhile, which is less than a third of what they have: nothing is kept but the counters.
const GROWTH: u64 = 512 << 10;

#[test]
fn nothing_is_lost_over_grpc() {
    let Some(collector) = Collector::start() else { return };
    let launch = plain().grpc(collector.grpc());
    nothing_is_lost(collector, launch);
}

#[test]
fn nothing_is_lost_over_http() {
    let Some(collector) = Collector::start() else { return };
    let launch = plain().http(collector.http());
    nothing_is_lost(collector, launch);
}

fn nothing_is_lost(mut collector: Collector, launch: Launch) {
    // Short, so that time is not spent on trying again.
    let launch = launch.env("OTEL_EXPORTER_OTLP_TIMEOUT", "300");
    // Nor memory on samples of the heap, whose tables are touched as samples come.
    let mut subject = launch.env("VITALS_PROFILING_HEAP_ENABLED", "false").start();
    subject.tell("count 5").ok();
    let before = collector.wait_for("the first count", |exports| counted(exports, 5.0));

    collector.kill();
    subject.tell("count 7").ok();
    wait_until("an export that fails", || subject.tell("flush").error);
    let memory = procfs::anonymous(subject.pid());
    for _ in 0..FAILURES {
        assert!(subject.tell("flush").error.is_some(), "there is a collector");
    }
    let grown = procfs::anonymous(subject.pid()).saturating_sub(memory);
    println!("grew by {grown} bytes from {memory} while the collector was away");
    assert!(grown <= GROWTH, "grew by {grown} bytes while the collector was away");
    subject.tell("burn 30").ok();

    collector.restart();
    let after = collector.wait_for("the count after the outage", |exports| counted(exports, 12.0));
    for metric in after.metrics.iter().filter(|metric| metric.instrument == "counter") {
        let Some(earlier) = before.metric(&metric.name) else { continue };
        assert_continues(earlier, metric);
    }
    let spent = |export: &Export| export.sum("process.cpu.time").unwrap();
    assert!(spent(&after) >= spent(&before) + 0.02, "the time burnt during the outage is lost");
    // Whatever could not be exported was collected all the same: each collection reads every source.
    let reads = |export: &Export| {
        let metric = export.metric("otel_vitals.source.read.duration").unwrap();
        metric.points.iter().filter_map(|point| point.count).min().unwrap()
    };
    let collections = reads(&after) - reads(&before);
    assert!(collections >= FAILURES, "{collections} collections during the outage");
    shut_down(&mut subject);
}

/// Whether the last export is answered in the short time that it has here depends on the machine.
fn shut_down(subject: &mut Subject) {
    let answer = subject.tell("shutdown");
    assert!(answer.error.is_none() || answer.is("Timeout") || answer.is("Export"), "{answer:?}");
    assert!(subject.finish().success());
}

/// A collector that hangs is as good as none while it lasts, and does no harm after.
#[test]
fn a_frozen_collector_thaws() {
    let Some(mut collector) = Collector::start() else { return };
    let mut subject = plain().grpc(collector.grpc()).env("OTEL_METRIC_EXPORT_TIMEOUT", "300").start();
    subject.tell("count 5").ok();
    collector.wait_for("the first count", |exports| counted(exports, 5.0));
    collector.freeze();
    subject.tell("count 7").ok();
    for _ in 0..5 {
        let answer = subject.tell("flush");
        assert!(answer.is("Timeout") || answer.is("Export"), "{answer:?}");
    }
    collector.thaw();
    collector.wait_for("the count after the frost", |exports| counted(exports, 12.0));
    wait_until("a flush that is answered", || subject.tell("flush").error.is_none().then_some(()));
    shut_down(&mut subject);
}

/// The latest export if the subject's counter is at `value` in it.
fn counted(exports: &[Export], value: f64) -> Option<Export> {
    let last = exports.last()?;
    (last.sum("subject.count") == Some(value)).then(|| last.clone())
}

/// Every series goes on from where it was, from the same start.
fn assert_continues(earlier: &Metric, later: &Metric) {
    let name = &later.name;
    for point in &earlier.points {
        let same = |candidate: &&Point| candidate.attributes == point.attributes;
        let next = later.points.iter().find(same);
        let next = next.unwrap_or_else(|| panic!("{name} lost its series {:?}", point.attributes));
        assert_eq!(next.start, point.start, "{name} starts anew");
        assert!(next.value >= point.value, "{name} fell from {} to {}", point.value, next.value);
    }
}
