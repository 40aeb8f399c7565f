//! Process counts and uptime against independent readings of this machine.
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
use std::fs;
use std::process::Command;
use std::time::Duration;
use test_harness::InMemory;

fn pipeline() -> InMemory {
    let pipeline = InMemory::new();
    let meter = pipeline.meter("host");
    let context = SourceContext::new(&meter, Duration::ZERO);
    otel_vitals_host::register(&meter, &context, &HostOptions::default());
    pipeline
}

fn first_number(text: &str) -> f64 {
    text.split_whitespace().next().unwrap().parse().unwrap()
}

fn file(path: &str) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn every_process_created_is_counted() {
    const SPAWNED: f64 = 20.0;
    let pipeline = pipeline();
    let created = || pipeline.collect().sum("system.process.created").unwrap();
    let kernel = || {
        let stat = file("/proc/stat");
        first_number(stat.lines().find_map(|line| line.strip_prefix("processes ")).unwrap())
    };
    let before = (kernel(), created());
    for _ in 0..SPAWNED as usize {
        assert!(Command::new("true").status().unwrap().success());
    }
    let after = (created(), kernel());
    assert!(after.0 - before.1 >= SPAWNED, "{before:?} {after:?}");
    assert!(before.0 <= before.1 && after.0 <= after.1, "{before:?} {after:?}");
}

#[test]
fn running_tasks_are_some_of_all_tasks() {
    let collection = pipeline().collect();
    let running = collection.value("system.process.count", &[("process.state", "running")]).unwrap();
    assert_eq!(collection.sum("system.process.count"), Some(running), "other states are not counted");
    let loadavg = file("/proc/loadavg");
    let (_, all) = loadavg.split_whitespace().nth(3).unwrap().split_once('/').unwrap();
    assert!(1.0 <= running && running <= first_number(all) + 100.0, "{running} of {all}");
}

#[test]
fn the_limit_is_that_of_the_kernel() {
    let limit = pipeline().collect().sum("system.process.limit");
    assert_eq!(limit, Some(first_number(&file("/proc/sys/kernel/threads-max"))));
}

#[test]
fn uptime_is_that_of_the_kernel() {
    let pipeline = pipeline();
    let before = first_number(&file("/proc/uptime"));
    let uptime = pipeline.collect().sum("system.uptime").unwrap();
    let after = first_number(&file("/proc/uptime"));
    // The file is cut to hundredths.
    assert!(before <= uptime + 0.01 && uptime <= after + 0.01, "{before} {uptime} {after}");
}
