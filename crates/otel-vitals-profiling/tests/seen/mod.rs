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
use std::collections::BTreeMap;
use std::ffi::OsString;
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

/// CPU time of the calling thread.
pub(crate) fn own_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// Computes until the thread has used so much CPU time.
pub(crate) fn spend(time: Duration) {
    spend_in(work, 300_000, time);
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

/// CPU time of each thread that is there.
pub(crate) fn threads_times() -> BTreeMap<OsString, Duration> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let times = tasks.filter_map(|task| {
        let task = task.ok()?;
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        Some((task.file_name(), Duration::from_nanos(text.split(' ').next()?.parse().ok()?)))
    });
    times.collect()
}

/// CPU time that the threads that are there have spent since then. A thread that was about to end then, as that of the
/// test before may be even when it was joined, takes nothing of it away.
pub(crate) fn threads_time_since(before: &BTreeMap<OsString, Duration>) -> Duration {
    let since = |(id, time)| time - before.get(&id).copied().unwrap_or_default();
    threads_times().into_iter().map(since).sum()
}
