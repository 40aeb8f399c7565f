//! What it takes to read the counts.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

const READINGS: usize = 500;

/// Prints the fastest and the median reading while `threads` live that have allocated (ns); none when nothing counts.
pub(super) fn time(threads: usize) -> Option<()> {
    otel_vitals_alloc::counts()?;
    let (started, ends) = (Barrier::new(threads), Barrier::new(threads));
    let lives = || {
        drop(black_box(Box::new(0_u8)));
        started.wait();
        ends.wait();
    };
    let mut times: Vec<Duration> = Vec::with_capacity(READINGS);
    thread::scope(|scope| {
        for _ in 1..threads {
            // A thousand stacks of the usual size are more address space than some machines give.
            let _ = thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, lives);
        }
        started.wait();
        times.extend((0..READINGS).map(|_| {
            let before = Instant::now();
            black_box(otel_vitals_alloc::counts());
            before.elapsed()
        }));
        ends.wait();
    });
    times.sort_unstable();
    let nanoseconds = |time: Option<&Duration>| time.map_or(0, Duration::as_nanos);
    println!("{} {}", nanoseconds(times.first()), nanoseconds(times.get(times.len() / 2)));
    Some(())
}
