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
            let stall = self.is_stuck.then(|| self.stall(now, look));
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
            self.is_stuck = stayed >= COMPUTING || !self.computes(look.now);
        }
        None
    }

    /// Whether its thread ran for most of the time; also where that is not known.
    fn computes(&self, now: u64) -> bool {
        let ran = thread_time(self.thread).ran.zip(self.time.ran).map(|(now, then)| now.saturating_sub(then));
        ran.is_none_or(|ran| ran >= now.saturating_sub(self.seen) / 2)
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
    /// tokio tells, which has it busy from the turn before to the turn after.
    fn stall(&self, now: Progress, look: &Look<'_>) -> Stall {
        let least = look.previous.saturating_sub(self.seen);
        let most = look.now.saturating_sub(self.before).max(least);
        let busy = now.busy_since(self.progress).unwrap_or(least).clamp(least, most);
        let time = thread_time(self.thread);
        Stall {
            duration: busy,
            end: look.now,
            worker: None,
            window: Duration::from_nanos(look.now.saturating_sub(self.seen)),
            evidence: look.samples.fresh().since_with(&self.sample, time, self.time),
        }
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
mod tests {
    use super::*;
    use crate::pauses::evidence::Samples;
    use crate::pauses::tracker::Settings;

    /// Two milliseconds, in which all times here are.
    const UNIT: u64 = 2_000_000;
    const TICK: u64 = 100 * UNIT;
    const SETTINGS: Settings =
        Settings { tick: TICK, threshold: UNIT, runtime_threshold: 10 * UNIT, stuck_after: 50 * UNIT };

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
            self.worker.look(Progress { turns, busy: busy * UNIT, polls: None }, &look)
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
        assert_eq!((stall.duration, stall.end), (250 * UNIT, 3 * TICK));
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
            assert_eq!(watched.look(3, 70 + busy).unwrap().duration, duration * UNIT);
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
        assert_eq!(watched.look(3, 70 + 700), None);
    }

    #[test]
    fn one_that_runs_a_stamp_was_not_stuck_until_then() {
        let mut watched = Watched::new();
        let _ = (watched.look(2, 70), watched.look(2, 70));
        assert!(watched.worker.stuck_since().is_some());
        watched.worker.ran_stamp(2 * TICK, None);
        assert_eq!(watched.worker.stuck_since(), None);
        assert_eq!(watched.look(3, 170), None);
    }

    #[test]
    fn one_that_computes_is_suspected_first() {
        let mut watched = Watched::new();
        let _ = watched.look(2, 70);
        let _ = watched.look_after(2, 70, 52 * UNIT, 0);
        assert_eq!(
            (watched.worker.stuck_since(), watched.worker.again_after(watched.now)),
            (None, Some(SUSPECTED))
        );
        let _ = watched.look_after(2, 70, 5 * UNIT, 0);
        assert_eq!(watched.worker.stuck_since(), Some(TICK));
    }

    #[test]
    fn many_polls_are_no_stall_where_tokio_counts_them() {
        for (polls, is_stall) in [(1, true), (8, true), (30, false)] {
            let mut watched = Watched::new();
            let _ = (watched.look(2, 70), watched.look(2, 70));
            watched.worker.progress.polls = Some(5);
            watched.now += TICK;
            let now = Progress { turns: 3, busy: 290 * UNIT, polls: Some(5 + polls) };
            let look = Look {
                settings: &SETTINGS,
                now: watched.now,
                previous: watched.now - TICK,
                platform: None,
                samples: &watched.samples,
            };
            assert_eq!(watched.worker.look(now, &look).is_some(), is_stall, "{polls}");
        }
    }

    #[test]
    fn a_process_that_is_late_all_the_time_does_not_hide_it() {
        let mut watched = Watched::new();
        let _ = watched.look(2, 70);
        for _ in 0..2 {
            let _ = watched.look_after(2, 70, TICK + 5 * UNIT, 5 * UNIT);
        }
        assert_eq!(watched.worker.stuck_since(), Some(TICK));
        assert_eq!(watched.look(3, 70 + 300).unwrap().duration, 300 * UNIT);
    }
}
