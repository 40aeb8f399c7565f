//! One worker of a runtime: how far it is, and whether it is stuck.
//!
//! Tokio counts how often a worker has gone to sleep and woken up, which is odd while it sleeps, and how long it was
//! busy, as it turns from its tasks to its queues and events. A worker that is awake and has not turned since it was looked
//! at last has been in one poll, or in a few dozen of them, all the time.

use std::time::Duration;
use tokio::runtime::RuntimeMetrics;

use super::evidence::{Sample, ThreadClock, ThreadTime};
use super::tracker::{Look, Stall};

/// How far a worker is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Times that it went to sleep and woke up.
    turns: u64,
    /// How long it was busy until it turned last, in nanoseconds.
    busy: u64,
}

#[derive(Debug, Default)]
pub(super) struct Worker {
    progress: Progress,
    /// The moment when it was first seen there, and the last one when it was not there yet.
    seen: u64,
    before: u64,
    /// What was counted when it was first seen there.
    sample: Sample,
    time: ThreadTime,
    /// What its thread had done when the last stamp was sent.
    sent_time: ThreadTime,
    /// Its thread, as the last stamp that it ran told.
    thread: Option<u32>,
    clock: ThreadClock,
    is_stuck: bool,
    /// Nanoseconds of that in which the whole process stood still, which is not the runtime's doing.
    platform: u64,
}

impl Progress {
    /// None where tokio does not tell.
    #[cfg(target_has_atomic = "64")]
    pub(super) fn of(metrics: &RuntimeMetrics, worker: usize) -> Option<Self> {
        let busy = crate::moments::nanoseconds(metrics.worker_total_busy_duration(worker));
        Some(Progress { turns: metrics.worker_park_unpark_count(worker), busy })
    }

    #[cfg(not(target_has_atomic = "64"))]
    pub(super) fn of(_: &RuntimeMetrics, _: usize) -> Option<Self> {
        None
    }

    /// Nanoseconds busy since `before`, if it has turned since.
    pub(super) fn busy_since(self, before: Progress) -> Option<u64> {
        self.busy.checked_sub(before.busy).filter(|busy| *busy > 0)
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
        self.is_stuck.then(|| self.seen.saturating_add(self.platform))
    }

    /// A stamp was run by `thread`.
    pub(super) fn runs_on(&mut self, thread: Option<u32>) {
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
    pub(super) fn times(&mut self) -> (ThreadTime, ThreadTime) {
        (self.sent_time, self.time_now())
    }

    /// Looks where it is, `now`. Returns the stall that it has come out of.
    pub(super) fn look(&mut self, now: Progress, look: &Look<'_>) -> Option<Stall> {
        if now != self.progress {
            let stall = self.is_stuck.then(|| self.stall(now, look));
            self.move_to(now, look);
            self.before = look.previous;
            return stall;
        }
        if self.is_stuck {
            self.platform += look.platform.map_or(0, |(from, to)| to - from);
        } else if look.platform.is_some() {
            // It might have moved on, had the process not stood still.
            self.move_to(now, look);
            self.before = look.now;
        } else if now.is_awake() && look.now.saturating_sub(self.seen) >= look.settings.stuck_after {
            (self.is_stuck, self.platform) = (true, 0);
        }
        None
    }

    fn move_to(&mut self, progress: Progress, look: &Look<'_>) {
        (self.progress, self.seen, self.sample) = (progress, look.now, *look.sample);
        self.time = self.time_now();
        self.is_stuck = false;
    }

    fn time_now(&mut self) -> ThreadTime {
        self.clock.read(self.thread)
    }

    /// It was there from some moment between `before` and `seen` to some moment since the last look. How long exactly
    /// tokio tells, which has it busy from the turn before to the turn after.
    fn stall(&mut self, now: Progress, look: &Look<'_>) -> Stall {
        let least = look.previous.saturating_sub(self.seen);
        let most = look.now.saturating_sub(self.before).max(least);
        let busy = now.busy_since(self.progress).unwrap_or(least).clamp(least, most);
        let time = self.time_now();
        Stall {
            duration: busy.saturating_sub(self.platform),
            end: look.now,
            worker: None,
            window: Duration::from_nanos(look.now.saturating_sub(self.seen)),
            evidence: look.sample.since_with(&self.sample, time, self.time),
        }
    }
}
