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

use otel_vitals_profiling::cpu::{self, Trigger};
use otel_vitals_profiling::{Error, Profile};
use seen::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Barrier, OnceLock};
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(30);
/// What a profile may be off by.
const MARGIN: f64 = 0.03;
/// How often it may be tried to tell functions of one thread apart so well. Timers see a thread where the kernel's tick meets it, and on a
/// machine that is busy with others a sample may stand for a tenth of a second, so that there are too few.
const ATTEMPTS: usize = 20;
/// What they may be off by even then.
const FARTHEST: f64 = 0.3;

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
        let mut off = vec![off_by(trigger)];
        while off.iter().all(|off| *off > MARGIN) {
            assert!(off.len() < ATTEMPTS, "{trigger:?}: {off:?}");
            off.push(off_by(trigger));
        }
    }
}

/// By how much, of all that a thread has spent, what a profile has in two functions differs from what was spent there.
fn off_by(trigger: Trigger) -> f64 {
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
    // From the thread's first function on: the standard library's, and whoever called it, whose names the C library may lack.
    let whole = |stack: &Stack| {
        let start = stack.frames.iter().position(|frame| frame.contains("thread_start"));
        start.is_some_and(|place| place > 0) && stack.passes("spend_in")
    };
    let cut = time(&stacks, |stack| stack.passes("::seventy") && !whole(stack));
    assert!(cut.as_secs_f64() <= MARGIN * of_thread, "{trigger:?}: {cut:?} without the callers");
    let off = ["::seventy", "::thirty"].into_iter().zip(spent).map(|(name, spent_in)| {
        let leaves = time(&stacks, |stack| stack.thread == "seventy-thirty" && stack.leaf().ends_with(name));
        let (share, expected) = (leaves.as_secs_f64() / of_thread, spent_in / (spent[0] + spent[1]));
        let off = (share - expected).abs();
        assert!(off <= FARTHEST, "{trigger:?}: {share} in {name} instead of {expected}");
        off
    });
    off.fold(0.0, f64::max)
}

#[test]
fn the_total_is_the_cpu_time_spent_and_is_of_the_threads_that_spent_it() {
    let _alone = alone();
    for trigger in triggers() {
        for frequency in [100, 997] {
            let (profile, spent) = of_two_busy_threads(frequency, trigger);
            let total = total(&profile).as_secs_f64();
            // That is made to fit. What was counted is not: of each of some threads it is right to a period.
            let counted = profile.total("samples").unwrap() as f64 / f64::from(frequency);
            let phases = 5.0 / f64::from(frequency);
            assert!(
                (counted - total).abs() <= MARGIN * total + phases,
                "{trigger:?} {frequency}: {counted} of {total}"
            );
            let without = time(&stacks(&profile), Stack::has_no_code).as_secs_f64();
            assert!(without <= MARGIN * total + phases, "{trigger:?} {frequency}: {without} of {total}");
            let busy = time(&stacks(&profile), |stack| stack.thread == "busy" && stack.passes("spend_in"));
            let off = (busy.as_secs_f64() - spent.as_secs_f64()).abs();
            assert!(
                off <= MARGIN * spent.as_secs_f64() + phases,
                "{trigger:?} {frequency}: {busy:?} in code of {spent:?}"
            );
        }
    }
}

/// The profile of two threads that each spend half a second, and what they have spent.
fn of_two_busy_threads(frequency: u32, trigger: Trigger) -> (Profile, Duration) {
    let turn = Barrier::new(3);
    let spends = || {
        turn.wait();
        let spent = spend(Duration::from_millis(500));
        turn.wait();
        // They are there until the profile is written.
        turn.wait();
        spent
    };
    thread::scope(|scope| {
        let busy = [(), ()].map(|()| Builder::new().name("busy".into()).spawn_scoped(scope, spends).unwrap());
        let recording = Measured::start(frequency, trigger);
        turn.wait();
        turn.wait();
        let profile = recording.finish();
        turn.wait();
        (profile, busy.map(|thread| thread.join().unwrap()).iter().sum())
    })
}

#[test]
fn threads_that_come_and_go_are_in_the_total() {
    let _alone = alone();
    for trigger in triggers() {
        let recording = Measured::start(997, trigger);
        let mut in_threads = Duration::ZERO;
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
        let stacks = stacks(&recording.finish());
        let in_code = time(&stacks, |stack| stack.thread.starts_with("short-") && stack.passes("spend_in"));
        let unseen = time(&stacks, Stack::has_no_code);
        // Where nobody can be interrupted before he is found, that of most is told to be of none.
        let seen = if interrupts_who_is_not_known() { in_code } else { in_code + unseen };
        let share = seen.as_secs_f64() / in_threads.as_secs_f64();
        assert!(
            (0.85..=1.1).contains(&share),
            "{trigger:?}: {in_code:?} in code and {unseen:?} unseen of {in_threads:?}"
        );
    }
}

/// Whether the kernel has a timer of the process interrupt the thread that runs: since Linux 6.4.
fn interrupts_who_is_not_known() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(4))
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

/// Works for 0.2 ms and sleeps for 1 ms, so that it sleeps at most of the kernel's ticks, until it has worked for 100 ms; returns how long
/// it has.
fn take_turns() -> Duration {
    while own_time() < Duration::from_millis(100) {
        spend(Duration::from_micros(200));
        thread::sleep(Duration::from_millis(1));
    }
    own_time()
}

#[test]
fn a_thread_that_was_born_after_the_start_is_there_under_its_name_and_one_that_sleeps_is_not() {
    let _alone = alone();
    for trigger in triggers() {
        let (about_to_sleep, over) = (OnceLock::new(), Barrier::new(2));
        let (stacks, spent) = thread::scope(|scope| {
            let sleeps = || {
                about_to_sleep.set(fs::read_link("/proc/thread-self").unwrap()).unwrap();
                over.wait();
            };
            Builder::new().name("sleeps".into()).spawn_scoped(scope, sleeps).unwrap();
            wait_until("it sleeps", || about_to_sleep.get().is_some_and(|thread| state(thread) == 'S'));
            let recording = start(997, trigger);
            let late =
                Builder::new().name("late".into()).spawn_scoped(scope, || spend(Duration::from_millis(200)));
            let spent = late.unwrap().join().unwrap();
            let stacks = stacks(&recording.finish());
            over.wait();
            (stacks, spent)
        });
        let late = time(&stacks, |stack| stack.thread == "late" && stack.passes("spend_in"));
        let share = late.as_secs_f64() / spent.as_secs_f64();
        assert!((0.75..=1.25).contains(&share), "{trigger:?}: {late:?} of {spent:?}");
        assert_eq!(time(&stacks, |stack| stack.thread == "sleeps"), Duration::ZERO, "{trigger:?}");
    }
}

/// What a thread does, by its folder in `/proc`: `R` for one that runs, `S` for one that sleeps.
fn state(thread: &Path) -> char {
    let stat = fs::read_to_string(Path::new("/proc").join(thread).join("stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(") ").unwrap();
    after_name.chars().next().unwrap()
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < until, "{what}: not after {DEADLINE:?}");
        thread::sleep(Duration::from_millis(1));
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
        // That of a recording before, which was joined, may have its directory for a moment still.
        wait_until("the thread before is gone", || Holdings::now().threads == 0);
        let before = Holdings::now();
        assert_eq!(before.threads, 0);
        for round in 0..50 {
            let recording = start(997, trigger);
            if round == 0 {
                let meanwhile = Holdings::now();
                assert!(meanwhile.threads == 1 && meanwhile != before, "{meanwhile:?}");
            }
            thread::scope(|scope| scope.spawn(|| spend(Duration::from_millis(3))).join().unwrap());
            if round % 2 == 0 {
                drop(recording);
            } else {
                assert!(recording.finish().total("cpu").unwrap() > 0);
            }
        }
        wait_until("nothing is left", || Holdings::now() == before);
    }
}
