//! `linux.scheduler.wait.time` is what the kernel says of each thread, and what threads have waited stays when they exit.
#![cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

use otel_vitals_core::SourceContext;
use otel_vitals_runtime::ProcessOptions;
use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use test_harness::InMemory;

const DEADLINE: Duration = Duration::from_secs(30);
/// What arithmetic in floating point may lose, seconds.
const EPSILON: f64 = 1e-6;

fn pipeline() -> InMemory {
    let pipeline = InMemory::new();
    let meter = pipeline.meter("truth");
    otel_vitals_runtime::register(
        &meter,
        &SourceContext::new(&meter, Duration::ZERO),
        &ProcessOptions::default(),
    );
    pipeline
}

fn shown(pipeline: &InMemory) -> f64 {
    pipeline.collect().sum("linux.scheduler.wait.time").unwrap()
}

/// CPU time and wait of each thread that is there, seconds.
fn threads() -> BTreeMap<String, [f64; 2]> {
    let of = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path().join("schedstat")).ok()?;
        let mut fields = text.split_whitespace().map(|field| field.parse::<f64>().unwrap() / 1e9);
        Some((entry.file_name().to_string_lossy().into_owned(), [fields.next()?, fields.next()?]))
    };
    fs::read_dir("/proc/self/task").unwrap().filter_map(|entry| of(entry.ok()?)).collect()
}

fn waited() -> f64 {
    threads().values().map(|[_, waited]| waited).sum()
}

/// Threads that use some CPU time at the same time and then stay until `leave` is reached.
fn contenders(count: usize, leave: &Arc<Barrier>) -> Vec<JoinHandle<()>> {
    let burnt = Arc::new(Barrier::new(count + 1));
    let contend = |_| {
        let (burnt, leave) = (Arc::clone(&burnt), Arc::clone(leave));
        std::thread::spawn(move || {
            let used = || {
                let line = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
                line.split_whitespace().next().unwrap().parse::<u64>().unwrap()
            };
            while used() < 50_000_000 {
                black_box((0..100_000_u64).fold(0, |sum, next| black_box(sum ^ next)));
            }
            burnt.wait();
            leave.wait();
        })
    };
    let threads = (0..count).map(contend).collect();
    burnt.wait();
    threads
}

/// One test, because the threads of one would be in the sum of another.
#[test]
fn waits_are_those_of_the_threads_and_stay_when_they_exit() {
    if fs::read_to_string("/proc/thread-self/schedstat").is_err() {
        eprintln!("skipped: this kernel does not say how long threads wait");
        return;
    }
    let pipeline = pipeline();
    let before = shown(&pipeline);
    let count = 4 * std::thread::available_parallelism().unwrap().get();
    let leave = Arc::new(Barrier::new(count + 1));
    let contenders = contenders(count, &leave);

    let low = waited();
    let during = shown(&pipeline);
    let high = waited();
    assert!(
        (low - EPSILON..=high + EPSILON).contains(&during),
        "{during} is shown, the kernel says {low} to {high}"
    );
    assert!(during - before > 0.1, "{count} threads in each other's way waited for {} s", during - before);

    leave.wait();
    contenders.into_iter().for_each(|thread| thread.join().unwrap());
    // A thread that has been joined may still be seen for a moment.
    let started = Instant::now();
    while threads().len() >= count && started.elapsed() < DEADLINE {
        std::thread::sleep(Duration::from_millis(1));
    }
    let after = shown(&pipeline);
    assert!(after >= during, "{during}, then {after} s");
    assert!(after - waited() > 0.1, "those that have exited are in it: {after} s");

    // Many more threads than descriptors are kept for, twice.
    let mut last = after;
    for _ in 0..2 {
        let leave = Arc::new(Barrier::new(201));
        let parked: Vec<_> = (0..200)
            .map(|_| {
                let leave = Arc::clone(&leave);
                std::thread::spawn(move || {
                    leave.wait();
                })
            })
            .collect();
        let now = shown(&pipeline);
        assert!(now >= last, "{last}, then {now} s");
        last = now;
        leave.wait();
        parked.into_iter().for_each(|thread| thread.join().unwrap());
    }
}
