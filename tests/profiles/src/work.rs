//! Work that takes a known amount of CPU time.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// How often the clock is asked, in rounds of work: about once a millisecond.
const ROUNDS: u64 = 1 << 20;

/// CPU time of the calling thread, user and system.
#[must_use]
pub fn thread_time() -> Duration {
    since_start(ClockId::ThreadCPUTime)
}

/// CPU time of the process, user and system.
#[must_use]
pub fn process_time() -> Duration {
    since_start(ClockId::ProcessCPUTime)
}

fn since_start(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Calls `work` until the thread has used so much more CPU time, and says how much it was.
pub fn spend(time: Duration, work: fn(u64) -> u64) -> Duration {
    let started = thread_time();
    loop {
        std::hint::black_box(work(ROUNDS));
        let spent = thread_time().saturating_sub(started);
        if spent >= time {
            return spent;
        }
    }
}

/// Rounds that are done here and nowhere else.
#[inline(never)]
#[must_use]
pub fn seventy(rounds: u64) -> u64 {
    let (mut round, mut sum) = (0, rounds);
    while round < rounds {
        sum = (sum ^ (sum << 13)) + round;
        sum ^= sum >> 7;
        round += 1;
    }
    sum
}

/// Rounds that are done in what is inlined here.
#[inline(never)]
#[must_use]
pub fn thirty(rounds: u64) -> u64 {
    inlined(rounds)
}

#[inline(always)]
fn inlined(rounds: u64) -> u64 {
    let (mut round, mut sum) = (0, rounds);
    while round < rounds {
        sum = (sum ^ (sum << 11)) + round;
        sum ^= sum >> 5;
        round += 1;
    }
    sum
}
