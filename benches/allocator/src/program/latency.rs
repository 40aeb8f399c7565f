//! How long threads that allocate are held up by somebody else.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::super::histogram::Histogram;
use super::{Work, null};

/// What a third thread does while two allocate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// It sleeps all the time.
    None,
    /// It wakes a thousand times a second and does nothing, for which one that allocates may have to give way.
    Wakes,
    /// It wakes as often, and reads the counts.
    Reads,
}

const THREADS: usize = 2;
/// Pairs of which the time is taken: looking at the clock takes longer than one.
const BATCH: u64 = 16;
const SIZE: usize = 64;
const INTERVAL: Duration = Duration::from_millis(1);

impl Reader {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "none" => Some(Reader::None),
            "wakes" => Some(Reader::Wakes),
            "reads" => Some(Reader::Reads),
            _ => None,
        }
    }
}

/// Prints quantiles 0.5, 0.99, 0.999, 0.9999 and the largest of the times of batches (ns), how many batches there were and
/// how often the third thread woke.
pub(super) fn measure(reader: Reader, milliseconds: u64) {
    let stop = AtomicBool::new(false);
    let mut times = Histogram::new();
    let mut woke = 0;
    thread::scope(|scope| {
        // Made here, so that nobody allocates in earnest after the first batch.
        let threads = [(); THREADS].map(|()| {
            let times = Histogram::new();
            scope.spawn(|| batches(times, &stop))
        });
        thread::sleep(Duration::from_millis(20));
        null::start_giving_nothing();
        woke = wake(reader, Duration::from_millis(milliseconds));
        stop.store(true, Relaxed);
        thread::sleep(Duration::from_millis(20));
        null::stop_giving_nothing();
        for thread in threads {
            if let Ok(thread) = thread.join() {
                times.add(&thread);
            }
        }
    });
    let quantiles = [0.5, 0.99, 0.999, 0.9999].map(|quantile| times.quantile(quantile).to_string());
    println!("{} {} {} {woke}", quantiles.join(" "), times.largest(), times.len());
}

fn batches(mut times: Histogram, stop: &AtomicBool) -> Histogram {
    let mut before = Instant::now();
    while !stop.load(Relaxed) {
        let _ = Work::Pair.does(SIZE, BATCH);
        let now = Instant::now();
        times.record((now - before).as_nanos() as u64);
        before = now;
    }
    times
}

fn wake(reader: Reader, time: Duration) -> u64 {
    let started = Instant::now();
    if reader == Reader::None {
        thread::sleep(time);
        return 0;
    }
    let mut woke = 0;
    while started.elapsed() < time {
        thread::sleep(INTERVAL);
        if reader == Reader::Reads {
            black_box(otel_vitals_alloc::counts());
        }
        woke += 1;
    }
    woke
}
