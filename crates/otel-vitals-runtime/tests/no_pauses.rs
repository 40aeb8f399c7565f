//! A service that is busy and yields does not stand still, and is not said to.
//!
//! Others may work on the machine, too, and take cores away from it without a word. So the tests see for themselves what
//! they were given.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]
#![allow(dead_code, reason = "what the tests of pauses share is more than is used here")]

mod watch;

use otel_vitals_runtime::{Pause, PauseCause, PauseOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::Handle;
use watch::{Driven, TELLS_WAITS, Watch, alone, quick, spin, warm, workers};

/// No pause of a service under load is longer.
const NOTE: Duration = Duration::from_millis(20);

/// How late anybody was at most who only wanted to go on, in nanoseconds.
#[derive(Clone, Default)]
struct Latest(Arc<AtomicU64>);

impl Latest {
    fn done(&self, started: Instant, wanted: Duration) {
        let late = started.elapsed().saturating_sub(wanted);
        self.0.fetch_max(late.as_nanos() as u64, Relaxed);
    }

    fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Relaxed))
    }

    /// Sleeps and wakes.
    fn nap_until(&self, until: Instant) {
        const NAP: Duration = Duration::from_millis(1);
        while Instant::now() < until {
            let asleep = Instant::now();
            thread::sleep(NAP);
            self.done(asleep, NAP);
        }
    }

    /// Computes for a little, and does so again and again.
    async fn work_until(self, until: Instant) {
        const POLL: Duration = Duration::from_micros(500);
        while Instant::now() < until {
            let started = Instant::now();
            spin(POLL);
            self.done(started, POLL);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// What was seen of a service in so much of its time, and how late anybody was.
fn part_of_a_service(watch: &Watch, runtimes: [&Handle; 3], time: Duration) -> (Vec<Pause>, Duration) {
    let before = watch.pauses().count();
    let (until, latest) = (Instant::now() + time, Latest::default());
    let tasks = runtimes.map(|runtime| runtime.spawn(latest.clone().work_until(until)));
    latest.nap_until(until);
    for task in tasks {
        runtimes[1].block_on(task).unwrap();
    }
    let mut seen = watch.pauses().last();
    let new = (watch.pauses().count() - before) as usize;
    (seen.split_off(seen.len().saturating_sub(new)), latest.get())
}

/// Whatever is due in a service that is busy and yields, it runs soon.
#[test]
fn a_service_under_load_without_stalls_has_no_pause_of_note() {
    const PART: Duration = Duration::from_secs(5);
    // Long in the build that services have, and not in each that is tried.
    const PARTS: usize = if cfg!(any(otel_vitals_portable, tokio_unstable)) { 1 } else { 6 };
    let _alone = alone();
    let watch = Watch::start(&PauseOptions::default());
    let (busy, other) = (Driven::start(), workers(2));
    watch.runtimes.watch("busy", &busy.handle);
    watch.runtimes.watch("workers", other.handle());
    warm(&watch);
    let mut quiet = 0;
    for _ in 0..2 * PARTS {
        let (mut long, latest) =
            part_of_a_service(&watch, [&busy.handle, other.handle(), other.handle()], PART);
        long.retain(|pause| pause.duration > NOTE);
        // Where others work on the machine, so that any thread would have been late, they are to blame.
        if latest < NOTE / 2 {
            assert_eq!(long, [], "nobody was later than {latest:?}");
            quiet += 1;
        }
        // By most of the time that it was busy, it is not that they are.
        long.retain(|pause| pause.cause == PauseCause::BlockedExecutor);
        let blamed: Duration = long.iter().map(|pause| pause.duration).sum();
        assert!(blamed < PART / 2, "somebody was late by {latest:?}: {long:?}");
        if quiet == PARTS {
            return;
        }
    }
    eprintln!("others work on this machine: it was quiet for {quiet} times {PART:?}");
}

/// When a worker was in one poll.
#[derive(Clone, Copy, Debug)]
struct Poll {
    worker: Option<usize>,
    started: SystemTime,
    ended: SystemTime,
}

/// What one takes that is not held up.
const POLL: Duration = Duration::from_millis(1);

impl Poll {
    fn make() -> Self {
        let (worker, started) = (tokio::runtime::worker_index(), SystemTime::now());
        spin(POLL);
        Poll { worker, started, ended: SystemTime::now() }
    }
}

/// A worker tells tokio how far it is only after some dozen polls, so that one with much to do looks like one that is blocked.
#[test]
fn a_runtime_that_is_saturated_and_yields_is_not_blocked() {
    // Of some 30 times that each worker does not turn for 60 ms and more.
    const FEW: usize = 2;
    let _alone = alone();
    for options in [PauseOptions::default(), quick()] {
        let mut seen = Vec::new();
        let is_not_blocked = (0..4).any(|_| {
            let blamed = blamed_of_a_saturated(&options);
            // Without others on the machine a poll takes little more than it asks for.
            let quick = blamed.iter().filter(|(_, poll)| *poll < POLL * 3 / 2).count();
            assert!(quick <= FEW, "{blamed:?}");
            seen.push(blamed);
            seen.last().is_some_and(|blamed| blamed.len() <= FEW) || !TELLS_WAITS
        });
        // Neither do times count that a worker has no core, but for those of which no kernel tells.
        assert!(is_not_blocked, "{seen:#?}");
    }
}

/// The workers of a runtime with much to do that are said to have been blocked, and how long one poll took meanwhile.
fn blamed_of_a_saturated(options: &PauseOptions) -> Vec<(Pause, Duration)> {
    let watch = Watch::start(options);
    let saturated = workers(2);
    watch.runtimes.watch("saturated", saturated.handle());
    warm(&watch);
    let until = Instant::now() + Duration::from_secs(4);
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            saturated.spawn(async move {
                let mut polls = Vec::new();
                while Instant::now() < until {
                    polls.push(Poll::make());
                    tokio::task::yield_now().await;
                }
                polls
            })
        })
        .collect();
    let polls: Vec<Poll> = tasks.into_iter().flat_map(|task| saturated.block_on(task).unwrap()).collect();
    let mut blamed = watch.blocked("saturated");
    blamed.retain(|pause| pause.worker.is_some());
    blamed.into_iter().map(|pause| (pause.clone(), poll_time(&pause, &polls))).collect()
}

/// How long one poll of the worker took in this pause.
fn poll_time(pause: &Pause, polls: &[Poll]) -> Duration {
    let started = pause.ended_at - pause.duration;
    let is_in =
        |poll: &&Poll| poll.worker == pause.worker && poll.started < pause.ended_at && poll.ended > started;
    pause.duration / polls.iter().filter(is_in).count().max(1) as u32
}
