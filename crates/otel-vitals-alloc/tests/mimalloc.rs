//! What is told of mimalloc grows with what is counted.
#![cfg(not(loom))]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod blocks;

use mimalloc::MiMalloc;
use otel_vitals_alloc::{Counting, Memory, allocator, counts};

#[global_allocator]
static ALLOCATOR: Counting<MiMalloc> = Counting::new(MiMalloc);

const SIZES: [usize; 8] = [16, 64, 320, 1024, 4096, 16 << 10, 64 << 10, 1 << 20];

const EACH: usize = 16 << 20;

/// Without the test harness, whose other threads would be counted too.
fn main() {
    assert_eq!(allocator().unwrap().name(), "mimalloc");
    reading_allocates_nothing();
    what_is_allocated_is_committed();
    blocks::are_right();
    println!("mimalloc: ok");
}

fn reading_allocates_nothing() {
    let before = counts().unwrap().allocations;
    for _ in 0..1_000 {
        memory();
    }
    assert_eq!(counts().unwrap().allocations - before, 0);
}

fn what_is_allocated_is_committed() {
    let start = memory();
    let (mut held, mut freed) = (Memory::default(), Memory::default());
    blocks::held_by_four_threads(EACH, &SIZES, || held = memory(), || freed = memory());

    let grown = held.allocated.unwrap() - start.allocated.unwrap();
    assert!(grown >= 4 * EACH as u64, "{start:?} {held:?}");
    assert!(freed.allocated.unwrap() - start.allocated.unwrap() < 4 << 10, "{start:?} {freed:?}");
    let Some(committed) = start.in_use else {
        println!("this mimalloc does not tell what it has committed");
        return;
    };
    // Blocks may have been put into what was committed before.
    assert!(held.in_use.unwrap() - committed >= grown - start.cached.unwrap(), "{start:?} {held:?}");
    for told in [start, held, freed] {
        assert_eq!(told.allocated.unwrap() + told.cached.unwrap(), told.in_use.unwrap());
        assert_eq!((told.fragmented, told.metadata, told.retained), (None, None, None));
    }
}

fn memory() -> Memory {
    let used = counts().unwrap().used();
    let told = allocator().unwrap().memory(used).unwrap();
    assert_eq!(told.allocated, Some(used));
    told
}
