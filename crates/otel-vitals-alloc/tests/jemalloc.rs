//! What is told of jemalloc is what jemalloc says, and what it says is what is counted.
#![cfg(not(loom))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod blocks;

use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use otel_vitals_alloc::{Counting, Memory, allocator, counts};
use tikv_jemalloc_ctl::{Access, AsName, epoch, stats};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Counting<Jemalloc> = Counting::new(Jemalloc);

/// Size classes of jemalloc, so that blocks are as large as they were asked for.
const SIZES: [usize; 8] = [16, 64, 320, 1024, 4096, 16 << 10, 64 << 10, 1 << 20];

const EACH: usize = 16 << 20;

/// Bytes by which blocks may be larger than asked for that are no size classes: the threads' lists of blocks, by a page
/// each, and their names and handles.
const LISTS: u64 = 4 * SIZES.len() as u64 * 4096;
const HANDLES: u64 = 4 << 10;

/// Without the test harness, whose other threads would be counted too.
fn main() {
    assert_eq!(allocator().unwrap().name(), "jemalloc");
    reading_allocates_nothing();
    gathers_once_a_second();
    states_sum_up_to_what_jemalloc_has();
    both_count_the_same();
    blocks::are_right();
    states_sum_up_to_what_jemalloc_has();
    println!("jemalloc: ok");
}

fn reading_allocates_nothing() {
    memory();
    let before = counts().unwrap().allocations;
    fresh();
    for _ in 0..1_000 {
        memory();
    }
    assert_eq!(counts().unwrap().allocations - before, 0);
}

fn gathers_once_a_second() {
    let (before, start) = (epoch::read().unwrap(), Instant::now());
    scope(|scope| {
        let threads: [_; 4] = std::array::from_fn(|_| scope.spawn(|| (0..1_000).for_each(|_| _ = memory())));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    let gathered = epoch::read().unwrap() - before;
    assert!(gathered <= 1 + start.elapsed().as_secs(), "{gathered} times");
}

fn states_sum_up_to_what_jemalloc_has() {
    // jemalloc says the same until its epoch is advanced again.
    let told = fresh();
    let [resident, retained] =
        [stats::resident::read(), stats::retained::read()].map(|value| value.unwrap() as u64);
    let active = stats::active::read().unwrap() as u64;
    let states = [told.allocated, told.fragmented, told.metadata, told.cached, told.retained];
    assert_eq!(states.map(Option::unwrap).into_iter().sum::<u64>(), resident + retained, "{told:?}");
    assert_eq!((told.retained, told.in_use), (Some(retained), Some(active)));
    assert_eq!(told.metadata, Some(stats::metadata::read().unwrap() as u64));
    let in_pages = told.allocated.unwrap() + told.fragmented.unwrap() + in_threads();
    assert!(in_pages <= active, "{told:?}");
}

fn both_count_the_same() {
    let start = Reading::now();
    let mut held = None;
    let mut freed = None;
    let sizes = SIZES.as_slice();
    blocks::held_by_four_threads(
        EACH,
        sizes,
        || held = Some(Reading::now()),
        || freed = Some(Reading::now()),
    );
    let (held, freed, end) = (held.unwrap(), freed.unwrap(), Reading::now());

    assert!(held.ours - start.ours >= 4 * EACH as u64, "{start:?} {held:?}");
    assert!(freed.ours - start.ours < HANDLES, "{start:?} {freed:?}");
    for (later, rounded) in [(&held, LISTS + HANDLES), (&freed, HANDLES), (&end, HANDLES)] {
        let (ours, theirs) = (later.ours.wrapping_sub(start.ours), later.theirs.wrapping_sub(start.theirs));
        let apart = ours.wrapping_sub(theirs).cast_signed().unsigned_abs();
        assert!(apart <= rounded, "{ours} counted, {theirs} in jemalloc, from {start:?} to {later:?}");
    }
    // What threads keep is not allocated.
    assert!(freed.in_threads > start.in_threads, "{start:?} {freed:?}");
}

#[derive(Debug)]
struct Reading {
    ours: u64,
    theirs: u64,
    in_threads: u64,
}

impl Reading {
    fn now() -> Reading {
        let theirs = fresh().allocated.unwrap();
        Reading { ours: counts().unwrap().used(), theirs, in_threads: in_threads() }
    }
}

fn memory() -> Memory {
    allocator().unwrap().memory(0).unwrap()
}

/// What jemalloc has gathered after the call.
fn fresh() -> Memory {
    let (before, start) = (epoch::read().unwrap(), Instant::now());
    loop {
        let memory = memory();
        if epoch::read().unwrap() != before {
            return memory;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "jemalloc has not been asked to gather anew");
        sleep(Duration::from_millis(10));
    }
}

/// In caches of threads, as jemalloc has gathered last.
fn in_threads() -> u64 {
    let bytes: usize = b"stats.arenas.4096.tcache_bytes\0".name().read().unwrap();
    bytes as u64
}
