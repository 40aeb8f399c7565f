//! What is counted is what an allocator underneath has been asked for, whatever the threads do.
//!
//! The allocator underneath counts under a lock. The wrapper is called directly and is not this program's global
//! allocator, so that what is counted on the way is not in it.
#![allow(
    unsafe_code,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test calls an allocator, and fails when it cannot go on"
)]

mod sampler;

use otel_vitals_alloc::{Counting, Counts};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

/// Counts under a lock, as simply as it can be done.
#[derive(Debug)]
struct Locked(Mutex<Totals>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    allocations: u64,
    deallocations: u64,
    reallocations: u64,
    allocated: u64,
    freed: u64,
}

impl Locked {
    fn count(&self, allocated: Option<usize>, freed: Option<usize>) {
        let mut totals = self.0.lock().unwrap();
        if let Some(size) = allocated {
            totals.allocations += 1;
            totals.allocated += size as u64;
        }
        if let Some(size) = freed {
            totals.deallocations += 1;
            totals.freed += size as u64;
        }
        totals.reallocations += u64::from(allocated.is_some() && freed.is_some());
    }
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Locked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.count(Some(layout.size()), None);
        // SAFETY: the caller keeps the conditions of this method, which are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.count(Some(layout.size()), None);
        // SAFETY: the caller keeps the conditions of this method, which are the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.count(Some(size), Some(layout.size()));
        // SAFETY: the caller keeps the conditions of this method, which are the same.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.count(None, Some(layout.size()));
        // SAFETY: the caller keeps the conditions of this method, which are the same.
        unsafe { System.dealloc(block, layout) }
    }
}

static ALLOCATOR: Counting<Locked> = Counting::new(Locked(Mutex::new(Totals {
    allocations: 0,
    deallocations: 0,
    reallocations: 0,
    allocated: 0,
    freed: 0,
})));

/// A block, which whoever has it last frees.
struct Block(*mut u8, Layout);

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block came from this allocator with this layout, and is freed once.
        unsafe { ALLOCATOR.dealloc(self.0, self.1) };
    }
}

// SAFETY: a block of memory belongs to whoever has it.
unsafe impl Send for Block {}

/// A sequence of numbers that is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    /// Small sizes more often than large ones.
    fn layout(&mut self) -> Layout {
        let magnitude = self.below(18);
        let align = 1 << self.below(8);
        Layout::from_size_align(1 + self.below(1 << magnitude), align).unwrap()
    }
}

const THREADS: u64 = 8;
const STEPS: usize = if cfg!(miri) { 60 } else { 20_000 };

/// Allocates, reallocates, frees and hands over, at random.
fn work(seed: u64, hand_over: impl Fn(Block), handed_over: impl Fn() -> Option<Block>) {
    let mut numbers = Numbers(seed);
    let mut blocks: Vec<Block> = Vec::new();
    for _ in 0..STEPS {
        let choice = if blocks.is_empty() { 0 } else { numbers.below(8) };
        let layout = numbers.layout();
        match choice {
            // SAFETY: the layout has a size.
            0..3 => blocks.push(Block(unsafe { ALLOCATOR.alloc(layout) }, layout)),
            // SAFETY: as above.
            3 => blocks.push(Block(unsafe { ALLOCATOR.alloc_zeroed(layout) }, layout)),
            4 => {
                let at = numbers.below(blocks.len());
                let Block(block, old) = &mut blocks[at];
                // SAFETY: the block has this layout, and another from here on.
                *block = unsafe { ALLOCATOR.realloc(*block, *old, layout.size()) };
                *old = Layout::from_size_align(layout.size(), old.align()).unwrap();
            }
            5 => hand_over(blocks.swap_remove(numbers.below(blocks.len()))),
            _ => drop(blocks.swap_remove(numbers.below(blocks.len()))),
        }
        blocks.extend(handed_over());
    }
}

fn totals(counts: &Counts) -> Totals {
    Totals {
        allocations: counts.allocations,
        deallocations: counts.deallocations,
        reallocations: counts.reallocations,
        allocated: counts.allocated,
        freed: counts.freed,
    }
}

/// With samples in between, as often as every tenth block.
#[test]
fn the_totals_are_those_of_an_independent_count() {
    let samples = sampler::install(100_000);
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| channel()).unzip();
    thread::scope(|scope| {
        for (number, receiver) in (0..THREADS).zip(receivers) {
            let next = senders[(number as usize + 1) % senders.len()].clone();
            scope.spawn(move || {
                // What nobody takes any more is freed at once.
                let hand_over = |block| drop(next.send(block));
                work(number + 1, hand_over, || receiver.try_recv().ok());
            });
        }
        drop(senders);
    });
    let counts = otel_vitals_alloc::counts().unwrap();
    let expected = *ALLOCATOR.inner().0.lock().unwrap();
    assert_eq!(totals(&counts), expected);
    assert!(counts.allocations > THREADS * STEPS as u64 / 4, "{counts:?}");
    #[cfg(all(unix, not(otel_vitals_portable)))]
    assert!(samples.all_samples() > THREADS * STEPS as u64 / 100, "{}", samples.all_samples());
    assert_eq!(samples.live(), 0, "every block is freed");
    #[cfg(feature = "size-classes")]
    {
        assert_eq!(counts.size_classes().map(|class| class.allocations).sum::<u64>(), expected.allocations);
        assert_eq!(
            counts.size_classes().map(|class| class.deallocations).sum::<u64>(),
            expected.deallocations
        );
    }
}
