//! Every reading is consistent, and no reading is behind one before it, however much is allocated meanwhile.
#![allow(
    unsafe_code,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test calls an allocator, and fails when it cannot go on"
)]

mod sampler;

use otel_vitals_alloc::{Counting, Counts, counts};
use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::sync_channel;
use std::thread;

static ALLOCATOR: Counting = Counting::system();

const READINGS: u64 = if cfg!(miri) {
    10
} else if cfg!(debug_assertions) {
    20_000
} else {
    // Optimised, as many would be over before the writers have started.
    400_000
};

/// A block that another thread frees.
struct Block(*mut u8, Layout);

// SAFETY: a block of memory belongs to whoever has it.
unsafe impl Send for Block {}

fn alloc(size: usize) -> Block {
    let layout = Layout::from_size_align(size, 8).unwrap();
    // SAFETY: the layout has a size.
    Block(unsafe { ALLOCATOR.alloc(layout) }, layout)
}

fn free(Block(block, layout): Block) {
    // SAFETY: the block came from this allocator with this layout.
    unsafe { ALLOCATOR.dealloc(block, layout) };
}

#[track_caller]
fn assert_consistent(counts: &Counts) {
    assert!(counts.freed <= counts.allocated, "{counts:?}");
    assert!(counts.deallocations <= counts.allocations, "{counts:?}");
    assert!(counts.reallocations <= counts.allocations, "{counts:?}");
    for class in counts.size_classes() {
        assert!(class.deallocations <= class.allocations, "{class:?}");
    }
}

#[track_caller]
fn assert_not_behind(before: &Counts, after: &Counts) {
    let totals = |counts: &Counts| {
        [counts.allocations, counts.deallocations, counts.reallocations, counts.allocated, counts.freed]
    };
    for (before, after) in totals(before).iter().zip(totals(after)) {
        assert!(*before <= after, "{before} went back to {after}");
    }
    for (before, after) in before.size_classes().zip(after.size_classes()) {
        assert!(before.allocations <= after.allocations && before.deallocations <= after.deallocations);
    }
}

/// Ends the test for all threads when one of them ends, even by a panic.
struct End<'a>(&'a AtomicU64);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(READINGS, Relaxed);
    }
}

fn read(readings: &AtomicU64) {
    let _end = End(readings);
    let mut before = counts().unwrap();
    while readings.fetch_add(1, Relaxed) < READINGS {
        let after = counts().unwrap();
        assert_consistent(&after);
        assert_not_behind(&before, &after);
        before = after;
    }
}

#[test]
fn readings_never_contradict_each_other_while_blocks_cross_threads_that_come_and_go() {
    // So often that readers meet threads that set their counter off.
    sampler::install(500);
    free(alloc(1));
    let readings = AtomicU64::new(0);
    let is_over = || readings.load(Relaxed) >= READINGS;
    thread::scope(|scope| {
        (0..2).for_each(|_| drop(scope.spawn(|| read(&readings))));
        // As few blocks as possible are alive, so that a reading that is a little off shows.
        let (sender, receiver) = sync_channel(1);
        scope.spawn(move || while !is_over() && sender.send(alloc(100)).is_ok() {});
        scope.spawn(move || receiver.into_iter().for_each(free));
        scope.spawn(move || {
            while !is_over() {
                (1..200).for_each(|size| free(alloc(size)));
            }
        });
        scope.spawn(move || {
            while !is_over() {
                let block = alloc(40_000);
                thread::spawn(|| free(block)).join().unwrap();
            }
        });
    });
}
