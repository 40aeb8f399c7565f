//! What tests of CPU profiles share: CPU time that is spent in known functions, and what a profile says of it.
#![allow(dead_code, reason = "each test uses a part")]

use otel_vitals_profiling::cpu::{self, Recording, Trigger};
use otel_vitals_profiling::{Error, Profile};
use std::hint::black_box;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A stack as a profile has it.
#[derive(Clone, Debug)]
pub struct Stack {
    pub thread: String,
    /// The root first.
    pub frames: Vec<String>,
    /// CPU time.
    pub time: Duration,
}

/// One profile at a time is taken, and what one test does must not be in that of another.
pub fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn options(frequency: u32, trigger: Trigger) -> cpu::Options {
    let mut options = cpu::Options::default();
    options.frequency = frequency;
    options.trigger = trigger;
    options
}

pub fn start(frequency: u32, trigger: Trigger) -> Recording {
    cpu::start(&options(frequency, trigger)).unwrap()
}

/// The triggers that this system allows.
pub fn triggers() -> Vec<Trigger> {
    match cpu::start(&options(1, Trigger::Perf)) {
        Ok(_) => vec![Trigger::Timers, Trigger::Perf],
        Err(Error::Unavailable { .. }) => {
            eprintln!("no perf events here: only timers are tested");
            vec![Trigger::Timers]
        }
        Err(error) => panic!("{error}"),
    }
}

pub fn stacks(profile: &Profile) -> Vec<Stack> {
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
pub fn time(stacks: &[Stack], wanted: impl Fn(&Stack) -> bool) -> Duration {
    stacks.iter().filter(|stack| wanted(stack)).map(|stack| stack.time).sum()
}

impl Stack {
    pub fn leaf(&self) -> &str {
        self.frames.last().map_or("", String::as_str)
    }

    /// Whether it has a frame whose name has this in it.
    pub fn passes(&self, name: &str) -> bool {
        self.frames.iter().any(|frame| frame.contains(name))
    }
}

/// CPU time of the calling thread.
pub fn own_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// Computes until the thread has used so much CPU time.
pub fn spend(time: Duration) {
    let until = own_time() + time;
    while own_time() < until {
        black_box(work(20_000));
    }
}

#[inline(never)]
pub fn work(rounds: u64) -> u64 {
    (0..rounds).fold(1, |sum, next| black_box(sum ^ next).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
