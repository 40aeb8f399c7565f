//! What the groups declare: names, units, kinds, types and attributes of the semantic conventions 1.44.0 and of our own.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(any(target_os = "linux", target_os = "macos"))]

use opentelemetry::metrics::{Meter, MeterProvider as _};
use otel_vitals_core::SourceContext;
use otel_vitals_runtime::{AllocatorOptions, ProcessOptions};
use std::collections::BTreeSet;
use std::time::Duration;
use test_harness::{Collection, InMemory, Instrument, Instrument::*};

#[global_allocator]
static ALLOCATOR: otel_vitals_alloc::Counting = otel_vitals_alloc::Counting::system();

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
const WAIT: Expected = ("linux.scheduler.wait.time", Counter, "s", Double, "", &[]);
const OPT_IN: [Expected; 2] = [
    ("process.cpu.utilization", Gauge, "1", Double, "cpu.mode", &["user", "system"]),
    ("process.memory.utilization", Gauge, "1", Double, "", &[]),
];
const OPT_IN_LINUX: [Expected; 2] = [
    ("process.disk.operations", Counter, "{operation}", Int, "disk.io.direction", &["read", "write"]),
    ("process.signals_pending", UpDownCounter, "{signal}", Int, "", &[]),
];

const MEMORY: [Expected; 7] = [
    ("rust.memory.allocated", Counter, "By", Int, "", &[]),
    ("rust.memory.allocations", Counter, "{allocation}", Int, "", &[]),
    ("rust.memory.deallocations", Counter, "{deallocation}", Int, "", &[]),
    ("rust.memory.freed", Counter, "By", Int, "", &[]),
    ("rust.memory.object.count", UpDownCounter, "{object}", Int, "", &[]),
    ("rust.memory.reallocations", Counter, "{reallocation}", Int, "", &[]),
    ("rust.memory.used", UpDownCounter, "By", Int, "", &[]),
];
#[cfg(feature = "size-classes")]
const BY_SIZE: [Expected; 2] = [
    ("rust.memory.size_class.allocations", Counter, "{allocation}", Int, "rust.memory.size_class", &BOUNDS),
    (
        "rust.memory.size_class.deallocations",
        Counter,
        "{deallocation}",
        Int,
        "rust.memory.size_class",
        &BOUNDS,
    ),
];
/// The classes of Go 1.26, and what is larger.
#[cfg(feature = "size-classes")]
#[rustfmt::skip]
const BOUNDS: [&str; 68] = [
    "8", "16", "24", "32", "48", "64", "80", "96", "112", "128", "144", "160", "176", "192", "208", "224", "240", "256",
    "288", "320", "352", "384", "416", "448", "480", "512", "576", "640", "704", "768", "896", "1024", "1152", "1280",
    "1408", "1536", "1792", "2048", "2304", "2688", "3072", "3200", "3456", "4096", "4864", "5376", "6144", "6528",
    "6784", "6912", "8192", "9472", "9728", "10240", "10880", "12288", "13568", "14336", "16384", "18432", "19072",
    "20480", "21760", "24576", "27264", "28672", "32768", "+Inf",
];

const LINUX_ROOMS: bool = cfg!(all(target_os = "linux", not(otel_vitals_portable)));

fn collect(options: &ProcessOptions) -> Collection {
    collected(|meter, context| otel_vitals_runtime::register(meter, context, options))
}

fn collect_allocator(options: &AllocatorOptions) -> Collection {
    collected(|meter, context| otel_vitals_runtime::register_allocator(meter, context, options))
}

fn collected(register: impl FnOnce(&Meter, &SourceContext)) -> Collection {
    let pipeline = InMemory::new();
    let meter = pipeline.provider().meter_with_scope(otel_vitals_runtime::scope());
    register(&meter, &SourceContext::new(&meter, Duration::ZERO));
    let _first = pipeline.collect();
    pipeline.collect()
}

#[track_caller]
fn assert_exactly(collection: &Collection, expected: &[&Expected]) {
    let mut names: Vec<_> = expected.iter().map(|expected| expected.0).collect();
    names.sort_unstable();
    let collected: Vec<_> =
        collection.names().into_iter().filter(|name| !name.starts_with("otel_vitals.")).collect();
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
    if LINUX_ROOMS {
        expected.extend([&THREADS, &WAIT]);
    }
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
        expected.extend([&THREADS, &WAIT]);
        expected.extend(&OPT_IN_LINUX);
    }
    assert_exactly(&collect(&options), &expected);
}

#[test]
fn a_group_turned_off_declares_nothing() {
    let mut options = ProcessOptions::default();
    options.enabled = false;
    assert_eq!(collect(&options).names(), Vec::<&str>::new());
    let mut options = AllocatorOptions::default();
    options.enabled = false;
    assert_eq!(collect_allocator(&options).names(), Vec::<&str>::new());
}

#[test]
fn of_the_allocator_everything_but_the_classes_is_there_by_default() {
    let collection = collect_allocator(&AllocatorOptions::default());
    let of_allocator = collection.metric("rust.allocator.memory.size").unwrap();
    assert_eq!((of_allocator.instrument, &*of_allocator.unit), (UpDownCounter, "By"));
    assert!(of_allocator.integer);
    let [point] = &of_allocator.points[..] else { panic!("{:?}", of_allocator.points) };
    let attributes = [("rust.allocator.memory.state", "allocated"), ("rust.allocator.name", "system")];
    assert_eq!(point.attributes, attributes.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    assert_exactly(&without_allocator(collection), &MEMORY.iter().collect::<Vec<_>>());
}

#[cfg(feature = "size-classes")]
#[test]
fn classes_are_there_when_asked_for() {
    let mut options = AllocatorOptions::default();
    options.size_classes = true;
    let collection = without_allocator(collect_allocator(&options));
    assert_exactly(&collection, &MEMORY.iter().chain(&BY_SIZE).collect::<Vec<_>>());
}

/// It has two attributes, unlike all others.
fn without_allocator(mut collection: Collection) -> Collection {
    collection.metrics.retain(|metric| metric.name != "rust.allocator.memory.size");
    collection
}

#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#[test]
fn every_source_goes_by_its_name() {
    let mut options = ProcessOptions::default();
    options.signals_pending = true;
    let collection = collect(&options);
    let errors = &collection.metric("otel_vitals.source.errors").unwrap().points;
    let names: BTreeSet<_> = errors.iter().map(|point| &*point.attributes["otel_vitals.source"]).collect();
    let expected = ["usage", "memory", "disk", "descriptors", "threads", "uptime", "signals", "scheduler"];
    assert_eq!(names, expected.map(|name| format!("process.{name}")).iter().map(String::as_str).collect());
}
