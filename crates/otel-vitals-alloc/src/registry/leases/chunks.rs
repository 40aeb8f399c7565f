//! The memory of shards: chunks that are never given back, each twice as large as the one before.

mod sys;

use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering::*};

use crate::shard::Shard;

/// Shards in the first chunk.
const FIRST: u32 = 16;
/// More chunks than there can be threads.
const CHUNKS: usize = 24;

/// A list of shards that only grows.
#[derive(Debug)]
pub(crate) struct Chunks {
    chunks: [AtomicPtr<Shard>; CHUNKS],
    len: AtomicU32,
}

/// Where a shard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    chunk: usize,
    offset: usize,
}

impl Chunks {
    pub(crate) const fn new() -> Self {
        Chunks { chunks: [const { AtomicPtr::new(std::ptr::null_mut()) }; CHUNKS], len: AtomicU32::new(0) }
    }

    pub(crate) fn len(&self) -> u32 {
        self.len.load(Acquire)
    }

    /// Adds a shard and tells its index; none when there is no memory for it.
    pub(crate) fn grow(&'static self) -> Option<(u32, &'static Shard)> {
        let mut len = self.len();
        loop {
            self.provide(place(len).chunk)?;
            match self.len.compare_exchange_weak(len, len + 1, AcqRel, Acquire) {
                Ok(index) => return Some((index, self.get(index)?)),
                Err(now) => len = now,
            }
        }
    }

    /// Sees to it that there is memory for this chunk.
    fn provide(&self, chunk: usize) -> Option<()> {
        let pointer = self.chunks.get(chunk)?;
        if pointer.load(Acquire).is_null() {
            let new = sys::map(shards_of(chunk))?;
            if pointer.compare_exchange(std::ptr::null_mut(), new, AcqRel, Acquire).is_err() {
                // Another thread was faster.
                sys::unmap(new, shards_of(chunk));
            }
        }
        Some(())
    }

    /// The shards so far.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Shard> {
        (0..self.len()).map_while(|index| self.get(index))
    }

    /// Bytes of all chunks.
    pub(crate) fn size(&self) -> u64 {
        let there = self.chunks.iter().enumerate().filter(|(_, pointer)| !pointer.load(Relaxed).is_null());
        there.map(|(chunk, _)| shards_of(chunk) as u64 * size_of::<Shard>() as u64).sum()
    }
}

/// How many shards are in a chunk.
fn shards_of(chunk: usize) -> usize {
    (FIRST as usize) << chunk
}

/// Where the shard with this index is. Chunk `n` begins at index `FIRST * (2^n - 1)`.
fn place(index: u32) -> Place {
    let number = u64::from(index) + u64::from(FIRST);
    let chunk = (number / u64::from(FIRST)).ilog2() as usize;
    Place { chunk, offset: number as usize - shards_of(chunk) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_each_other() {
        let mut expected = Place { chunk: 0, offset: 0 };
        for index in 0..if cfg!(miri) { 1_000 } else { 100_000 } {
            assert_eq!(place(index), expected);
            expected.offset += 1;
            if expected.offset == shards_of(expected.chunk) {
                expected = Place { chunk: expected.chunk + 1, offset: 0 };
            }
        }
    }

    #[test]
    fn every_index_has_a_place_or_none() {
        assert!(place(u32::MAX).chunk > CHUNKS - 1);
    }
}
