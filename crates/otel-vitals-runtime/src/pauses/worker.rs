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
    /// Where it was when its thread was asked.
    timed: Progress,
    /// What its thread had done when the last stamp was sent.
    sent_time: ThreadTime,
    /// Its thread, as the last stamp that it ran told.
    thread: Option<u32>,
    clock: ThreadClock,
    is_stuck: bool,
    /// Nanoseconds since it was first seen there in which the whole process stood still, which is not the runtime's doing.
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
            let stall = self.is_stuck.then(|| self.stall(now, look)).filter(|stall| self.is_own(stall));
            self.move_to(now, look);
            self.before = look.previous;
            return stall;
        }
        self.platform += look.platform.map_or(0, |(from, to)| to - from);
        let stayed = look.now.saturating_sub(self.seen).saturating_sub(self.platform);
        self.is_stuck |= now.is_awake() && stayed >= look.settings.stuck_after;
        None
    }

    fn move_to(&mut self, progress: Progress, look: &Look<'_>) {
        (self.progress, self.seen, self.sample) = (progress, look.now, look.samples.known());
        (self.is_stuck, self.platform) = (false, 0);
        if self.time == ThreadTime::default() || progress.is_far_from(self.timed) {
            (self.time, self.timed) = (self.time_now(), progress);
        }
    }

    /// One for most of which the whole process stood still is told as such, and not as the runtime's.
    fn is_own(&self, stall: &Stall) -> bool {
        self.platform < stall.duration / 2
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
            duration: busy,
            end: look.now,
            worker: None,
            window: Duration::from_nanos(look.now.saturating_sub(self.seen)),
            evidence: look.samples.fresh().since_with(&self.sample, time, self.time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pauses::evidence::Samples;
    use crate::pauses::tracker::Settings;

    const TICK: u64 = 100;
    const SETTINGS: Settings = Settings { tick: TICK, threshold: 1, runtime_threshold: 10, stuck_after: 50 };

    /// A worker that is looked at every tick.
    struct Watched {
        worker: Worker,
        now: u64,
        samples: Samples,
    }

    impl Watched {
        fn new() -> Self {
            Watched { worker: Worker::default(), now: 0, samples: Samples::new(1) }
        }

        /// A tick later it has slept and woken `turns` times and been `busy` for so long.
        fn look(&mut self, turns: u64, busy: u64) -> Option<Stall> {
            self.look_after(turns, busy, TICK, 0)
        }

        fn look_after(&mut self, turns: u64, busy: u64, after: u64, platform: u64) -> Option<Stall> {
            let previous = self.now;
            self.now += after;
            let platform = (platform > 0).then_some((self.now - platform, self.now));
            let look =
                Look { settings: &SETTINGS, now: self.now, previous, platform, samples: &self.samples };
            self.worker.look(Progress { turns, busy }, &look)
        }
    }

    #[test]
    fn one_that_stays_awake_and_does_not_turn_is_stuck_until_it_does() {
        let mut watched = Watched::new();
        assert_eq!(watched.look(2, 70), None);
        assert_eq!(watched.worker.stuck_since(), None);
        assert_eq!(watched.look(2, 70), None);
        assert_eq!(watched.worker.stuck_since(), Some(TICK));
        let stall = watched.look(3, 70 + 250).unwrap();
        assert_eq!((stall.duration, stall.end), (250, 3 * TICK));
        assert_eq!(watched.worker.stuck_since(), None);
    }

    #[test]
    fn one_that_sleeps_has_just_begun_or_turns_is_not() {
        for (turns, busy) in [(3, 70), (0, 0)] {
            let mut watched = Watched::new();
            assert!((0..10).all(|_| watched.look(turns, busy).is_none()));
            assert_eq!(watched.worker.stuck_since(), None);
        }
        let mut watched = Watched::new();
        assert!((1..10).all(|turn| watched.look(2, turn).is_none()));
        assert_eq!(watched.worker.stuck_since(), None);
    }

    #[test]
    fn it_was_as_long_as_it_was_busy_if_that_can_be() {
        // Seen from tick 1 to tick 2, gone at tick 3: between one and three ticks.
        for (busy, duration) in [(20, 100), (170, 170), (999, 300)] {
            let mut watched = Watched::new();
            let _ = (watched.look(2, 70), watched.look(2, 70));
            assert_eq!(watched.look(3, 70 + busy).unwrap().duration, duration);
        }
    }

    #[test]
    fn what_the_whole_process_stood_still_is_not_its_own() {
        let mut watched = Watched::new();
        let _ = watched.look(2, 70);
        let _ = watched.look_after(2, 70, 5 * TICK, 5 * TICK);
        assert_eq!(watched.worker.stuck_since(), None, "it had no time to go on");
        let _ = watched.look(2, 70);
        assert_eq!(watched.worker.stuck_since(), Some(TICK));
        // Of seven ticks the process stood still for five.
        assert_eq!(watched.look(3, 70 + 7 * TICK), None);
    }

    #[test]
    fn a_process_that_is_late_all_the_time_does_not_hide_it() {
        let mut watched = Watched::new();
        let _ = watched.look(2, 70);
        for _ in 0..2 {
            let _ = watched.look_after(2, 70, TICK + 5, 5);
        }
        assert_eq!(watched.worker.stuck_since(), Some(TICK));
        assert_eq!(watched.look(3, 70 + 300).unwrap().duration, 300);
    }
}
