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
        let look = Look { settings: &SETTINGS, now: self.now, previous, platform, samples: &self.samples };
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

const MILLISECOND: u64 = 1_000_000;

/// In milliseconds, in none of which the whole process stood still.
fn stay(passed: u64, ran: Option<u64>, waited: Option<u64>) -> Stay {
    let time = |time: Option<u64>| time.map(|time| time * MILLISECOND);
    Stay { passed: passed * MILLISECOND, platform: 0, ran: time(ran), waited: time(waited) }
}

#[test]
fn one_is_stuck_that_is_blocked_or_has_no_core_or_computes_for_long() {
    for (passed, ran, waited, is_stuck) in [
        (60, 0, 0, true),
        (60, 28, 0, true),
        (60, 31, 0, false),
        (60, 0, 31, true),
        (60, 29, 30, false),
        (109, 109, 0, false),
        (110, 110, 0, true),
        // What it waited for a core is not how long its polls take.
        (115, 60, 55, false),
        (200, 109, 91, false),
        (200, 100, 90, true),
        (220, 110, 110, true),
        (220, 90, 130, true),
    ] {
        let stay = stay(passed, Some(ran), Some(waited));
        assert_eq!(stay.is_stuck(), is_stuck, "{stay:?}");
    }
}

#[test]
fn one_of_which_the_kernel_does_not_tell_is_stuck_when_it_would_be_if_it_computed() {
    for (passed, ran, is_stuck) in
        [(109, None, false), (110, None, true), (109, Some(60), false), (110, Some(60), true)]
    {
        assert_eq!(stay(passed, ran, None).is_stuck(), is_stuck, "{passed} {ran:?}");
    }
    // As the whole process did, it waited for a core, which is one and the same wait.
    let stay = |platform| Stay { platform: platform * MILLISECOND, ..stay(200, Some(120), Some(80)) };
    assert!(stay(0).is_stuck() && stay(80).is_stuck() && !stay(91).is_stuck());
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
