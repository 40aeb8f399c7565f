use super::*;
use crate::{Runtimes, moments};
use tokio::runtime::{Builder, Runtime};

const MILLISECOND: u64 = 1_000_000;
const SETTINGS: Settings = Settings {
    tick: 100 * MILLISECOND,
    threshold: MILLISECOND,
    runtime_threshold: 10 * MILLISECOND,
    stuck_after: 50 * MILLISECOND,
};

/// A runtime that runs only when it is told to.
struct Told {
    runtime: Runtime,
    tracker: Tracker,
    previous: u64,
    samples: Samples,
    over: Vec<Stall>,
}

impl Told {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().build().unwrap();
        let runtimes = Runtimes::default();
        runtimes.watch("told", runtime.handle());
        let mut tracker = None;
        runtimes.for_each(|watched| tracker = Some(Tracker::new(Arc::clone(watched))));
        let previous = moments::now();
        let samples = Samples::new(previous);
        Told { runtime, tracker: tracker.unwrap(), previous, samples, over: Vec::new() }
    }

    fn run(&self) {
        self.runtime.block_on(tokio::task::yield_now());
    }

    /// Looks at it, and says how long the stamp took if it is back. The whole process has stood still since `stood_still`.
    fn look(&mut self, stood_still: Option<u64>) -> Option<u64> {
        let now = moments::now();
        let platform = stood_still.map(|from| (from, now));
        self.samples.begin(now);
        let look =
            Look { settings: &SETTINGS, now, previous: self.previous, platform, samples: &self.samples };
        self.previous = now;
        let over = &mut self.over;
        let delay = self.tracker.look(&look, |stall| over.push(stall));
        self.tracker.send(&look, &std::thread::current());
        delay
    }

    /// What stood still at that look.
    fn ongoing(&self) -> Vec<(Option<u32>, u64)> {
        let look = Look {
            settings: &SETTINGS,
            now: self.previous,
            previous: self.previous,
            platform: None,
            samples: &self.samples,
        };
        let mut ongoing = Vec::new();
        self.tracker.ongoing(&look, |worker, since| ongoing.push((worker, since)));
        ongoing
    }

    /// Looks until what the worker was busy is told, or could have been.
    fn settle(&mut self) {
        let until = moments::now() + 2 * SETTLED;
        while moments::now() < until {
            let _ = self.look(None);
        }
    }
}

fn pass(time: u64) {
    let until = moments::now() + time;
    while moments::now() < until {
        std::hint::spin_loop();
    }
}

#[test]
fn a_runtime_that_has_not_begun_to_run_gets_no_stamp() {
    let mut told = Told::new();
    pass(20 * MILLISECOND);
    assert_eq!((told.look(None), told.look(None), told.ongoing()), (None, None, vec![]));
    told.run();
    assert_eq!((told.look(None), told.over), (None, vec![]));
}

#[test]
fn one_stamp_is_under_way_until_it_is_back_and_seen_to_be_late_before() {
    let mut told = Told::new();
    told.run();
    assert_eq!(told.look(None), None);
    let sent = told.tracker.sent.as_ref().unwrap().at;
    pass(12 * MILLISECOND);
    assert_eq!((told.look(None), told.ongoing()), (None, vec![(Some(0), sent)]));
    assert_eq!(told.tracker.sent.as_ref().unwrap().at, sent, "it is not sent again");
    told.run();
    let delay = told.look(None).unwrap();
    assert!(delay >= 12 * MILLISECOND, "{delay}");
    told.settle();
    let [stall] = told.over[..] else { panic!("{:?}", told.over) };
    assert!(stall.duration >= delay, "{stall:?}");
    assert_eq!((stall.worker, stall.end), (Some(0), sent + delay));
    assert!(told.ongoing().is_empty() || told.tracker.sent.is_some());
}

#[test]
fn what_the_process_stood_still_is_no_stall_of_the_runtime() {
    for is_back in [true, false] {
        let mut told = Told::new();
        told.run();
        // Since before the stamp is sent, whatever else takes its time.
        let from = moments::now();
        let _ = told.look(None);
        pass(15 * MILLISECOND);
        if is_back {
            told.run();
        }
        let delay = told.look(Some(from));
        assert_eq!(delay.is_some(), is_back);
        if !is_back {
            assert_eq!(told.ongoing(), [], "it has had no time to run");
            told.run();
            let _ = told.look(Some(told.previous));
        }
        told.settle();
        assert_eq!(told.over, []);
    }
}
