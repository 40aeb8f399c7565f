//! A CPU profile says where CPU time went.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod seen;

use otel_vitals_profiling::Error;
use otel_vitals_profiling::cpu::{self, Trigger};
use seen::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(30);
/// What a profile may be off by.
const MARGIN: f64 = 0.03;

#[inline(never)]
fn seventy(mut rounds: u64) -> u64 {
    let mut state = rounds | 1;
    while rounds > 0 {
        state ^= state << 13;
        state ^= state >> 7;
        rounds -= 1;
    }
    state
}

#[inline(never)]
fn thirty(mut rounds: u64) -> u64 {
    let mut state = rounds | 1;
    while rounds > 0 {
        state ^= state << 17;
        state ^= state >> 5;
        rounds -= 1;
    }
    state
}

#[test]
fn functions_have_the_shares_that_they_use_and_are_the_leaves() {
    let _alone = alone();
    for trigger in triggers() {
        let recording = start(997, trigger);
        let spending = Builder::new().name("seventy-thirty".into()).spawn(|| {
            let mut spent = [Duration::ZERO; 2];
            for _ in 0..12 {
                spent[0] += spend_in(seventy, 1_000_000, Duration::from_millis(70));
                spent[1] += spend_in(thirty, 1_000_000, Duration::from_millis(30));
            }
            spent.map(|spent| spent.as_secs_f64())
        });
        let spent = spending.unwrap().join().unwrap();
        let stacks = stacks(&recording.finish());
        let of_thread = time(&stacks, |stack| stack.thread == "seventy-thirty").as_secs_f64();
        for (name, spent_in) in ["::seventy", "::thirty"].into_iter().zip(spent) {
            let leaves =
                time(&stacks, |stack| stack.thread == "seventy-thirty" && stack.leaf().ends_with(name));
            let (share, expected) = (leaves.as_secs_f64() / of_thread, spent_in / (spent[0] + spent[1]));
            assert!(
                (share - expected).abs() <= MARGIN,
                "{trigger:?}: {share} in {name} instead of {expected}"
            );
        }
        // From the thread's first function on.
        let whole = |stack: &Stack| stack.passes("start_thread") && stack.passes("spend_in");
        let cut = time(&stacks, |stack| stack.passes("::seventy") && !whole(stack));
        assert!(cut.as_secs_f64() <= MARGIN * of_thread, "{trigger:?}: {cut:?} without the callers");
    }
}

#[test]
fn the_total_is_the_cpu_time_spent_and_is_of_the_threads_that_spent_it() {
    let _alone = alone();
    for trigger in triggers() {
        for frequency in [100, 997] {
            let (ready, over) = (Barrier::new(3), Barrier::new(3));
            let mut spent = Duration::ZERO;
            let mut profile = None;
            thread::scope(|scope| {
                for _ in 0..2 {
                    Builder::new()
                        .name("busy".into())
                        .spawn_scoped(scope, || {
                            ready.wait();
                            spend(Duration::from_millis(500));
                            over.wait();
                            ready.wait();
                        })
                        .unwrap();
                }
                let before = threads_times();
                let recording = start(frequency, trigger);
                ready.wait();
                over.wait();
                spent = threads_time_since(&before);
                profile = Some(recording.finish());
                ready.wait();
            });
            let profile = profile.unwrap();
            let spent = spent.as_secs_f64();
            let total = profile.total("cpu").unwrap() as f64 / 1e9;
            assert!((total / spent - 1.0).abs() <= MARGIN, "{trigger:?} {frequency}: {total} of {spent}");
            // That is made to fit. What was counted is not: of each of some threads it is right to a period.
            let counted = profile.total("samples").unwrap() as f64 / f64::from(frequency);
            let phases = 4.0 / f64::from(frequency);
            assert!(
                (counted - spent).abs() <= MARGIN * spent + phases,
                "{trigger:?} {frequency}: {counted} of {spent}"
            );
            let without = time(&stacks(&profile), Stack::has_no_code).as_secs_f64();
            assert!(without <= MARGIN * spent + phases, "{trigger:?} {frequency}: {without} of {spent}");
            let busy = time(&stacks(&profile), |stack| stack.thread == "busy" && stack.passes("spend_in"));
            // Of hundred samples, one is one in a hundred.
            let margin = MARGIN + 2.0 / f64::from(frequency);
            let share = busy.as_secs_f64();
            assert!((share - 1.0).abs() <= margin, "{trigger:?} {frequency}: {busy:?} of 1 s in code");
        }
    }
}

#[test]
fn threads_that_come_and_go_are_in_the_total() {
    let _alone = alone();
    for trigger in triggers() {
        let recording = start(997, trigger);
        let mut in_threads = Duration::ZERO;
        let before = own_time();
        for round in 0..30 {
            let threads = [2, 7, 20].map(|milliseconds| {
                Builder::new()
                    .name(format!("short-{round}"))
                    .spawn(move || {
                        spend(Duration::from_millis(milliseconds));
                        own_time()
                    })
                    .unwrap()
            });
            in_threads += threads.map(|thread| thread.join().unwrap()).iter().sum::<Duration>();
        }
        let spent = in_threads + (own_time() - before);
        let profile = recording.finish();
        let total = profile.total("cpu").unwrap() as f64 / 1e9;
        // Those two are all but our own thread, which takes its part, and the beginning and end of each thread.
        let ratio = total / spent.as_secs_f64();
        assert!((1.0 - MARGIN..=1.0 + 3.0 * MARGIN).contains(&ratio), "{trigger:?}: {total} of {spent:?}");
        let seen =
            time(&stacks(&profile), |stack| stack.thread.starts_with("short-") && stack.passes("spend_in"));
        let share = seen.as_secs_f64() / in_threads.as_secs_f64();
        assert!((0.85..=1.1).contains(&share), "{trigger:?}: {seen:?} in code of {in_threads:?}");
    }
}

#[test]
fn threads_that_work_and_sleep_in_turns_have_what_they_used_in_their_code() {
    let _alone = alone();
    for trigger in triggers() {
        let recording = start(100, trigger);
        let spent = thread::scope(|scope| {
            let threads = [1, 2, 3, 4, 5, 6, 7, 8].map(|number| {
                let builder = Builder::new().name(format!("turns-{number}"));
                builder.spawn_scoped(scope, take_turns).unwrap()
            });
            threads.map(|thread| thread.join().unwrap()).iter().sum::<Duration>()
        });
        let profile = recording.finish();
        let stacks = stacks(&profile);
        let seen =
            time(&stacks, |stack| stack.thread.starts_with("turns-") && !stack.has_no_code()).as_secs_f64();
        // Each is right to a period of 10 ms, which is on average nothing for eight.
        let off = (seen - spent.as_secs_f64()).abs();
        assert!(off <= 0.1 * spent.as_secs_f64(), "{trigger:?}: {seen} in code of {spent:?}: {stacks:?}");
    }
}

/// Works for 0.2 ms and sleeps for 1 ms, until it has worked for 100 ms; returns how long it has.
fn take_turns() -> Duration {
    let before = own_time();
    while own_time() - before < Duration::from_millis(100) {
        spend(Duration::from_micros(200));
        thread::sleep(Duration::from_millis(1));
    }
    own_time() - before
}

#[test]
fn a_thread_that_was_born_after_the_start_is_there_under_its_name_and_one_that_sleeps_is_not() {
    let _alone = alone();
    for trigger in triggers() {
        let over = Barrier::new(2);
        let stacks = thread::scope(|scope| {
            Builder::new().name("sleeps".into()).spawn_scoped(scope, || over.wait()).unwrap();
            let recording = start(997, trigger);
            let late =
                Builder::new().name("late".into()).spawn_scoped(scope, || spend(Duration::from_millis(200)));
            late.unwrap().join().unwrap();
            let stacks = stacks(&recording.finish());
            over.wait();
            stacks
        });
        let late = time(&stacks, |stack| stack.thread == "late" && stack.passes("spend_in")).as_secs_f64();
        assert!((0.15..0.25).contains(&late), "{trigger:?}: {late} s of 0.2");
        assert_eq!(time(&stacks, |stack| stack.thread == "sleeps"), Duration::ZERO, "{trigger:?}");
    }
}

#[test]
fn one_at_a_time() {
    let _alone = alone();
    let recording = start(100, Trigger::Auto);
    assert!(matches!(cpu::start(&options(100, Trigger::Auto)), Err(Error::Busy)));
    drop(recording);
    let profile = start(100, Trigger::Timers).finish();
    assert!(profile.total("cpu").is_some());
}

/// What a process has of a recording. Threads of the test's harness come and go.
#[derive(Debug, PartialEq, Eq)]
struct Holdings {
    threads: usize,
    descriptors: BTreeSet<String>,
    timers: String,
}

impl Holdings {
    fn now() -> Self {
        let entries = |directory: &str| {
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
        };
        let ours = |path: &PathBuf| {
            fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with("vitals"))
        };
        // The directory's own descriptor is gone by now.
        let open = entries("/proc/self/fd").into_iter().filter(|path| fs::symlink_metadata(path).is_ok());
        Holdings {
            threads: entries("/proc/self/task").iter().filter(|path| ours(path)).count(),
            descriptors: open.map(|path| path.display().to_string()).collect(),
            timers: fs::read_to_string("/proc/self/timers").unwrap_or_default(),
        }
    }
}

#[test]
fn nothing_is_left_of_a_recording() {
    let _alone = alone();
    for trigger in triggers() {
        let before = Holdings::now();
        for round in 0..50 {
            let recording = start(997, trigger);
            if round == 0 {
                assert_ne!(Holdings::now(), before);
            }
            thread::scope(|scope| scope.spawn(|| spend(Duration::from_millis(3))).join().unwrap());
            if round % 2 == 0 {
                drop(recording);
            } else {
                assert!(recording.finish().total("cpu").unwrap() > 0);
            }
        }
        // A thread that was joined may have its directory for a moment still.
        let until = Instant::now() + DEADLINE;
        while Holdings::now() != before {
            assert!(Instant::now() < until, "{:?} instead of {before:?}", Holdings::now());
            thread::sleep(Duration::from_millis(1));
        }
    }
}
