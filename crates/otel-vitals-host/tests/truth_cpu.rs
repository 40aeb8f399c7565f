//! Processors against independent readings of this machine.
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
use std::collections::BTreeSet;
use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};
use test_harness::{Collection, InMemory};

const MODES: [&str; 7] = ["user", "nice", "system", "idle", "iowait", "interrupt", "steal"];

fn pipeline(freshness: Duration, change: impl FnOnce(&mut HostOptions)) -> InMemory {
    let pipeline = InMemory::new();
    let meter = pipeline.meter("host");
    let mut options = HostOptions::default();
    change(&mut options);
    otel_vitals_host::register(&meter, &SourceContext::new(&meter, freshness), &options);
    pipeline
}

fn mode(collection: &Collection, metric: &str, mode: &str) -> f64 {
    collection.value(metric, &[("cpu.mode", mode)]).unwrap()
}

/// Seconds by mode, as the first line of `/proc/stat` has them in hundredths.
fn machine() -> [f64; 7] {
    let text = fs::read_to_string("/proc/stat").unwrap();
    let line = text.lines().next().unwrap();
    let columns: Vec<f64> =
        line.split_whitespace().skip(1).map(|column| column.parse::<f64>().unwrap() / 100.0).collect();
    [columns[0], columns[1], columns[2], columns[3], columns[4], columns[5] + columns[6], columns[7]]
}

/// The numbers of the processors online, from a list such as `0-3,6`.
fn online() -> BTreeSet<u64> {
    let list = fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
    let range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        first.parse().unwrap()..=last.parse::<u64>().unwrap()
    };
    list.trim().split(',').flat_map(range).collect()
}

/// Seconds that this process ran, by its own `/proc/self/stat`.
fn own_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, after_name) = text.rsplit_once(')').unwrap();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

/// Keeps a processor busy until this process has run, and the clock has gone on, for `seconds` more.
fn burn(seconds: f64) {
    let (started, end) = (Instant::now(), own_seconds() + seconds);
    while own_seconds() < end || started.elapsed().as_secs_f64() < seconds {
        black_box((0..1_000_000_u64).fold(0, |sum, number| sum ^ black_box(number)));
    }
}

#[test]
fn time_by_mode_is_what_the_kernel_counts() {
    let pipeline = pipeline(Duration::ZERO, |_| {});
    let before = machine();
    let collection = pipeline.collect();
    let after = machine();
    for ((name, before), after) in MODES.iter().zip(before).zip(after) {
        let value = mode(&collection, "system.cpu.time", name);
        // Idle and iowait waver by a few ticks.
        assert!(before - 0.1 <= value && value <= after + 0.1, "{name}: {before} {value} {after}");
    }
}

#[test]
fn work_is_seen_as_time_and_as_utilization() {
    // All instruments of one collection see one reading if it takes less.
    const FRESHNESS: Duration = Duration::from_millis(500);
    let pipeline = pipeline(FRESHNESS, |options| options.cpu.utilization = true);
    let collect = || {
        let started = Instant::now();
        let collection = pipeline.collect();
        (collection, started.elapsed() < FRESHNESS)
    };
    let (mut first, mut is_one) = collect();
    let share = first.metric("system.cpu.utilization");
    assert!(!is_one || share.is_none_or(|metric| metric.points.is_empty()));
    let started = Instant::now();
    loop {
        burn(1.0);
        let (second, is_one_again) = collect();
        if is_one && is_one_again {
            return assert_work_is_seen(&first, &second);
        }
        assert!(started.elapsed() < Duration::from_secs(60), "no collection takes less than {FRESHNESS:?}");
        (first, is_one) = (second, is_one_again);
    }
}

/// Between the two collections there was a second of work.
fn assert_work_is_seen(first: &Collection, second: &Collection) {
    let busy = |collection: &Collection| -> f64 {
        ["user", "nice", "system"].iter().map(|name| mode(collection, "system.cpu.time", name)).sum()
    };
    // Hundreds of ticks are sampled: half of the work is seen for sure.
    let seen = busy(second) - busy(first);
    assert!(seen >= 0.5, "{seen}");
    let shares: Vec<f64> = MODES.iter().map(|name| mode(second, "system.cpu.utilization", name)).collect();
    assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)), "{shares:?}");
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{shares:?}");
    let all: f64 = MODES
        .iter()
        .map(|name| mode(second, "system.cpu.time", name) - mode(first, "system.cpu.time", name))
        .sum();
    assert!((shares[0] + shares[1] + shares[2] - seen / all).abs() < 1e-6, "{shares:?} {seen} {all}");
}

#[test]
fn each_core_is_a_series_and_together_they_are_the_machine() {
    let pipeline = pipeline(Duration::ZERO, |options| options.cpu.per_core = true);
    let before: f64 = machine().iter().sum();
    let collection = pipeline.collect();
    let after: f64 = machine().iter().sum();
    let time = collection.metric("system.cpu.time").unwrap();
    let cores: BTreeSet<u64> =
        time.points.iter().map(|point| point.attributes["cpu.logical_number"].parse().unwrap()).collect();
    assert_eq!(cores, online());
    assert_eq!(time.points.len(), cores.len() * MODES.len());
    let sum: f64 = time.points.iter().map(|point| point.value).sum();
    // The kernel rounds every column of every core down by up to a tick.
    let slack = 0.1 + 0.01 * time.points.len() as f64;
    let offline = fs::read_to_string("/sys/devices/system/cpu/offline").unwrap_or_default();
    if offline.trim().is_empty() {
        assert!(before - slack <= sum && sum <= after + slack, "{before} {sum} {after}");
    }
}

#[test]
fn logical_processors_are_those_online() {
    let count = pipeline(Duration::ZERO, |_| {}).collect().sum("system.cpu.logical.count").unwrap();
    assert_eq!(count, online().len() as f64);
    let usable = std::thread::available_parallelism().unwrap();
    assert!(count >= usable.get() as f64, "{count} {usable}");
}

#[test]
fn physical_processors_are_those_of_lscpu() {
    let collection = pipeline(Duration::ZERO, |_| {}).collect();
    let Some(physical) = collection.sum("system.cpu.physical.count") else {
        let topology = std::path::Path::new("/sys/devices/system/cpu/cpu0/topology/core_id");
        assert!(!topology.exists(), "there is a topology and no count");
        return;
    };
    assert!(1.0 <= physical && physical <= collection.sum("system.cpu.logical.count").unwrap());
    let Ok(lscpu) = Command::new("lscpu").arg("--parse=CORE,SOCKET").output() else {
        println!("lscpu is not there to compare with (package util-linux)");
        return;
    };
    let lscpu = String::from_utf8(lscpu.stdout).unwrap();
    let cores: BTreeSet<&str> = lscpu.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(physical, cores.len() as f64, "{lscpu}");
}

#[test]
fn frequency_is_there_where_the_kernel_scales_it() {
    let pipeline = pipeline(Duration::ZERO, |options| options.cpu.frequency = true);
    let seen = pipeline.collect().metric("system.cpu.frequency").map_or(0, |metric| metric.points.len());
    let file = |core: &u64| format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq");
    let told =
        online().iter().filter(|core| fs::read_to_string(file(core)).is_ok_and(|text| text != "0\n")).count();
    assert_eq!(seen, told);
}
