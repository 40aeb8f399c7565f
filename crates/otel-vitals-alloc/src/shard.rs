//! What one thread has counted.

mod gaps;
mod sys;
mod trigger;

use std::hint::cold_path;
use std::mem::offset_of;

use crate::atomic::{AtomicU32, AtomicU64, Ordering, Ordering::*, const_unless_loom};
use crate::counts::Counts;
#[cfg(feature = "size-classes")]
pub(crate) use crate::size_class::SMALL;
#[cfg(feature = "size-classes")]
use crate::size_class::{ByClass, Class};
pub(crate) use gaps::{Gaps, LARGEST_INTERVAL};
use trigger::Trigger;

/// Without classes, no size is looked up; this is the largest that a layout has.
#[cfg(not(feature = "size-classes"))]
pub(crate) const SMALL: usize = isize::MAX as usize;

/// The counters of one thread at a time.
///
/// The thread that holds a shard is its only writer, so that it counts with a load, an addition and a store: no lock
/// prefix, and on x86-64 one instruction. Shards are never freed and go from one thread to the next with what they
/// have counted, so that no total ever goes back.
///
/// What was allocated is stored before the block is handed out and what was freed with `Release`: a reader that sees
/// (`Acquire`) a free also sees the allocation that it ends, whichever thread made that. Readers load all that was freed
/// first, and so never see more freed than allocated.
///
/// Memory that is all zero is a shard that has counted nothing.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Shard {
    /// Bytes allocated, set off by `trigger`. The sign bit is how one addition answers two questions besides, with a flag
    /// of the processor that it sets anyway: it is set where the shard is nobody's, and where the next sample is due.
    allocated: AtomicU64,
    /// Bytes freed. The sign bit is set where the shard is nobody's; else no program lives to see it.
    freed: AtomicU64,
    reallocations: AtomicU64,
    trigger: Trigger,
    /// How far it is from one sample to the next.
    pub(crate) gaps: Gaps,
    objects: Objects,
    /// The generation of the thread that holds the shard; zero when nobody does.
    pub(crate) holder: AtomicU32,
    /// The next free shard, where this one is free.
    pub(crate) next: AtomicU32,
    /// Where this shard is among all.
    pub(crate) index: AtomicU32,
    /// Bytes of the holder's stack.
    pub(crate) stack: AtomicU64,
}

/// How many blocks were allocated and freed: by class where classes are counted, because their sums are the totals.
#[derive(Debug)]
#[repr(C)]
struct Objects {
    #[cfg(feature = "size-classes")]
    allocations: ByClass<AtomicU64>,
    #[cfg(feature = "size-classes")]
    deallocations: ByClass<AtomicU64>,
    #[cfg(not(feature = "size-classes"))]
    allocations: AtomicU64,
    #[cfg(not(feature = "size-classes"))]
    deallocations: AtomicU64,
}

/// What the bytes of a shard that is nobody's begin with, and are set back to: as far below zero as can be.
#[cfg(any(test, all(unix, not(otel_vitals_portable))))]
const NOBODYS: u64 = 1 << 63;

impl Shard {
    const_unless_loom! {
        /// A shard that has counted nothing.
        pub(crate) fn new() -> Shard {
            Shard {
                allocated: AtomicU64::new(0),
                freed: AtomicU64::new(0),
                reallocations: AtomicU64::new(0),
                trigger: Trigger::new(),
                gaps: Gaps::new(),
                objects: Objects::new(),
                holder: AtomicU32::new(0),
                next: AtomicU32::new(0),
                index: AtomicU32::new(0),
                stack: AtomicU64::new(0),
            }
        }
    }

    const_unless_loom! {
        /// A shard that is nobody's. Who counts on it is told that it cannot, and what it adds is never read.
        #[cfg(any(test, all(unix, not(otel_vitals_portable))))]
        pub(crate) fn nobodys() -> Shard {
            let mut shard = Shard::new();
            shard.allocated = AtomicU64::new(NOBODYS);
            shard.freed = AtomicU64::new(NOBODYS);
            shard
        }
    }

    /// To be called on a shard that is nobody's, by whoever was told so.
    #[cfg(any(test, all(unix, not(otel_vitals_portable))))]
    pub(crate) fn stay_nobodys(&self) {
        self.allocated.store(NOBODYS, Relaxed);
        self.freed.store(NOBODYS, Relaxed);
    }

    /// Whether the calling thread has counted an allocation of `size` bytes here. If not, either it does not hold the
    /// shard, or the sign bit is reached, and bytes are counted but the object is not.
    #[inline(always)]
    pub(crate) fn allocated(&self, size: usize) -> bool {
        // Each way from here to its end: what they would share costs small blocks an instruction.
        if size > SMALL {
            cold_path();
            return self.add_allocated(size) && add(self.objects.allocations_of_large(size), 1, Relaxed);
        }
        self.add_allocated(size) && add(self.objects.allocations_of_small(size), 1, Relaxed)
    }

    /// As [`allocated`](Shard::allocated), of `size` bytes that are freed.
    #[inline(always)]
    pub(crate) fn freed(&self, size: usize) -> bool {
        if size > SMALL {
            cold_path();
            return self.add_freed(size) && add(self.objects.deallocations_of_large(size), 1, Release);
        }
        self.add_freed(size) && add(self.objects.deallocations_of_small(size), 1, Release)
    }

    /// As [`allocated`](Shard::allocated), of a block of `old` bytes that has become one of `new`.
    #[inline(always)]
    pub(crate) fn reallocated(&self, old: usize, new: usize) -> bool {
        if !self.allocated(new) {
            return false;
        }
        self.freed_by_reallocation(old);
        true
    }

    /// Whether the sign bit of the bytes allocated is clear once these are added.
    #[inline(always)]
    fn add_allocated(&self, size: usize) -> bool {
        const { assert!(offset_of!(Shard, allocated) == 0) };
        sys::add::<0>(self, &self.allocated, size as u64, Relaxed)
    }

    /// The same of the bytes freed.
    #[inline(always)]
    fn add_freed(&self, size: usize) -> bool {
        const { assert!(offset_of!(Shard, freed) == size_of::<u64>()) };
        sys::add::<{ size_of::<u64>() }>(self, &self.freed, size as u64, Release)
    }

    #[inline(always)]
    fn freed_by_reallocation(&self, old: usize) {
        add(&self.freed, old as u64, Release);
        add(self.objects.deallocations(old), 1, Release);
        add(&self.reallocations, 1, Release);
    }

    /// Whether a sample is due, so that the thread that holds the shard is to [set it off](Shard::set_off) again.
    pub(crate) fn is_due(&self) -> bool {
        self.allocated.load(Relaxed).cast_signed() < 0
    }

    /// Sees to it that a sample is due with the last of the next `gap` bytes that are allocated. To be called by the thread
    /// that holds the shard, which, in signal handlers, too, counts nothing here meanwhile.
    pub(crate) fn set_off(&self, gap: u64) {
        self.trigger.set(&self.allocated, gap);
    }

    /// Counts the object of an allocation with which the sign bit was reached.
    pub(crate) fn allocated_object(&self, size: usize) {
        add(self.objects.allocations(size), 1, Relaxed);
    }

    /// Counts what is left of a reallocation with which the sign bit was reached.
    pub(crate) fn reallocated_object(&self, old: usize, new: usize) {
        self.allocated_object(new);
        self.freed_by_reallocation(old);
    }

    /// Counts the object of a free with which the sign bit was reached.
    pub(crate) fn freed_object(&self, size: usize) {
        add(self.objects.deallocations(size), 1, Release);
    }

    /// Counts an allocation on a shard that many threads write.
    pub(crate) fn allocated_by_many(&self, size: usize) {
        self.allocated.fetch_add(size as u64, Relaxed);
        self.objects.allocations(size).fetch_add(1, Relaxed);
    }

    /// Counts what is freed on a shard that many threads write.
    pub(crate) fn freed_by_many(&self, size: usize) {
        self.freed.fetch_add(size as u64, Release);
        self.objects.deallocations(size).fetch_add(1, Release);
    }

    /// Counts a reallocation on a shard that many threads write.
    pub(crate) fn reallocated_by_many(&self, old: usize, new: usize) {
        self.allocated_by_many(new);
        self.freed_by_many(old);
        self.reallocations.fetch_add(1, Release);
    }
}

/// Reading, from any thread.
impl Shard {
    /// Adds to `counts` what was freed. To be called for every shard before [`read_allocated`](Shard::read_allocated)
    /// is for any.
    pub(crate) fn read_freed(&self, counts: &mut Counts) {
        counts.freed = counts.freed.wrapping_add(self.freed.load(Acquire));
        counts.reallocations += self.reallocations.load(Acquire);
        self.objects.read_deallocations(counts);
    }

    /// Adds to `counts` what was allocated.
    pub(crate) fn read_allocated(&self, counts: &mut Counts) {
        counts.allocated = counts.allocated.wrapping_add(self.trigger.read(&self.allocated));
        self.objects.read_allocations(counts);
    }
}

#[cfg(feature = "size-classes")]
impl Objects {
    const_unless_loom! {
        fn new() -> Objects {
            Objects { allocations: ByClass::zero(), deallocations: ByClass::zero() }
        }
    }

    #[inline(always)]
    fn allocations(&self, size: usize) -> &AtomicU64 {
        self.allocations.of(Class::of(size))
    }

    #[inline(always)]
    fn deallocations(&self, size: usize) -> &AtomicU64 {
        self.deallocations.of(Class::of(size))
    }

    #[inline(always)]
    fn allocations_of_small(&self, size: usize) -> &AtomicU64 {
        self.allocations.of(Class::of_small(size))
    }

    #[inline(always)]
    fn allocations_of_large(&self, size: usize) -> &AtomicU64 {
        self.allocations.of(Class::of_large(size))
    }

    #[inline(always)]
    fn deallocations_of_small(&self, size: usize) -> &AtomicU64 {
        self.deallocations.of(Class::of_small(size))
    }

    #[inline(always)]
    fn deallocations_of_large(&self, size: usize) -> &AtomicU64 {
        self.deallocations.of(Class::of_large(size))
    }

    fn read_deallocations(&self, counts: &mut Counts) {
        for (counter, class) in self.deallocations.iter().zip(counts.classes.iter_mut()) {
            let count = counter.load(Acquire);
            class.deallocations += count;
            counts.deallocations += count;
        }
    }

    fn read_allocations(&self, counts: &mut Counts) {
        for (counter, class) in self.allocations.iter().zip(counts.classes.iter_mut()) {
            let count = counter.load(Relaxed);
            class.allocations += count;
            counts.allocations += count;
        }
    }
}

#[cfg(not(feature = "size-classes"))]
impl Objects {
    const_unless_loom! {
        fn new() -> Objects {
            Objects { allocations: AtomicU64::new(0), deallocations: AtomicU64::new(0) }
        }
    }

    #[inline(always)]
    fn allocations(&self, _size: usize) -> &AtomicU64 {
        &self.allocations
    }

    #[inline(always)]
    fn deallocations(&self, _size: usize) -> &AtomicU64 {
        &self.deallocations
    }

    #[inline(always)]
    fn allocations_of_small(&self, _size: usize) -> &AtomicU64 {
        &self.allocations
    }

    #[inline(always)]
    fn allocations_of_large(&self, _size: usize) -> &AtomicU64 {
        &self.allocations
    }

    #[inline(always)]
    fn deallocations_of_small(&self, _size: usize) -> &AtomicU64 {
        &self.deallocations
    }

    #[inline(always)]
    fn deallocations_of_large(&self, _size: usize) -> &AtomicU64 {
        &self.deallocations
    }

    fn read_deallocations(&self, counts: &mut Counts) {
        counts.deallocations += self.deallocations.load(Acquire);
    }

    fn read_allocations(&self, counts: &mut Counts) {
        counts.allocations += self.allocations.load(Relaxed);
    }
}

/// Adds to a counter that the calling thread alone writes; which it always can.
#[inline(always)]
fn add(counter: &AtomicU64, more: u64, order: Ordering) -> bool {
    counter.store(counter.load(Relaxed).wrapping_add(more), order);
    true
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn read(shard: &Shard) -> Counts {
        let mut counts = Counts::none();
        shard.read_freed(&mut counts);
        shard.read_allocated(&mut counts);
        counts
    }

    #[test]
    fn who_tries_a_shard_that_is_nobodys_is_told_so_for_ever() {
        let shard = Shard::nobodys();
        for _ in 0..3 {
            assert!(!shard.allocated(1 << 62) && !shard.freed(1 << 62));
            shard.stay_nobodys();
            assert!(!shard.reallocated(1, 1 << 62));
            shard.stay_nobodys();
        }
        assert_eq!(read(&shard).allocations, 0);
    }

    #[test]
    fn at_the_sign_bit_bytes_are_counted_and_the_object_is_left_to_the_slow_path() {
        let shard = Shard::new();
        let before = (1 << 63) - 10;
        for bytes in [&shard.allocated, &shard.freed] {
            bytes.store(before, Relaxed);
        }
        assert!(shard.allocated(9) && !shard.allocated(1));
        shard.allocated_object(1);
        assert!(shard.freed(9) && !shard.freed(1));
        shard.freed_object(1);
        assert!(!shard.reallocated(20, 30));
        shard.reallocated_object(20, 30);
        let counts = read(&shard);
        assert_eq!((counts.allocated, counts.freed), (before + 40, before + 30));
        assert_eq!((counts.allocations, counts.deallocations, counts.reallocations), (3, 3, 1));
    }
}
