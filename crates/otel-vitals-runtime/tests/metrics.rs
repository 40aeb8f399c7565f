//! What the group declares: names, units, kinds, types and attributes of the semantic conventions 1.44.0.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(any(target_os = "linux", target_os = "macos"))]

use otel_vitals_core::SourceContext;
use otel_vitals_runtime::ProcessOptions;
use std::collections::BTreeSet;
use std::time::Duration;
use test_harness::{Collection, InMemory, Instrument, Instrument::*};

type Expected = (&'static str, Instrument, &'static str, Type, &'static str, &'static [&'static str]);

#[derive(Debug, PartialEq)]
enum Type {
    Int,
    Double,
}
use Type::*;

const USAGE: [Expected; 3] = [
    (
        "process.context_switches",
        Counter,
        "{context_switch}",
        Int,
        "process.context_switch.type",
        &["voluntary", "involuntary"],
    ),
    ("process.cpu.time", Counter, "s", Double, "cpu.mode", &["user", "system"]),
    ("process.paging.faults", Counter, "{fault}", Int, "system.paging.fault.type", &["major", "minor"]),
];
const EVERYWHERE: [Expected; 5] = [
    ("process.disk.io", Counter, "By", Int, "disk.io.direction", &["read", "write"]),
    ("process.memory.usage", UpDownCounter, "By", Int, "", &[]),
    ("process.memory.virtual", UpDownCounter, "By", Int, "", &[]),
    ("process.unix.file_descriptor.count", UpDownCounter, "{file_descriptor}", Int, "", &[]),
    ("process.uptime", Gauge, "s", Double, "", &[]),
];
const THREADS: Expected = ("process.thread.count", UpDownCounter, "{thread}", Int, "", &[]);
const OPT_IN: [Expected; 2] = [
    ("process.cpu.utilization", Gauge, "1", Double, "cpu.mode", &["user", "system"]),
    ("process.memory.utilization", Gauge, "1", Double, "", &[]),
];
const OPT_IN_LINUX: [Expected; 2] = [
    ("process.disk.operations", Counter, "{operation}", Int, "disk.io.direction", &["read", "write"]),
    ("process.signals_pending", UpDownCounter, "{signal}", Int, "", &[]),
];

const LINUX_ROOMS: bool = cfg!(all(target_os = "linux", not(otel_vitals_portable)));

fn collect(options: &ProcessOptions) -> Collection {
    let pipeline = InMemory::new();
    let meter = pipeline.provider();
    let meter = opentelemetry::metrics::MeterProvider::meter_with_scope(meter, otel_vitals_runtime::scope());
    let context = SourceContext::new(&meter, Duration::ZERO);
    otel_vitals_runtime::register(&meter, &context, options);
    let _first = pipeline.collect();
    pipeline.collect()
}

#[track_caller]
fn assert_exactly(collection: &Collection, expected: &[&Expected]) {
    let mut names: Vec<_> = expected.iter().map(|expected| expected.0).collect();
    names.sort_unstable();
    let collected: Vec<_> =
        collection.names().into_iter().filter(|name| name.starts_with("process.")).collect();
    assert_eq!(collected, names);
    for (name, instrument, unit, value, key, values) in expected {
        let metric = collection.metric(name).unwrap();
        assert_eq!(metric.scope, "otel-vitals-runtime");
        assert_eq!((metric.instrument, &*metric.unit), (*instrument, *unit), "{name}");
        assert_eq!(metric.integer, *value == Int, "{name}");
        assert!(metric.description.ends_with('.'), "{name}");
        let sets: Vec<_> = metric.points.iter().map(|point| point.attributes.clone()).collect();
        assert_eq!(sets.len(), values.len().max(1), "{name}: {sets:?}");
        assert!(sets.iter().all(|set| set.len() == usize::from(!key.is_empty())), "{name}: {sets:?}");
        let seen: BTreeSet<_> = sets.iter().filter_map(|set| set.get(*key)).map(String::as_str).collect();
        assert_eq!(seen, values.iter().copied().collect(), "{name}");
    }
    let errors = collection.metric("otel_vitals.source.errors").unwrap();
    assert!(errors.points.iter().all(|point| point.value == 0.0), "{:?}", errors.points);
}

#[test]
fn by_default_everything_recommended_and_nothing_opt_in() {
    let mut expected: Vec<_> = USAGE.iter().chain(&EVERYWHERE).collect();
    expected.extend(LINUX_ROOMS.then_some(&THREADS));
    assert_exactly(&collect(&ProcessOptions::default()), &expected);
}

#[test]
fn with_every_option_everything() {
    let mut options = ProcessOptions::default();
    options.cpu_utilization = true;
    options.memory_utilization = true;
    options.signals_pending = true;
    options.disk_operations = true;
    let mut expected: Vec<_> = USAGE.iter().chain(&EVERYWHERE).chain(&OPT_IN).collect();
    if LINUX_ROOMS {
        expected.push(&THREADS);
        expected.extend(&OPT_IN_LINUX);
    }
    assert_exactly(&collect(&options), &expected);
}

#[test]
fn a_group_turned_off_declares_nothing() {
    let mut options = ProcessOptions::default();
    options.enabled = false;
    assert_eq!(collect(&options).names(), Vec::<&str>::new());
}

#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#[test]
fn every_source_goes_by_its_name() {
    let mut options = ProcessOptions::default();
    options.signals_pending = true;
    let collection = collect(&options);
    let errors = &collection.metric("otel_vitals.source.errors").unwrap().points;
    let names: BTreeSet<_> = errors.iter().map(|point| &*point.attributes["otel_vitals.source"]).collect();
    let expected = ["usage", "memory", "disk", "descriptors", "threads", "uptime", "signals"];
    assert_eq!(names, expected.map(|name| format!("process.{name}")).iter().map(String::as_str).collect());
}
