//! `rust.memory.*` and the snapshot are what the program did, to the byte. Without a test harness, whose own thread
//! would allocate beside it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod callbacks;

use callbacks::Callbacks;
use otel_vitals_core::SourceContext;
use otel_vitals_runtime::{AllocatorOptions, MemStats};
use std::hint::black_box;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: otel_vitals_alloc::Counting = otel_vitals_alloc::Counting::system();

const MIB: u64 = 1 << 20;

/// What the callbacks say now, in the order of [`NAMES`].
#[derive(Clone, Copy, Debug, PartialEq)]
struct Said([u64; NAMES.len()]);

const NAMES: [&str; 7] = [
    "rust.memory.allocated",
    "rust.memory.freed",
    "rust.memory.allocations",
    "rust.memory.deallocations",
    "rust.memory.reallocations",
    "rust.memory.used",
    "rust.memory.object.count",
];

impl Said {
    fn now(callbacks: &Callbacks) -> Self {
        let said = Said(NAMES.map(|name| callbacks.sum(name).unwrap()));
        assert_eq!(
            callbacks.sum("rust.allocator.memory.size"),
            Some(said.used()),
            "the system's tells no more"
        );
        let stats = MemStats::read();
        let Said([allocated, _, allocations, deallocations, _, used, objects]) = said;
        assert_eq!([stats.total_alloc, stats.alloc, stats.heap_alloc], [allocated, used, used]);
        assert_eq!([stats.mallocs, stats.frees, stats.heap_objects], [allocations, deallocations, objects]);
        said
    }

    fn used(&self) -> u64 {
        let Said([.., used, _]) = self;
        *used
    }

    /// What has come since, the last two as what is more or, wrapped around, less of it.
    fn since(&self, before: &Said) -> [u64; NAMES.len()] {
        let mut since = self.0;
        since.iter_mut().zip(before.0).for_each(|(now, before)| *now = now.wrapping_sub(before));
        since
    }
}

fn main() {
    let callbacks = Arc::new(Callbacks::default());
    let meter = callbacks.meter();
    let context = SourceContext::new(&meter, Duration::ZERO);
    let mut options = AllocatorOptions::default();
    options.size_classes = true;
    otel_vitals_runtime::register_allocator(&meter, &context, &options);
    let _warm = callbacks.count();

    what_is_allocated_and_freed(&callbacks);
    what_grows_and_shrinks(&callbacks);
    what_another_thread_frees(&callbacks);
    if cfg!(feature = "size-classes") {
        what_has_a_size(&callbacks);
    }
}

fn what_is_allocated_and_freed(callbacks: &Callbacks) {
    let before = Said::now(callbacks);
    let block = black_box(vec![1_u8; 64 << 20]);
    let held = Said::now(callbacks);
    assert_eq!(held.since(&before), [64 * MIB, 0, 1, 0, 0, 64 * MIB, 1]);
    drop(block);
    let after = Said::now(callbacks);
    assert_eq!(after.since(&before), [64 * MIB, 64 * MIB, 1, 1, 0, 0, 0]);
}

fn what_grows_and_shrinks(callbacks: &Callbacks) {
    let before = Said::now(callbacks);
    let mut block: Vec<u8> = Vec::with_capacity(1 << 20);
    block.reserve_exact(3 << 20);
    let larger = Said::now(callbacks);
    assert_eq!(larger.since(&before), [4 * MIB, MIB, 2, 1, 1, 3 * MIB, 1]);
    black_box(&mut block).shrink_to(2 << 20);
    let smaller = Said::now(callbacks);
    assert_eq!(smaller.since(&before), [6 * MIB, 4 * MIB, 3, 2, 2, 2 * MIB, 1]);
    drop(block);
    assert_eq!(Said::now(callbacks).since(&before), [6 * MIB, 6 * MIB, 3, 3, 2, 0, 0]);
}

fn what_another_thread_frees(callbacks: &Callbacks) {
    // Nothing of what they wait with allocates, once it has been waited with.
    let block = Arc::new(Mutex::new(None));
    let meet = Arc::new(Barrier::new(2));
    let thread = {
        let (block, meet) = (Arc::clone(&block), Arc::clone(&meet));
        std::thread::spawn(move || {
            meet.wait();
            meet.wait();
            drop(block.lock().unwrap().take());
            meet.wait();
            meet.wait();
        })
    };
    meet.wait();
    let before = Said::now(callbacks);
    *block.lock().unwrap() = Some(black_box(vec![1_u8; 5 << 20]));
    meet.wait();
    meet.wait();
    assert_eq!(Said::now(callbacks).since(&before), [5 * MIB, 5 * MIB, 1, 1, 0, 0, 0]);
    meet.wait();
    thread.join().unwrap();
}

/// Of each of Go's classes the largest, and everything in one class or another.
fn what_has_a_size(callbacks: &Callbacks) {
    let classes = MemStats::read().by_size;
    for class in classes.iter().skip(1) {
        drop(black_box(vec![0_u8; class.size as usize]));
    }
    let after = MemStats::read().by_size;
    for (before, after) in classes.iter().zip(&after).skip(1) {
        assert_eq!((after.mallocs - before.mallocs, after.frees - before.frees), (1, 1), "{}", after.size);
    }
    for (of_classes, of_all) in [
        ("rust.memory.size_class.allocations", "rust.memory.allocations"),
        ("rust.memory.size_class.deallocations", "rust.memory.deallocations"),
    ] {
        assert_eq!(callbacks.sum(of_classes), callbacks.sum(of_all));
    }
}
