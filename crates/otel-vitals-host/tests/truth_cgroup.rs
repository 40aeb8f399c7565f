//! A real control group with a real quota, and the pressure in it, against what the kernel's own files say.
//!
//! A child process, which is this program again, measures itself while this one moves it from group to group. Where no
//! group can be made, for want of permission or of a CPU controller, the tests say so and are skipped.
#![cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

mod subject;

use otel_vitals_core::SourceContext;
use otel_vitals_host::HostOptions;
use std::fs;
use std::time::Duration;
use subject::{IS_CHILD, Subject};
use test_harness::InMemory;
use test_harness::cgroup::Group;

/// What arithmetic in floating point may lose, seconds.
const EPSILON: f64 = 1e-6;

/// Periods, throttled periods, and seconds throttled, as our metrics say; none when they are absent.
fn throttling(subject: &mut Subject) -> Option<[f64; 3]> {
    <[f64; 3]>::try_from(subject.tell("throttling")).ok()
}

#[test]
fn a_quota_throttles_as_cpu_stat_says() {
    let Some(group) = Group::with_quota("quota") else {
        eprintln!("skipped: no control group with a CPU quota can be made here");
        return;
    };
    let mut subject = Subject::start();
    let elsewhere = throttling(&mut subject).unwrap_or_default();
    subject.move_to(&group);
    let moved = throttling(&mut subject).unwrap();
    // The counters go on from where they were. What the group had counted when the child first looked at it is not known to us,
    // and this at most.
    let offset = group.throttling();
    assert!(moved[0] - elsewhere[0] <= offset[0], "{elsewhere:?} {moved:?}");

    // A second of CPU time in a fifth of a processor takes five.
    subject.tell("burn 1000");
    let before = group.throttling();
    let shown = throttling(&mut subject).unwrap();
    let after = group.throttling();
    for at in 0..3 {
        let (low, high) = (before[at] - offset[at], after[at]);
        let grown = shown[at] - elsewhere[at];
        assert!(
            (low - EPSILON..=high + EPSILON).contains(&grown),
            "{at}: {grown} is shown, the kernel says {low} to {high}"
        );
    }
    assert!(shown[1] - moved[1] >= 10.0, "throttled in only {} periods", shown[1] - moved[1]);
    assert!(shown[2] - moved[2] >= 1.0, "throttled for only {} s", shown[2] - moved[2]);
}

#[test]
fn pressure_of_the_group_is_what_its_file_says() {
    let Some(group) = Group::with_pressure("pressure") else {
        eprintln!("skipped: no control group with pressure can be made here");
        return;
    };
    let mut subject = Subject::start();
    // Before its first look, so that the counter is the file's.
    subject.move_to(&group);
    subject.tell("burn 300");
    let before = group.pressure();
    let shown = subject.tell("pressure");
    let after = group.pressure();
    assert!(
        matches!(shown[..], [shown] if (before - EPSILON..=after + EPSILON).contains(&shown)),
        "{shown:?} is shown, the kernel says {before} to {after}"
    );
    assert!(before > 0.01, "more threads than processors waited for only {before} s");
}

/// Not a test, but the other process.
#[test]
fn child() {
    if std::env::var_os(IS_CHILD).is_none() {
        return;
    }
    let pipeline = InMemory::new();
    let meter = pipeline.meter("host");
    let context = SourceContext::new(&meter, Duration::ZERO);
    // Nothing is read before the first command, which comes after a first move.
    otel_vitals_host::register(&meter, &context, &HostOptions::default());
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let answer = match line.split_once(' ') {
            Some(("burn", milliseconds)) => burn(Duration::from_millis(milliseconds.parse().unwrap())),
            _ if line == "pressure" => own_pressure(&pipeline),
            _ => own_throttling(&pipeline),
        };
        println!("{}", subject::answer(&answer));
    }
}

fn own_throttling(pipeline: &InMemory) -> Vec<f64> {
    let collection = pipeline.collect();
    let names = ["periods", "throttled.periods", "throttled.time"];
    names.iter().filter_map(|name| collection.sum(&format!("linux.cgroup.cpu.{name}"))).collect()
}

fn own_pressure(pipeline: &InMemory) -> Vec<f64> {
    let attributes = [
        ("linux.pressure.resource", "cpu"),
        ("linux.pressure.kind", "some"),
        ("linux.pressure.scope", "cgroup"),
    ];
    pipeline.collect().value("linux.pressure.stall.time", &attributes).into_iter().collect()
}

/// Uses so much CPU time, with twice as many threads as there are processors.
fn burn(time: Duration) -> Vec<f64> {
    let threads = 2 * std::thread::available_parallelism().unwrap().get() as u32;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while used() < time / threads {
                    std::hint::black_box(
                        (0..100_000_u64).fold(0, |sum, next| std::hint::black_box(sum ^ next)),
                    );
                }
            });
        }
    });
    Vec::new()
}

/// CPU time of this thread.
fn used() -> Duration {
    let line = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(line.split_whitespace().next().unwrap().parse().unwrap())
}
