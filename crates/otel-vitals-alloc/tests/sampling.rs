//! Samples are picked without bias, and their ends are told once.
//!
//! The wrapper is called directly and is not this program's global allocator, so that nothing else is sampled; for the
//! same reason the tests of this file take turns.
#![cfg(all(unix, not(otel_vitals_portable)))]
#![allow(
    unsafe_code,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test calls an allocator, and fails when it cannot go on"
)]

mod sampler;

use otel_vitals_alloc::{Counting, counts, sampling};
use sampler::{TABLE, Table, install};
use std::alloc::{GlobalAlloc, Layout};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Gives addresses and no memory, which nobody here looks into.
struct Addresses;

/// The next block; none when it is zero.
static NEXT: AtomicUsize = AtomicUsize::new(1 << 40);

const PAGE: usize = 4096;

// SAFETY: its callers here do not use their blocks.
unsafe impl GlobalAlloc for Addresses {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let room = layout.size().next_multiple_of(16);
        let next = NEXT.fetch_update(Relaxed, Relaxed, |next| (next != 0).then_some(next + room));
        ptr::without_provenance_mut(next.unwrap_or(0))
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}

    /// What becomes shorter stays where it is.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size <= layout.size() {
            return block;
        }
        // SAFETY: the size is that of a layout, as the caller says.
        unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) }
    }
}

static ALLOCATOR: Counting<Addresses> = Counting::new(Addresses);

/// The test has this to itself, and nothing that was sampled before; samples come at the `interval`.
fn alone(interval: u64) -> (MutexGuard<'static, ()>, &'static Table) {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(TABLE.live(), 0, "a test has left a sample");
    NEXT.store(NEXT.load(Relaxed).next_multiple_of(PAGE), Relaxed);
    (turn, install(interval))
}

/// Nobody else can have it.
struct Block(*mut u8, Layout);

// SAFETY: nobody looks into it.
unsafe impl Send for Block {}

fn alloc(size: usize) -> Block {
    let layout = Layout::from_size_align(size, 8).unwrap();
    // SAFETY: the layout has a size.
    Block(unsafe { ALLOCATOR.alloc(layout) }, layout)
}

impl Block {
    fn realloc(self, size: usize) -> Block {
        // SAFETY: the block came from this allocator with this layout.
        let block = unsafe { ALLOCATOR.realloc(self.0, self.1, size) };
        Block(block, Layout::from_size_align(size, 8).unwrap())
    }

    fn free(self) {
        // SAFETY: as above.
        unsafe { ALLOCATOR.dealloc(self.0, self.1) };
    }

    fn is_sampled(&self) -> bool {
        TABLE.has(self.0.addr())
    }
}

/// Sizes, each a power of two, and how many blocks of them a thread allocates.
const SIZES: [(usize, u64); 8] = [
    (8, 1 << 19),
    (64, 1 << 16),
    (1 << 10, 1 << 13),
    (8 << 10, 4_096),
    (16 << 10, 2_048),
    (64 << 10, 1_024),
    (1 << 20, 256),
    (16 << 20, 128),
];
const INTERVAL: u64 = 16 << 10;
const THREADS: u64 = 3;

/// `times` blocks are allocated of which each is a sample with the probability that its size gives it, whatever the others
/// are: the number is binomial. Beyond seven standard deviations, where there are some hundred expected, is one in 10⁹.
#[track_caller]
fn assert_unbiased(sampled: u64, times: u64, size: usize) {
    let probability = 1.0 - (-(size as f64) / INTERVAL as f64).exp();
    let expected = times as f64 * probability;
    let deviation = (expected * (1.0 - probability)).sqrt();
    assert!((sampled as f64 - expected).abs() <= 7.0 * deviation + 1.0, "{size}: {sampled} of {expected}");
}

#[test]
fn blocks_of_every_size_are_sampled_as_often_as_their_weight_says() {
    let (_alone, table) = alone(INTERVAL);
    let before = SIZES.map(|(size, _)| table.samples(size));
    let round = || {
        // In turns, so that each size comes after each other.
        for turn in 0..SIZES[0].1 {
            for (size, times) in SIZES.iter().filter(|(_, times)| turn % (SIZES[0].1 / times) == 0) {
                alloc(*size).free();
                assert!(*times > 0);
            }
        }
    };
    thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(round))));
    for ((size, times), before) in SIZES.into_iter().zip(before) {
        assert_unbiased(table.samples(size) - before, THREADS * times, size);
    }
}

#[test]
fn what_lives_is_sampled_as_often_as_its_weight_says() {
    let (_alone, table) = alone(INTERVAL);
    let mut blocks: Vec<Block> = (0..40_000).map(|_| alloc(256)).collect();
    assert_unbiased(table.live() as u64, 40_000, 256);
    blocks.drain(..20_000).for_each(Block::free);
    assert_unbiased(table.live() as u64, 20_000, 256);
    // What grows is weighed by what it has become.
    let blocks: Vec<Block> = blocks.into_iter().map(|block| block.realloc(1_024)).collect();
    assert_unbiased(table.live() as u64, 20_000, 1_024);
    assert_eq!(table.live(), blocks.iter().filter(|block| block.is_sampled()).count());
    thread::spawn(|| blocks.into_iter().for_each(Block::free)).join().unwrap();
    assert_eq!(table.live(), 0, "each end is told, by whichever thread it comes");
}

#[test]
fn nothing_is_sampled_while_it_is_off() {
    let (_alone, table) = alone(0);
    let before = table.all_samples();
    (0..10_000).for_each(|_| alloc(1 << 20).free());
    assert_eq!((table.all_samples(), sampling::interval()), (before, 0));
}

#[test]
fn the_interval_is_changed_for_the_calling_thread_at_once_and_for_others_after_a_sample() {
    let (_alone, table) = alone(1 << 40);
    let changed = Barrier::new(2);
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            alloc(1).free();
            changed.wait();
            changed.wait();
            // A sample for certain; and from the next on, with the mean that is in force.
            alloc(1 << 50).free();
            let drawn_before = table.interval();
            alloc(64).free();
            (drawn_before, table.interval())
        });
        changed.wait();
        sampling::set_interval(1);
        assert_eq!(sampling::interval(), 1);
        changed.wait();
        assert_eq!(other.join().unwrap(), (1 << 40, 1));
    });
    let before = table.samples(64);
    (0..100).for_each(|_| alloc(64).free());
    assert_eq!(table.samples(64) - before, 100, "the next byte is the last of a gap, next to always");
    sampling::set_interval(1 << 40);
    (0..100).for_each(|_| alloc(64).free());
    assert_eq!(table.samples(64) - before, 100);
}

/// With a mean of one byte every block of this size is.
fn sampled(size: usize) -> Block {
    let block = alloc(size);
    assert!(block.is_sampled());
    block
}

#[test]
fn a_sample_that_is_reallocated_ends_and_what_it_becomes_is_one_of_its_own() {
    let (_alone, table) = alone(1);
    for size in [100, 10_000] {
        let (before, ends) = (table.all_samples(), table.ends());
        let block = sampled(200).realloc(size);
        assert!(block.is_sampled());
        assert_eq!((table.all_samples() - before, table.ends() - ends, table.live()), (2, 1, 1));
        sampling::set_interval(0);
        let block = block.realloc(size + 1).realloc(size);
        assert!(!block.is_sampled());
        assert_eq!((table.all_samples() - before, table.ends() - ends, table.live()), (2, 2, 0));
        block.free();
        sampling::set_interval(1);
    }
}

#[test]
fn a_sample_whose_reallocation_fails_is_one_still() {
    let (_alone, table) = alone(1);
    let block = sampled(100);
    let (before, ends, next) = (table.all_samples(), table.ends(), NEXT.swap(0, Relaxed));
    // SAFETY: the block came from this allocator with this layout, and the larger one is none.
    let larger = unsafe { ALLOCATOR.realloc(block.0, block.1, 200) };
    NEXT.store(next, Relaxed);
    assert!(larger.is_null() && block.is_sampled());
    assert_eq!((table.all_samples(), table.ends()), (before, ends));
    block.free();
    assert_eq!((table.ends(), table.live()), (ends + 1, 0));
}

#[test]
fn ends_are_told_of_blocks_in_the_page_of_a_sample_and_of_no_others() {
    let (_alone, table) = alone(1);
    let others = || table.others();
    let sample = sampled(64);
    sampling::set_interval(0);
    let (near, reallocated) = (alloc(64), alloc(64));
    // The first begins in the same page.
    let far: Vec<Block> = (0..100).map(|_| alloc(PAGE)).skip(1).collect();
    let before = others();
    far.into_iter().for_each(Block::free);
    assert_eq!(others(), before, "nothing begins in their pages that is a sample");
    near.free();
    let reallocated = reallocated.realloc(32);
    assert_eq!(others(), before + 2, "another in its page was looked for");
    sample.free();
    reallocated.free();
    assert_eq!(others(), before + 2, "there is none any more");
}

#[test]
fn what_is_counted_is_exact_while_everything_is_a_sample() {
    let (_alone, _) = alone(1);
    let totals = || {
        let counts = counts().unwrap();
        [counts.allocations, counts.deallocations, counts.reallocations, counts.allocated, counts.freed]
    };
    let before = totals();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1_000).for_each(|_| alloc(100).realloc(300).realloc(50).free()));
        }
    });
    let after = totals();
    let counted: Vec<u64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    assert_eq!(counted, [12_000, 12_000, 8_000, 1_800_000, 1_800_000]);
}

#[test]
#[cfg(all(target_os = "linux", not(miri)))]
fn a_thread_that_has_allocated_knows_where_its_stack_is() {
    let (_alone, _) = alone(0);
    let told = thread::Builder::new().stack_size(64 << 10).spawn(|| {
        let before = sampling::own_stack();
        alloc(1).free();
        let here = &raw const before;
        (before.is_none(), sampling::own_stack().map(|stack| (stack.contains(&here.addr()), stack.len())))
    });
    let (not_before, after) = told.unwrap().join().unwrap();
    assert!(not_before);
    // With a guard, where the C library adds that.
    assert!(matches!(after, Some((true, 0x10000..0x20000))), "{after:x?}");
}
