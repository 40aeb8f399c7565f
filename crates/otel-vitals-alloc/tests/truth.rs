//! Known sequences give exact counts.
//!
//! The wrapper is called directly and is not this program's global allocator, so that nothing else is counted; for the
//! same reason the tests of this file take turns.
#![allow(
    unsafe_code,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test calls an allocator, and fails when it cannot go on"
)]

use otel_vitals_alloc::{Counting, Counts, Introspect, Memory, Untold};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

static ALLOCATOR: Counting = Counting::system();

fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A block that another thread may free.
struct Block(*mut u8, Layout);

// SAFETY: a block of memory belongs to whoever has it.
unsafe impl Send for Block {}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

fn alloc(layout: Layout) -> Block {
    // SAFETY: the layouts of these tests have sizes, but for one that the system's allocator can do with.
    let block = unsafe { ALLOCATOR.alloc(layout) };
    assert!(!block.is_null());
    assert_eq!(block.addr() % layout.align(), 0);
    Block(block, layout)
}

impl Block {
    fn free(self) {
        // SAFETY: the block came from this allocator with this layout.
        unsafe { ALLOCATOR.dealloc(self.0, self.1) }
    }

    fn realloc(self, size: usize) -> Block {
        // SAFETY: as above.
        let block = unsafe { ALLOCATOR.realloc(self.0, self.1, size) };
        assert!(!block.is_null());
        Block(block, layout(size, self.1.align()))
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the block is as long as its layout says, and nobody else has it. Its bytes need no particular value.
        unsafe { std::slice::from_raw_parts_mut(self.0, self.1.size()) }
    }
}

/// How much more than `before` has been counted: allocations, deallocations, reallocations, bytes allocated and freed.
fn since(before: Option<&Counts>) -> [u64; 5] {
    let totals = |counts: &Counts| {
        [counts.allocations, counts.deallocations, counts.reallocations, counts.allocated, counts.freed]
    };
    let now = totals(&now());
    let before = before.map_or([0; 5], totals);
    std::array::from_fn(|which| now[which] - before[which])
}

fn now() -> Counts {
    // The first block makes the allocator one that counts.
    alloc(layout(1, 1)).free();
    otel_vitals_alloc::counts().unwrap()
}

/// [`now`] counts a block of its own.
fn expected([allocations, deallocations, reallocations, allocated, freed]: [u64; 5]) -> [u64; 5] {
    [allocations + 1, deallocations + 1, reallocations, allocated + 1, freed + 1]
}

#[test]
fn what_is_allocated_and_freed() {
    let _alone = alone();
    let before = now();
    let blocks = [1, 8, 100, 5_000, 1 << 20].map(|size| alloc(layout(size, 1)));
    assert_eq!(since(Some(&before)), expected([5, 0, 0, 5_109 + (1 << 20), 0]));
    let counts = now();
    assert_eq!(counts.objects() - before.objects(), 5);
    assert_eq!(counts.used() - before.used(), 5_109 + (1 << 20));
    let before = counts;
    blocks.into_iter().for_each(Block::free);
    assert_eq!(since(Some(&before)), expected([0, 5, 0, 0, 5_109 + (1 << 20)]));
}

#[test]
fn zeroed_memory_is_zero_and_counted() {
    let _alone = alone();
    let before = now();
    let large = if cfg!(miri) { 1 << 14 } else { 1 << 22 };
    for size in [1, 4_096, large] {
        let layout = layout(size, 16);
        // SAFETY: the layout has a size.
        let mut block = Block(unsafe { ALLOCATOR.alloc_zeroed(layout) }, layout);
        assert!(block.bytes().iter().all(|byte| *byte == 0));
        block.free();
    }
    let bytes = 1 + 4_096 + large as u64;
    assert_eq!(since(Some(&before)), expected([3, 3, 0, bytes, bytes]));
}

#[test]
fn a_reallocation_is_one_block_freed_and_one_allocated() {
    let _alone = alone();
    let before = now();
    let mut block = alloc(layout(100, 8));
    (0..100).zip(block.bytes()).for_each(|(at, byte)| *byte = at);
    block = block.realloc(1 << 20);
    assert!((0..100).eq(block.bytes()[..100].iter().copied()), "what was in the block stays in it");
    assert_eq!(since(Some(&before)), expected([2, 1, 1, 100 + (1 << 20), 100]));
    block = block.realloc(10);
    assert!((0..10).eq(block.bytes().iter().copied()));
    assert_eq!(since(Some(&before)), [3 + 2, 2 + 2, 2, 110 + (1 << 20) + 2, 100 + (1 << 20) + 2]);
    block.free();
}

#[test]
fn a_block_may_be_freed_by_another_thread_even_one_that_never_allocates() {
    let _alone = alone();
    let before = now();
    let blocks: Vec<Block> = (0..1_000).map(|_| alloc(layout(64, 8))).collect();
    assert_eq!(since(Some(&before)), expected([1_000, 0, 0, 64_000, 0]));
    let before = now();
    thread::spawn(|| blocks.into_iter().for_each(Block::free)).join().unwrap();
    assert_eq!(since(Some(&before)), expected([0, 1_000, 0, 0, 64_000]));
}

#[test]
fn a_thread_may_begin_with_a_reallocation() {
    let _alone = alone();
    let before = now();
    let block = alloc(layout(10, 1));
    thread::spawn(|| block.realloc(30).free()).join().unwrap();
    assert_eq!(since(Some(&before)), expected([2, 2, 1, 40, 40]));
}

#[test]
fn odd_layouts_are_passed_on_and_counted() {
    let _alone = alone();
    let before = now();
    let odd = [(0, 1), (0, 64), (1, 4_096), (100, 32), (3, 1 << 20), (16, 16)];
    odd.into_iter().for_each(|(size, align)| alloc(layout(size, align)).free());
    assert_eq!(since(Some(&before)), expected([6, 6, 0, 120, 120]));
}

#[cfg(feature = "size-classes")]
#[test]
fn every_size_counts_in_its_class() {
    let _alone = alone();
    let before = now();
    let sizes = [1, 8, 9, 1_024, 1_025, 32_768, 32_769, 1 << 20];
    let blocks = sizes.map(|size| alloc(layout(size, 1)));
    let after = now();
    let grown: Vec<(Option<u64>, u64)> = before
        .size_classes()
        .zip(after.size_classes())
        .map(|(before, after)| (after.bound, after.allocations - before.allocations))
        .filter(|(_, grown)| *grown > 0)
        .collect();
    let bound = Some;
    // One of those in the smallest class is the one of `now`.
    let expected =
        [(bound(8), 3), (bound(16), 1), (bound(1_024), 1), (bound(1_152), 1), (bound(32_768), 1), (None, 2)];
    assert_eq!(grown, expected);
    assert_eq!(after.size_classes().map(|class| class.allocations).sum::<u64>(), after.allocations);
    assert_eq!(after.size_classes().map(|class| class.deallocations).sum::<u64>(), after.deallocations);
    blocks.into_iter().for_each(Block::free);
}

/// Has no memory for anybody.
struct Failing;

// SAFETY: null is what an allocator returns that has no memory.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, _layout: Layout) -> *mut u8 {
        ptr::null_mut()
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
}

#[test]
fn what_fails_is_not_counted() {
    static FAILING: Counting<Failing> = Counting::new(Failing);
    let _alone = alone();
    let before = now();
    let mut byte = 0;
    for align in [1, 4_096] {
        let layout = layout(8, align);
        // SAFETY: the layout has a size, and the block that does not become a larger one is never looked at.
        let blocks = unsafe {
            [FAILING.alloc(layout), FAILING.alloc_zeroed(layout), FAILING.realloc(&raw mut byte, layout, 16)]
        };
        assert_eq!(blocks, [ptr::null_mut(); 3]);
    }
    assert_eq!(since(Some(&before)), expected([0; 5]));
}

/// Counts which of its methods are called.
#[derive(Default)]
struct Methods(Mutex<[u32; 4]>);

impl Methods {
    fn called(&self, method: usize) {
        self.0.lock().unwrap()[method] += 1;
    }
}

// SAFETY: passes every call on.
unsafe impl GlobalAlloc for Methods {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.called(0);
        // SAFETY: the caller keeps the conditions of this method, which are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.called(1);
        // SAFETY: the caller keeps the conditions of this method, which are the same.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.called(2);
        // SAFETY: the caller keeps the conditions of this method, which are the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.called(3);
        // SAFETY: the caller keeps the conditions of this method, which are the same.
        unsafe { System.realloc(block, layout, size) }
    }
}

impl Introspect for Methods {
    const NAME: &'static str = "methods";

    fn memory(used: u64) -> Result<Memory, Untold> {
        let mut memory = Memory::default();
        memory.retained = Some(used + 1);
        Ok(memory)
    }
}

#[test]
fn each_method_is_the_same_method_of_the_inner_allocator() {
    let _alone = alone();
    let allocator = Counting::introspected(Methods::default());
    let layout = layout(100, 8);
    // SAFETY: each block is freed with the layout that it has.
    unsafe {
        allocator.dealloc(allocator.alloc(layout), layout);
        allocator.dealloc(
            allocator.realloc(allocator.alloc_zeroed(layout), layout, 50),
            Layout::new::<[u8; 50]>(),
        );
    }
    assert_eq!(*allocator.inner().0.lock().unwrap(), [1, 2, 1, 1]);
}

#[test]
fn an_allocator_of_ones_own_tells_what_it_holds() {
    let _alone = alone();
    let allocator = Counting::introspected(Methods::default());
    let layout = layout(100, 8);
    // The wrapper of whoever counts first on a thread is the one that is asked.
    thread::scope(|scope| {
        // SAFETY: the block is freed with the layout that it has.
        scope.spawn(|| unsafe { allocator.dealloc(allocator.alloc(layout), layout) });
    });
    let told = otel_vitals_alloc::allocator().unwrap();
    assert_eq!(told.name(), "methods");
    assert_eq!(told.memory(41).unwrap().retained, Some(42));
    assert_eq!(told.memory(41).unwrap().allocated, None);
}
