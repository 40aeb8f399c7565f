//! All shards.

#[cfg(all(unix, not(otel_vitals_portable)))]
mod leases;
#[cfg(not(all(unix, not(otel_vitals_portable))))]
#[path = "registry/no_leases.rs"]
mod leases;

use crate::counts::Counts;
use crate::shard::Shard;
use leases::Leases;

pub(crate) static REGISTRY: Registry = Registry::new();

/// What all threads count on.
#[derive(Debug)]
pub(crate) struct Registry {
    /// Shards of threads that hold one.
    pub(crate) leases: Leases,
    /// What the other threads count on.
    shared: [Shard; SHARED],
}

/// With hooks at the end of a thread, next to no thread goes without a shard of its own; without, all do.
const SHARED: usize = if cfg!(all(unix, not(otel_vitals_portable))) { 1 } else { 32 };

impl Registry {
    const fn new() -> Self {
        Registry { leases: Leases::new(), shared: [const { Shard::new() }; SHARED] }
    }

    /// What a thread without a shard of its own counts on, together with others. `thread` tells threads apart.
    pub(crate) fn shared(&self, thread: usize) -> &Shard {
        #[expect(clippy::indexing_slicing, reason = "a remainder of the length")]
        &self.shared[thread % self.shared.len()]
    }

    /// Adds up all shards.
    pub(crate) fn read(&self, counts: &mut Counts) {
        self.shards().for_each(|shard| shard.read_freed(counts));
        // A shard that has come since has freed nothing that is in `counts`.
        self.shards().for_each(|shard| shard.read_allocated(counts));
    }

    /// Bytes of the stacks of all threads that hold a shard.
    pub(crate) fn stacks(&self) -> u64 {
        self.leases.stacks()
    }

    /// Bytes that all this takes.
    pub(crate) fn size(&self) -> u64 {
        self.leases.size() + size_of::<Registry>() as u64
    }

    fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.shared.iter().chain(self.leases.iter())
    }
}
