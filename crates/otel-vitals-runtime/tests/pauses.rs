//! Stalls that are made, and seen: how long, of what, and why.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod watch;

use otel_vitals_runtime::{PauseOptions, PauseScope};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use watch::{Driven, Watch, alone, block, spin, until, warm, workers};

const BLOCK: Duration = Duration::from_millis(250);

fn near(seen: Duration, real: Duration) -> bool {
    seen >= real.mul_f64(0.8) && seen <= real.mul_f64(1.2)
}

#[test]
fn a_blocked_runtime_is_seen_and_no_other() {
    let _alone = alone();
    for block_by in [spin as fn(Duration), thread::sleep] {
        let watch = Watch::start(&PauseOptions::default());
        let (blocked, other) = (Driven::start(), Driven::start());
        watch.runtimes.watch("blocked", &blocked.handle);
        watch.runtimes.watch("other", &other.handle);
        warm(&watch);
        // Of any phase to the tick.
        for part in 0..10 {
            thread::sleep(Duration::from_millis(7 * part));
            let before = watch.blocked("blocked").len();
            let real = block(&blocked.handle, move || block_by(BLOCK));
            until("the pause is seen", || watch.blocked("blocked").len() > before);
            let pauses = watch.blocked("blocked");
            println!("{part} {real:?} {:?}", pauses[before..].iter().map(|p| p.duration).collect::<Vec<_>>());
            assert_eq!(pauses.len(), before + 1, "{pauses:?}");
            let pause = pauses.last().unwrap();
            assert!(near(pause.duration, real), "{pause:?} of {real:?}");
            assert_eq!(pause.worker, Some(0));
        }
        assert_eq!(watch.blocked("other"), []);
    }
}

#[test]
fn one_blocked_worker_of_four_is_seen() {
    let _alone = alone();
    for block_by in [spin as fn(Duration), thread::sleep] {
        let watch = Watch::start(&PauseOptions::default());
        let (four, other) = (workers(4), Driven::start());
        watch.runtimes.watch("four", four.handle());
        watch.runtimes.watch("other", &other.handle);
        warm(&watch);
        for part in 0..5 {
            thread::sleep(Duration::from_millis(13 * part));
            let before = watch.blocked("four").len();
            let (told, tell) = mpsc::channel();
            four.spawn(async move {
                let worker = tokio::runtime::worker_index();
                let started = std::time::Instant::now();
                block_by(BLOCK);
                told.send((worker, started.elapsed())).unwrap();
            });
            let (worker, real) = tell.recv().unwrap();
            until("the pause is seen", || watch.blocked("four").len() > before);
            let pauses = watch.blocked("four");
            println!("{part} {real:?} {:?}", &pauses[before..]);
            assert_eq!(pauses.len(), before + 1, "{pauses:?}");
            let pause = pauses.last().unwrap();
            assert!(near(pause.duration, real), "{pause:?} of {real:?}");
            assert_eq!(pause.worker, worker);
        }
        assert_eq!(watch.blocked("other"), []);
    }
}

#[test]
fn a_runtime_that_is_stuck_is_seen_before_it_goes_on() {
    let _alone = alone();
    let watch = Watch::start(&PauseOptions::default());
    let stuck = Driven::start();
    watch.runtimes.watch("stuck", &stuck.handle);
    warm(&watch);
    let (release, released) = mpsc::channel::<()>();
    stuck.handle.spawn(async move { released.recv() });
    let long = Duration::from_millis(500);
    let ongoing = || watch.pauses().ongoing().into_iter().find(|pause| pause.scope == PauseScope::Runtime);
    until("it is seen to stand still", || ongoing().is_some_and(|pause| pause.duration >= long));
    let pause = ongoing().unwrap();
    assert_eq!((pause.runtime.as_deref(), pause.worker), (Some("stuck"), Some(0)));
    let told = watch.pipeline.collect();
    let told = told.point("rust.pause.ongoing.duration", "tokio.runtime.name", "stuck").unwrap();
    assert!(told.value >= 0.5, "{told:?}");
    assert_eq!(watch.blocked("stuck"), []);
    drop(release);
    until("it goes on", || ongoing().is_none());
    assert!(watch.blocked("stuck")[0].duration >= long);
}
