//! Threads that come and go leave their counts and nothing else.
#![allow(
    unsafe_code,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test calls an allocator, and fails when it cannot go on"
)]

use otel_vitals_alloc::{Counting, counts, own_size};
use std::alloc::{GlobalAlloc, Layout};
use std::thread;

/// Called directly and not the global allocator, so that what threads need to start is not counted.
static ALLOCATOR: Counting = Counting::system();

const THREADS: u64 = if cfg!(miri) { 40 } else { 200_000 };
const AT_A_TIME: u64 = 20;
const BLOCKS: u64 = 3;

fn allocate_and_free() {
    for size in 1..=BLOCKS {
        let layout = Layout::from_size_align(size as usize * 100, 1).unwrap();
        // SAFETY: the layout has a size, and the block is freed with it.
        unsafe { ALLOCATOR.dealloc(ALLOCATOR.alloc(layout), layout) };
    }
}

#[test]
fn two_hundred_thousand_threads_lose_nothing_and_leave_nothing() {
    allocate_and_free();
    let before = counts().unwrap();
    for _ in 0..THREADS / AT_A_TIME {
        // To join a thread is to wait for its very end, which a scope does not.
        let threads: Vec<_> = (0..AT_A_TIME).map(|_| thread::spawn(allocate_and_free)).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
    let after = counts().unwrap();
    assert_eq!(after.allocations - before.allocations, THREADS * BLOCKS);
    assert_eq!(after.deallocations - before.deallocations, THREADS * BLOCKS);
    assert_eq!(after.allocated - before.allocated, THREADS * 600);
    assert_eq!(after.freed - before.freed, THREADS * 600);
    // Shards of 1,280 bytes each, for as many threads as there were at a time, in chunks: 16, and 32 more.
    assert!(own_size() < 3 * AT_A_TIME * 1_280, "{} bytes", own_size());
}
