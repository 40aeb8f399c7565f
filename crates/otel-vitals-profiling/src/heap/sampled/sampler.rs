//! What is done in the allocator with a block that is a sample.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use otel_vitals_alloc::sampling::Sampler;

use super::live::{self, Live};
use super::stacks::{self, FRACTION, NO_ROOM, NOT_WALKED, Stacks};
use super::sys;
use crate::unwind::live::walk;

/// How many frames of a stack are kept, as many as Go keeps.
const DEEPEST: usize = 128;

/// The sampler of this program.
#[derive(Debug)]
pub(super) struct Heap {
    tables: OnceLock<Tables>,
}

/// What is kept of samples.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) live: Live<'static>,
    pub(super) stacks: Stacks<'static>,
    pub(super) lost: Lost,
    memory: [&'static [AtomicU64]; 2],
}

/// Samples that are not as they should be.
#[derive(Debug, Default)]
pub(super) struct Lost {
    /// Whose blocks were not kept.
    pub(super) blocks: AtomicU64,
    /// Whose stacks were not kept.
    pub(super) stacks: AtomicU64,
    /// Whose stacks were not walked.
    pub(super) walks: AtomicU64,
}

impl Heap {
    pub(super) const fn new() -> Self {
        Heap { tables: OnceLock::new() }
    }

    /// Gets the memory, once.
    pub(super) fn prepare(&self) -> io::Result<()> {
        if self.tables.get().is_none() {
            let (live, stacks) = (sys::words(live::WORDS)?, sys::words(stacks::WORDS)?);
            let tables = Tables {
                live: Live::new(live),
                stacks: Stacks::new(stacks),
                lost: Lost::default(),
                memory: [live, stacks],
            };
            // Another thread's may be there by now; this one's then stays as it is, untouched.
            let _ = self.tables.set(tables);
        }
        Ok(())
    }

    pub(super) fn tables(&self) -> Option<&Tables> {
        self.tables.get()
    }
}

impl Tables {
    /// Bytes that take memory.
    pub(super) fn resident(&self) -> u64 {
        self.memory.iter().map(|words| sys::resident(words)).sum()
    }

    fn record(&self, block: usize, size: usize, interval: u64, frames: &[u64]) -> bool {
        let stack = self.stacks.number(frames);
        match stack {
            NOT_WALKED => self.lost.walks.fetch_add(1, Relaxed),
            NO_ROOM => self.lost.stacks.fetch_add(1, Relaxed),
            _ => 0,
        };
        let (size, weight) = (size as u64, weight(size, interval));
        // First what was ever allocated, so that no reader sees more of it in use.
        self.stacks.add(stack, size, weight);
        let kept = self.live.insert(block as u64, &live::Sample { stack, size, weight });
        if !kept {
            self.lost.blocks.fetch_add(1, Relaxed);
        }
        kept
    }
}

impl Sampler for Heap {
    fn allocated(&self, block: usize, size: usize, interval: u64) -> bool {
        let mut frames = [0; DEEPEST];
        let count = walk(&mut frames);
        let frames = frames.get(..count).unwrap_or_default();
        self.tables.get().is_some_and(|tables| tables.record(block, size, interval, frames))
    }

    fn freed(&self, block: usize) -> bool {
        self.tables.get().is_some_and(|tables| tables.live.remove(block as u64))
    }

    fn moving(&self, block: usize) -> Option<u64> {
        Some(self.tables.get()?.live.put_by(block as u64)? as u64)
    }

    fn stayed(&self, block: usize, token: u64) {
        if let Some(tables) = self.tables.get() {
            tables.live.settle(token as usize, Some(block as u64));
        }
    }

    fn moved(&self, token: u64) {
        if let Some(tables) = self.tables.get() {
            tables.live.settle(token as usize, None);
        }
    }
}

/// Blocks that a sampled one stands for: one over the probability that a block of its size is sampled.
fn weight(size: usize, interval: u64) -> u64 {
    let sampled = -(-(size as f64) / interval.max(1) as f64).exp_m1();
    (f64::from(1 << FRACTION) / sampled.max(f64::MIN_POSITIVE)).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(size: usize, interval: u64) -> f64 {
        weight(size, interval) as f64 / f64::from(1 << FRACTION)
    }

    #[test]
    fn a_block_stands_for_as_many_as_it_takes_for_one_sample() {
        assert_eq!(blocks(1 << 30, 1 << 19), 1.0);
        assert!((blocks(1 << 19, 1 << 19) - 1.581_976_7).abs() < 2e-4);
        assert!((blocks(8, 1 << 19) - 65_536.5).abs() < 2e-4);
        assert!(blocks(1, 1) > 1.58);
        // The last digit of `exp` is not the same everywhere.
        assert!((blocks(1, 1 << 40) - (1_u64 << 40) as f64 - 0.5).abs() < 0.01);
        assert!(blocks(0, 0) > 0.0);
    }
}
