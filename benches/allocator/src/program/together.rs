//! Times of threads that do the same at the same time.

use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::thread;
use std::time::{Duration, Instant};

use super::{SIZES, Work, null, sys};

/// What each thread is to do, after which all wait for each other: so often in each batch.
#[derive(Clone, Copy, Debug)]
struct Cell {
    work: Work,
    size: usize,
    times: u64,
}

/// What one thread took for a cell.
#[derive(Clone, Copy, Debug)]
struct Took {
    started: Instant,
    ended: Instant,
    /// CPU time of each batch, sorted.
    batches: [Duration; BATCHES],
}

/// Parts that the time of a thread is taken of, so that an interrupt spoils one.
const BATCHES: usize = 10;

/// Prints what each work takes with each size: CPU time of a thread (ns), and which part of the time all threads ran.
///
/// It is the thread's CPU time, not the time that passes, because there may be more threads than processors. The first
/// thread is one of them, so that a program with one thread has no other: the C library leaves out its locks
/// and atomics as long as there is none.
pub(super) fn times(threads: usize, microseconds: u64) {
    let cells = cells(Duration::from_micros(microseconds));
    let barrier = Barrier { threads, arrived: AtomicUsize::new(0) };
    let mut took: Vec<Vec<Took>> = Vec::with_capacity(threads);
    thread::scope(|scope| {
        let (cells, barrier) = (&cells, &barrier);
        let others: Vec<_> =
            (1..threads).map(|number| scope.spawn(move || all(cells, barrier, number))).collect();
        took.push(all(cells, barrier, 0));
        took.extend(others.into_iter().filter_map(|other| other.join().ok()));
    });
    for (number, cell) in cells.iter().enumerate() {
        let took: Vec<Took> = took.iter().filter_map(|took| took.get(number).copied()).collect();
        // The fastest batch of a thread among others may be one in which they waited for a processor.
        let batch: fn(&Took) -> Duration = if threads == 1 { Took::fastest } else { Took::median };
        let batches: Duration = took.iter().map(batch).sum();
        let nanoseconds = batches.as_nanos() as f64 / (took.len() as u64 * cell.times) as f64;
        println!("{} {} {nanoseconds:.4} {:.3}", cell.work.name(), cell.size, together(&took));
    }
}

/// As much of each work and size as one thread does in `time` alone.
fn cells(time: Duration) -> Vec<Cell> {
    const PILOT: u64 = 2_000;
    let kinds = Work::ALL.into_iter().flat_map(|work| SIZES.map(|size| (work, size)));
    kinds
        .map(|(work, size)| {
            let fastest =
                (0..3).map(|_| null::nothing(|| one(work, size, PILOT / BATCHES as u64).cpu_time())).min();
            let fastest = fastest.unwrap_or_default().as_nanos().max(1) as f64;
            let times = time.as_nanos() as f64 / fastest * PILOT as f64;
            Cell { work, size, times: (times as u64).clamp(PILOT, 1_000_000) / BATCHES as u64 }
        })
        .collect()
}

fn all(cells: &[Cell], barrier: &Barrier, number: usize) -> Vec<Took> {
    let leads = number == 0;
    if barrier.threads > 1 {
        // The kernel may take longer than this lasts to see that two share a processor while another has none.
        sys::stay_on(number);
    }
    let mut took = Vec::with_capacity(cells.len());
    for cell in cells {
        // Nobody allocates in earnest between these two.
        barrier.wait();
        if leads {
            null::start_giving_nothing();
        }
        barrier.wait();
        let _ = cell.work.does(cell.size, 200);
        barrier.wait();
        let one = one(cell.work, cell.size, cell.times);
        barrier.wait();
        if leads {
            null::stop_giving_nothing();
        }
        barrier.wait();
        took.push(one);
    }
    took
}

fn one(work: Work, size: usize, times: u64) -> Took {
    let started = Instant::now();
    let mut batches = [(); BATCHES].map(|()| {
        let before = sys::cpu_time();
        let _ = work.does(size, times);
        sys::cpu_time().saturating_sub(before)
    });
    let ended = Instant::now();
    batches.sort_unstable();
    Took { started, ended, batches }
}

impl Took {
    fn fastest(&self) -> Duration {
        self.batches.first().copied().unwrap_or_default()
    }

    fn median(&self) -> Duration {
        self.batches.get(BATCHES / 2).copied().unwrap_or_default()
    }

    fn cpu_time(&self) -> Duration {
        self.batches.iter().sum()
    }
}

/// CPU time of all threads, as a part of what there was from the first start to the last end: less than one where threads
/// waited for a processor and so for once did not get into each other's way.
fn together(took: &[Took]) -> f64 {
    let (Some(first), Some(last)) =
        (took.iter().map(|took| took.started).min(), took.iter().map(|took| took.ended).max())
    else {
        return 0.0;
    };
    let processors = thread::available_parallelism().map_or(1, usize::from).min(took.len());
    let cpu_time: Duration = took.iter().map(Took::cpu_time).sum();
    cpu_time.as_secs_f64() / ((last - first).as_secs_f64() * processors as f64)
}

/// Lets threads start within a fraction of a microsecond, where a futex would take fifty.
struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
}

impl Barrier {
    fn wait(&self) {
        let round = self.arrived.fetch_add(1, AcqRel) / self.threads;
        while self.arrived.load(Acquire) / self.threads == round {
            thread::yield_now();
        }
    }
}
