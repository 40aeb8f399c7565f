//! What tests of CPU profiles share: CPU time that is spent in known functions, and what a profile says of it.
#![allow(
    dead_code,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "each test uses a part, and fails when it cannot go on"
)]

use otel_vitals_profiling::cpu::{self, Recording, Trigger};
use otel_vitals_profiling::{Error, Profile};
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A stack as a profile has it.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    pub(crate) thread: String,
    /// The root first.
    pub(crate) frames: Vec<String>,
    /// CPU time.
    pub(crate) time: Duration,
}

/// One profile at a time is taken, and what one test does must not be in that of another.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn options(frequency: u32, trigger: Trigger) -> cpu::Options {
    let mut options = cpu::Options::default();
    options.frequency = frequency;
    options.trigger = trigger;
    options
}

pub(crate) fn start(frequency: u32, trigger: Trigger) -> Recording {
    cpu::start(&options(frequency, trigger)).unwrap()
}

/// The triggers that this system allows.
pub(crate) fn triggers() -> Vec<Trigger> {
    match cpu::start(&options(1, Trigger::Perf)) {
        Ok(_) => vec![Trigger::Timers, Trigger::Perf],
        Err(Error::Unavailable { .. }) => {
            eprintln!("no perf events here: only timers are tested");
            vec![Trigger::Timers]
        }
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn stacks(profile: &Profile) -> Vec<Stack> {
    let folded = profile.collapsed();
    let stacks = folded.lines().map(|line| {
        let (stack, value) = line.rsplit_once(' ').unwrap();
        let mut frames = stack.split(';').map(str::to_owned).collect::<Vec<_>>();
        // What has no thread is a name by itself.
        let thread = if frames.len() > 1 { frames.remove(0) } else { String::new() };
        Stack { thread, frames, time: Duration::from_nanos(value.parse().unwrap()) }
    });
    stacks.collect()
}

/// CPU time of the stacks that `wanted` picks.
pub(crate) fn time(stacks: &[Stack], wanted: impl Fn(&Stack) -> bool) -> Duration {
    stacks.iter().filter(|stack| wanted(stack)).map(|stack| stack.time).sum()
}

impl Stack {
    pub(crate) fn leaf(&self) -> &str {
        self.frames.last().map_or("", String::as_str)
    }

    /// Whether it says why there is no stack.
    pub(crate) fn has_no_code(&self) -> bool {
        matches!(self.leaf(), "[not sampled]" | "[ended unseen]" | "[stacks left out]")
    }

    /// Whether it has a frame whose name has this in it.
    pub(crate) fn passes(&self, name: &str) -> bool {
        self.frames.iter().any(|frame| frame.contains(name))
    }
}

/// CPU time of the calling thread, to the nanosecond. What `/proc` tells of a thread that runs is as old as the kernel's last tick.
pub(crate) fn own_time() -> Duration {
    clock(ClockId::ThreadCPUTime)
}

/// CPU time of the process, with that of threads which have ended.
fn process_time() -> Duration {
    clock(ClockId::ProcessCPUTime)
}

fn clock(of: ClockId) -> Duration {
    clock_gettime(of).try_into().unwrap()
}

/// A recording of which it is known what the process had spent before and after it began.
pub(crate) struct Measured {
    recording: Recording,
    before: Duration,
    begun: Duration,
}

impl Measured {
    pub(crate) fn start(frequency: u32, trigger: Trigger) -> Self {
        let before = process_time();
        let recording = start(frequency, trigger);
        Measured { recording, before, begun: process_time() }
    }

    /// The profile. It has all that the process has spent, whatever else runs on the machine.
    pub(crate) fn finish(self) -> Profile {
        let least = process_time() - self.begun;
        let profile = self.recording.finish();
        let most = process_time() - self.before;
        let total = total(&profile);
        // The part of each stack is rounded down.
        const ROUNDED: Duration = Duration::from_micros(100);
        assert!(least <= total + ROUNDED && total <= most, "{total:?} is not in {least:?}..={most:?}");
        profile
    }
}

/// CPU time of a profile.
pub(crate) fn total(profile: &Profile) -> Duration {
    Duration::from_nanos(profile.total("cpu").unwrap().try_into().unwrap())
}

/// Computes until the thread has used so much CPU time; returns how much it was, which is hardly more.
pub(crate) fn spend(time: Duration) -> Duration {
    spend_in(work, 10_000, time)
}

/// Does `work`, so many rounds at a time, until the thread has used so much CPU time; returns how much it was.
pub(crate) fn spend_in(work: fn(u64) -> u64, rounds: u64, time: Duration) -> Duration {
    let before = own_time();
    loop {
        black_box(work(rounds));
        let spent = own_time() - before;
        if spent >= time {
            return spent;
        }
    }
}

/// Calls nothing, however it is built.
#[inline(never)]
pub(crate) fn work(mut rounds: u64) -> u64 {
    let mut state = rounds | 1;
    while rounds > 0 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        rounds -= 1;
    }
    state
}
