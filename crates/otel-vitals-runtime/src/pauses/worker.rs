//! One worker of a runtime: how far it is, and whether it is stuck.
//!
//! Tokio counts how often a worker has gone to sleep and woken up, which is odd while it sleeps, and how long it was
//! busy, as it turns from its tasks to its queues and events. A worker that is awake and has not turned since it was looked
//! at last has been in one poll, or in a few dozen of them, all the time.
//!
//! A few dozen polls may take a while without a block, so that a worker that computes is suspected only at first. It is cleared when it runs a
//! stamp, of which more are sent as long as it is suspected, and with `--cfg tokio_unstable` by how many polls it was.

use std::time::Duration;
use tokio::runtime::RuntimeMetrics;

use super::evidence::{Sample, ThreadTime, thread_time};
use super::tracker::{Look, Stall, is_own};

/// How far a worker is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Times that it went to sleep and woke up.
    turns: u64,
    /// How long it was busy until it turned last, in nanoseconds.
    busy: u64,
    /// Tasks that it had polled by then, where tokio tells.
    polls: Option<u64>,
}

/// A worker that computes does not turn for so many nanoseconds when each of its polls takes almost two milliseconds.
const COMPUTING: u64 = 110_000_000;

/// How often one that is suspected is looked at, in nanoseconds.
const SUSPECTED: u64 = 10_000_000;

/// One that is stuck is looked at after a twentieth of the time that it has been so far, but not more often than this.
const STUCK: u64 = 5_000_000;

#[derive(Debug, Default)]
pub(super) struct Worker {
    progress: Progress,
    /// The moment when it was first seen there, and the last one when it was not there yet.
    seen: u64,
    before: u64,
    /// What was counted when it was first seen there.
    sample: Sample,
    time: ThreadTime,
    /// Where it was when its thread was asked.
    timed: Progress,
    /// What its thread had done when the last stamp was sent.
    sent_time: ThreadTime,
    /// Its thread, as the last stamp that it ran told.
    thread: Option<u32>,
    /// It has been there for so long that it may be stuck, and for so long that it must be.
    is_suspected: bool,
    is_stuck: bool,
    /// Nanoseconds since it was first seen there in which the whole process stood still, which is not the runtime's doing.
    platform: u64,
}

/// What a worker has been doing since it was first seen where it is, in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Stay {
    passed: u64,
    /// In which the whole process stood still.
    platform: u64,
    /// In which its thread had a core, and in which it was ready and had none, where that is known.
    ran: Option<u64>,
    waited: Option<u64>,
}

impl Progress {
    /// None where tokio does not tell.
    #[cfg(target_has_atomic = "64")]
    pub(super) fn of(metrics: &RuntimeMetrics, worker: usize) -> Option<Self> {
        let busy = crate::moments::nanoseconds(metrics.worker_total_busy_duration(worker));
        Some(Progress {
            turns: metrics.worker_park_unpark_count(worker),
            busy,
            polls: polls(metrics, worker),
        })
    }

    #[cfg(not(target_has_atomic = "64"))]
    pub(super) fn of(_: &RuntimeMetrics, _: usize) -> Option<Self> {
        None
    }

    /// Nanoseconds busy since `before`, if it has turned since.
    pub(super) fn busy_since(self, before: Progress) -> Option<u64> {
        self.busy.checked_sub(before.busy).filter(|busy| *busy > 0)
    }

    /// Whether its thread may have done more than a little since it was at `before`: to ask costs as much as to wake it.
    fn is_far_from(self, before: Progress) -> bool {
        const TURNS: u64 = 16;
        const BUSY: u64 = 1_000_000;
        self.turns.abs_diff(before.turns) >= TURNS || self.busy.abs_diff(before.busy) >= BUSY
    }

    /// Awake, and not on its very first tasks, of which it has told nothing yet.
    fn is_awake(self) -> bool {
        self.turns.is_multiple_of(2) && self != Progress::default()
    }
}

impl Worker {
    pub(super) fn progress(&self) -> Progress {
        self.progress
    }

    /// Since when it is stuck; none when it is not.
    pub(super) fn stuck_since(&self) -> Option<u64> {
        self.is_stuck.then_some(self.seen)
    }

    /// After how many nanoseconds it should be looked at again, if before the next tick.
    pub(super) fn again_after(&self, now: u64) -> Option<u64> {
        match (self.is_stuck, self.is_suspected) {
            (true, _) => Some((now.saturating_sub(self.seen) / 20).max(STUCK)),
            (false, is_suspected) => is_suspected.then_some(SUSPECTED),
        }
    }

    /// It has run a stamp, at the moment `ran`, on `thread`: until then it was not stuck.
    pub(super) fn ran_stamp(&mut self, ran: u64, thread: Option<u32>) {
        if ran > self.seen {
            (self.seen, self.before, self.platform) = (ran, ran, 0);
            (self.is_suspected, self.is_stuck) = (false, false);
            // What it did before is not of the time since. One that slept did nothing.
            if self.progress.is_awake() {
                (self.time, self.timed) = (thread_time(thread), self.progress);
            }
        }
        if self.thread != thread {
            self.thread = thread;
            self.time = ThreadTime::default();
            self.sent_time = ThreadTime::default();
        }
    }

    /// A stamp is sent. While it sleeps, a thread does nothing, so that what it had done when it was seen last holds.
    pub(super) fn stamp_sent(&mut self) {
        self.sent_time = self.time;
    }

    /// What its thread had done when the last stamp was sent, and by now.
    pub(super) fn times(&self) -> (ThreadTime, ThreadTime) {
        (self.sent_time, thread_time(self.thread))
    }

    /// Looks where it is, `now`. Returns the stall that it has come out of.
    pub(super) fn look(&mut self, now: Progress, look: &Look<'_>) -> Option<Stall> {
        if now != self.progress {
            let stall = self.is_stuck.then(|| self.stall(now, look)).flatten();
            let stall = stall.filter(|stall| {
                is_own(stall.duration, self.platform) && !self.polled_between(now, stall, look)
            });
            self.move_to(now, look);
            self.before = look.previous;
            return stall;
        }
        self.platform += look.platform.map_or(0, |(from, to)| to - from);
        let stayed = look.now.saturating_sub(self.seen).saturating_sub(self.platform);
        if now.is_awake() && stayed >= look.settings.stuck_after && !self.is_stuck {
            self.is_suspected = true;
            self.is_stuck = self.stay(look.now, thread_time(self.thread)).is_stuck();
        }
        None
    }

    /// What it has been doing since it was first seen there, now that its thread has done so much.
    fn stay(&self, now: u64, time: ThreadTime) -> Stay {
        let grown = |now: Option<u64>, then: Option<u64>| now?.checked_sub(then?);
        Stay {
            passed: now.saturating_sub(self.seen),
            platform: self.platform,
            ran: grown(time.ran, self.time.ran),
            waited: grown(time.waited, self.time.waited),
        }
    }

    fn move_to(&mut self, progress: Progress, look: &Look<'_>) {
        (self.progress, self.seen, self.sample) = (progress, look.now, look.samples.known());
        (self.is_suspected, self.is_stuck, self.platform) = (false, false, 0);
        if self.time == ThreadTime::default() || progress.is_far_from(self.timed) || !look.samples.is_calm() {
            (self.time, self.timed) = (thread_time(self.thread), progress);
        }
    }

    /// Whether it was in many polls, none of which is likely to have been a stall.
    fn polled_between(&self, now: Progress, stall: &Stall, look: &Look<'_>) -> bool {
        let polls = now.polls.zip(self.progress.polls).map_or(0, |(now, then)| now.saturating_sub(then));
        polls > 0 && stall.duration / polls < look.settings.runtime_threshold
    }

    /// It was there from some moment between `before` and `seen` to some moment since the last look. How long exactly
    /// tokio tells, which has it busy from the turn before to the turn after. None if all of it shows that it was not stuck: what
    /// waited for a core for most of the time when it was looked at may have had one for most of the rest.
    fn stall(&self, now: Progress, look: &Look<'_>) -> Option<Stall> {
        let time = thread_time(self.thread);
        if !self.stay(look.now, time).is_stuck() {
            return None;
        }
        let least = look.previous.saturating_sub(self.seen);
        let most = look.now.saturating_sub(self.before).max(least);
        let busy = now.busy_since(self.progress).unwrap_or(least).clamp(least, most);
        Some(Stall {
            duration: busy,
            end: look.now,
            worker: None,
            window: Duration::from_nanos(look.now.saturating_sub(self.seen)),
            evidence: look.samples.fresh().since_with(&self.sample, time, self.time),
        })
    }
}

impl Stay {
    /// Whether it was blocked or without a core for most of the time, or computed for longer than a few dozen polls take. Those
    /// take longer when it has no core now and then, so that such times do not count as computing.
    fn is_stuck(self) -> bool {
        let Some(ran) = self.ran else { return self.passed.saturating_sub(self.platform) >= COMPUTING };
        let waited = self.waited.unwrap_or(0);
        let blocked = self.passed.saturating_sub(ran).saturating_sub(waited);
        let most = self.passed / 2;
        // When the whole process stood still, it was for want of a core, too.
        let elsewhere = waited.max(self.platform);
        blocked > most || waited > most || self.passed.saturating_sub(elsewhere) >= COMPUTING
    }
}

#[cfg(tokio_unstable)]
fn polls(metrics: &RuntimeMetrics, worker: usize) -> Option<u64> {
    Some(metrics.worker_poll_count(worker))
}

#[cfg(not(tokio_unstable))]
fn polls(_: &RuntimeMetrics, _: usize) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests;
