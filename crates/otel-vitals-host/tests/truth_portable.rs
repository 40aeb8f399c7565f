//! The smaller set, on Linux and against its `/proc`.
#![cfg(all(target_os = "linux", otel_vitals_portable))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use otel_vitals_core::SourceContext;
use otel_vitals_host::HostOptions;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use test_harness::{Collection, InMemory};

const DEADLINE: Duration = Duration::from_secs(60);

fn pipeline(change: impl FnOnce(&mut HostOptions)) -> InMemory {
    let pipeline = InMemory::new();
    let meter = pipeline.meter("host");
    let mut options = HostOptions::default();
    options.filesystem.deadline = DEADLINE;
    change(&mut options);
    let context = SourceContext::new(&meter, Duration::from_millis(1));
    otel_vitals_host::register(&meter, &context, &options);
    pipeline
}

fn file(path: &str) -> String {
    fs::read_to_string(path).unwrap()
}

fn kibibytes(key: &str) -> f64 {
    let text = file("/proc/meminfo");
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

/// All but the loopback.
fn interfaces() -> Vec<String> {
    let names = fs::read_dir("/sys/class/net").unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    let counts = |name: &str| Path::new("/sys/class/net").join(name).join("statistics").exists();
    names.filter(|name| name != "lo" && counts(name)).collect()
}

#[test]
fn the_set_is_the_one_in_the_module_doc() {
    let pipeline = pipeline(|options| {
        options.memory.limit = true;
        options.filesystem.limit = true;
    });
    let collection = pipeline.collect();
    let names: Vec<&str> =
        collection.names().into_iter().filter(|name| !name.starts_with("otel_vitals.")).collect();
    let mut expected = vec![
        "linux.load.average",
        "system.cpu.logical.count",
        "system.cpu.physical.count",
        "system.filesystem.limit",
        "system.filesystem.usage",
        "system.filesystem.utilization",
        "system.memory.limit",
        "system.memory.usage",
        "system.memory.utilization",
        "system.uptime",
    ];
    if !interfaces().is_empty() {
        expected.extend(["system.network.errors", "system.network.io", "system.network.packet.count"]);
    }
    if file("/proc/swaps").lines().count() > 1 {
        expected.extend(["system.paging.usage", "system.paging.utilization"]);
    }
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(collection.sum("otel_vitals.source.errors"), Some(0.0));
}

#[test]
fn memory_is_what_the_kernel_says() {
    let pipeline = pipeline(|options| options.memory.limit = true);
    let collection = pipeline.collect();
    let total = kibibytes("MemTotal") * 1024.0;
    assert_eq!(collection.sum("system.memory.limit"), Some(total));
    assert_eq!(collection.sum("system.memory.usage"), Some(total));
    let started = Instant::now();
    loop {
        let free = pipeline.collect().value("system.memory.usage", &[("system.memory.state", "free")]);
        let available = kibibytes("MemAvailable") * 1024.0;
        if (free.unwrap() - available).abs() < 64e6 {
            break;
        }
        assert!(started.elapsed() < DEADLINE, "{free:?} {available}");
    }
}

#[test]
fn time_and_load_are_what_the_kernel_says() {
    let pipeline = pipeline(|_| {});
    let uptime = || file("/proc/uptime").split_whitespace().next().unwrap().parse::<f64>().unwrap();
    let before = uptime();
    let value = pipeline.collect().sum("system.uptime").unwrap();
    assert!(before.floor() <= value && value <= uptime(), "{before} {value}");
    let started = Instant::now();
    loop {
        let load = pipeline.collect().value("linux.load.average", &[("linux.load.period", "15m")]);
        let kernel: f64 = file("/proc/loadavg").split_whitespace().nth(2).unwrap().parse().unwrap();
        if (load.unwrap() - kernel).abs() < 0.02 {
            break;
        }
        assert!(started.elapsed() < DEADLINE, "{load:?} {kernel}");
    }
}

#[test]
fn processors_are_counted_and_idle_is_a_share() {
    let pipeline = pipeline(|options| (options.cpu.utilization, options.cpu.per_core) = (true, true));
    let first = pipeline.collect();
    let lines = file("/proc/stat").lines().filter(|line| line.starts_with("cpu")).count();
    assert_eq!(first.sum("system.cpu.logical.count"), Some(lines as f64 - 1.0));
    let points = |collection: &Collection| {
        collection.metric("system.cpu.utilization").map_or(0, |metric| metric.points.len())
    };
    assert_eq!(points(&first), 0, "there is nothing to compare the first reading with");
    let started = Instant::now();
    let second = loop {
        let collection = pipeline.collect();
        if points(&collection) > 0 || started.elapsed() > DEADLINE {
            break collection;
        }
    };
    assert_eq!(points(&second), lines - 1);
    for point in &second.metric("system.cpu.utilization").unwrap().points {
        assert_eq!(point.attributes["cpu.mode"], "idle");
        assert!((0.0..=1.0).contains(&point.value), "{point:?}");
    }
}

#[test]
fn networks_are_those_of_the_kernel_without_loopback() {
    let pipeline = pipeline(|_| {});
    let bytes = |interface: &str| -> f64 {
        file(&format!("/sys/class/net/{interface}/statistics/rx_bytes")).trim().parse().unwrap()
    };
    let interfaces = interfaces();
    let before: Vec<f64> = interfaces.iter().map(|name| bytes(name)).collect();
    let collection = pipeline.collect();
    let loopback = [("network.interface.name", "lo"), ("network.io.direction", "receive")];
    assert_eq!(collection.value("system.network.io", &loopback), None);
    for (name, before) in interfaces.iter().zip(before) {
        let attributes = [("network.interface.name", &**name), ("network.io.direction", "receive")];
        let value = collection.value("system.network.io", &attributes).unwrap();
        assert!(before <= value && value <= bytes(name), "{name}");
    }
}

#[test]
fn the_root_file_system_is_as_big_as_it_is() {
    let collection = pipeline(|options| options.filesystem.limit = true).collect();
    let usage = collection.metric("system.filesystem.usage").unwrap();
    let limit = collection.metric("system.filesystem.limit").unwrap();
    assert!(!limit.points.is_empty());
    for whole in &limit.points {
        let point = &whole.attributes["system.filesystem.mountpoint"];
        let parts: f64 = usage
            .points
            .iter()
            .filter(|part| part.attributes["system.filesystem.mountpoint"] == *point)
            .map(|part| part.value)
            .sum();
        assert_eq!(parts, whole.value, "{point}");
    }
}
