//! Who has which shard.

mod chunks;

use std::sync::atomic::{AtomicU32, Ordering::*};

use crate::free_list::FreeList;
use crate::shard::Shard;
use chunks::Chunks;

/// Leases shards to threads. No thread ever waits in it for another, wherever that is stopped; nothing in it is allocated
/// from the global allocator. A fork that catches another thread between two steps here costs the child a shard.
#[derive(Debug)]
pub(crate) struct Leases {
    chunks: Chunks,
    free: FreeList,
    /// How often the process has been forked on the way here, plus one.
    generation: AtomicU32,
    /// Shards before this index may be held by threads that a fork has left behind.
    left_behind: AtomicU32,
    /// Those before this one are known not to be, or have been taken over.
    looked_at: AtomicU32,
}

impl Leases {
    pub(super) const fn new() -> Self {
        Leases {
            chunks: Chunks::new(),
            free: FreeList::new(),
            generation: AtomicU32::new(1),
            left_behind: AtomicU32::new(0),
            looked_at: AtomicU32::new(0),
        }
    }

    /// A shard for the calling thread alone, until it is [given back](Leases::give_back); none when the system gives no
    /// memory.
    pub(crate) fn lease(&'static self) -> Option<&'static Shard> {
        let free = || self.free.pop(|index| self.chunks.get(index));
        let shard = free().or_else(|| self.abandoned()).or_else(|| self.grow())?;
        self.confirm(shard);
        Some(shard)
    }

    /// Takes back a shard, with what it has counted.
    pub(crate) fn give_back(&self, shard: &'static Shard) {
        shard.stack.store(0, Relaxed);
        shard.holder.store(0, Relaxed);
        self.free.push(shard);
    }

    /// Notes that the calling thread holds `shard`. To be called once more when that would be found: a signal handler may
    /// have forked before.
    pub(crate) fn confirm(&self, shard: &'static Shard) {
        shard.holder.store(self.generation.load(Relaxed), Relaxed);
    }

    fn grow(&'static self) -> Option<&'static Shard> {
        let (index, shard) = self.chunks.grow()?;
        shard.index.store(index, Relaxed);
        Some(shard)
    }

    /// To be called in the child of a fork, where the calling thread, which holds `own`, is the only one left.
    pub(crate) fn forked(&self, own: Option<&'static Shard>) {
        let generation = self.generation.load(Relaxed).wrapping_add(1).max(1);
        self.generation.store(generation, Relaxed);
        self.left_behind.store(self.chunks.len(), Relaxed);
        self.looked_at.store(0, Relaxed);
        if let Some(own) = own {
            self.confirm(own);
        }
    }

    /// The shard of a thread that a fork has left behind.
    ///
    /// The child takes them one by one when it needs them: taking them all at the fork would copy their pages.
    fn abandoned(&self) -> Option<&'static Shard> {
        let left_behind = self.left_behind.load(Relaxed);
        while self.looked_at.load(Relaxed) < left_behind {
            let index = self.looked_at.fetch_add(1, Relaxed);
            let shard = self.chunks.get(index)?;
            let generation = self.generation.load(Relaxed);
            let holder = shard.holder.load(Relaxed);
            let is_left_behind = holder != 0 && holder != generation;
            if is_left_behind && shard.holder.compare_exchange(holder, generation, Relaxed, Relaxed).is_ok() {
                return Some(shard);
            }
        }
        None
    }

    /// Every shard that there is, held or not.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Shard> {
        self.chunks.iter()
    }

    /// Bytes of the stacks of all threads that hold a shard.
    pub(super) fn stacks(&self) -> u64 {
        let generation = self.generation.load(Relaxed);
        let held = self.chunks.iter().filter(|shard| shard.holder.load(Relaxed) == generation);
        held.map(|shard| shard.stack.load(Relaxed)).sum()
    }

    /// Bytes of all shards.
    pub(super) fn size(&self) -> u64 {
        self.chunks.size()
    }
}
