//! A sampler that knows which blocks are samples, and how many there were: without locks, so that it can be called
//! anywhere. Each test uses a part of it.
#![allow(
    dead_code,
    clippy::indexing_slicing,
    reason = "each test uses a part; slots are remainders, sizes have bits"
)]

use otel_vitals_alloc::sampling::{self, Sampler};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::*};

const SLOTS: usize = if cfg!(miri) { 1 << 8 } else { 1 << 16 };
/// How many slots a block may be in.
const NEAR: usize = 64;
/// Where a block was that is being reallocated.
const AWAY: usize = 1;

pub(crate) struct Table {
    slots: [AtomicUsize; SLOTS],
    /// Samples by the power of two that their size is.
    samples: [AtomicU64; 64],
    /// The mean that the gap before the last one was drawn with.
    interval: AtomicU64,
    /// How often an end was told, and how often of a block that was no sample.
    ends: AtomicU64,
    others: AtomicU64,
}

pub(crate) static TABLE: Table = Table {
    slots: [const { AtomicUsize::new(0) }; SLOTS],
    samples: [const { AtomicU64::new(0) }; 64],
    interval: AtomicU64::new(0),
    ends: AtomicU64::new(0),
    others: AtomicU64::new(0),
};

/// Has the table told of samples from here on.
pub(crate) fn install(interval: u64) -> &'static Table {
    if !sampling::install(&TABLE, interval) {
        sampling::set_interval(interval);
    }
    &TABLE
}

impl Sampler for Table {
    fn allocated(&self, block: usize, size: usize, interval: u64) -> bool {
        self.samples[size.max(1).ilog2() as usize].fetch_add(1, Relaxed);
        self.interval.store(interval, Relaxed);
        self.near(block).any(|slot| self.slots[slot].compare_exchange(0, block, AcqRel, Relaxed).is_ok())
    }

    fn freed(&self, block: usize) -> bool {
        let was = self.replace(block, 0).is_some();
        let count = if was { &self.ends } else { &self.others };
        count.fetch_add(1, Relaxed);
        was
    }

    fn moving(&self, block: usize) -> Option<u64> {
        let slot = self.replace(block, AWAY);
        if slot.is_none() {
            self.others.fetch_add(1, Relaxed);
        }
        slot.map(|slot| slot as u64)
    }

    fn stayed(&self, block: usize, token: u64) {
        assert_eq!(self.slots[token as usize].swap(block, AcqRel), AWAY);
    }

    fn moved(&self, token: u64) {
        assert_eq!(self.slots[token as usize].swap(0, AcqRel), AWAY);
        self.ends.fetch_add(1, Relaxed);
    }
}

impl Table {
    /// Samples whose size is at least this power of two, and less than the next.
    pub(crate) fn samples(&self, size: usize) -> u64 {
        self.samples[size.ilog2() as usize].load(Relaxed)
    }

    /// Samples so far.
    pub(crate) fn all_samples(&self) -> u64 {
        self.samples.iter().map(|samples| samples.load(Relaxed)).sum()
    }

    /// Samples whose end was not told.
    pub(crate) fn live(&self) -> usize {
        self.slots.iter().filter(|slot| slot.load(Relaxed) != 0).count()
    }

    pub(crate) fn has(&self, block: usize) -> bool {
        self.near(block).any(|slot| self.slots[slot].load(Relaxed) == block)
    }

    pub(crate) fn interval(&self) -> u64 {
        self.interval.load(Relaxed)
    }

    pub(crate) fn ends(&self) -> u64 {
        self.ends.load(Relaxed)
    }

    pub(crate) fn others(&self) -> u64 {
        self.others.load(Relaxed)
    }

    fn replace(&self, block: usize, by: usize) -> Option<usize> {
        let there = |slot: &usize| self.slots[*slot].compare_exchange(block, by, AcqRel, Relaxed).is_ok();
        self.near(block).find(there)
    }

    fn near(&self, block: usize) -> impl Iterator<Item = usize> + use<> {
        let first = (block as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        (0..NEAR).map(move |next| (first as usize + next) % SLOTS)
    }
}
