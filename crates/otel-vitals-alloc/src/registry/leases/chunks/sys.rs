//! Memory from the system, and looking into it.
#![allow(unsafe_code)]

use std::sync::atomic::Ordering::Acquire;

use super::{Chunks, place};
use crate::shard::Shard;

impl Chunks {
    /// The shard with this index.
    pub(crate) fn get(&self, index: u32) -> Option<&'static Shard> {
        if index >= self.len() {
            return None;
        }
        let place = place(index);
        let chunk = self.chunks.get(place.chunk)?.load(Acquire);
        // SAFETY: an index below the length has been added, after its chunk was provided by `map` with room for
        // `shards_of(chunk)` shards, which `place` stays below. The memory is aligned for shards, all zero, which is a
        // `Shard`, whose fields are all atomics, and never unmapped once it is in `chunks`.
        (!chunk.is_null()).then(|| unsafe { &*chunk.add(place.offset) })
    }
}

/// Memory for so many shards, all zero.
pub(super) fn map(shards: usize) -> Option<*mut Shard> {
    let size = shards.checked_mul(size_of::<Shard>())?;
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON);
    // SAFETY: asks for new memory at an address of the system's choice.
    let address = unsafe { libc::mmap(std::ptr::null_mut(), size, protection, flags, -1, 0) };
    // Pages are aligned for more than a shard.
    (address != libc::MAP_FAILED).then_some(address.cast())
}

/// Gives back what [`map`] gave.
pub(super) fn unmap(address: *mut Shard, shards: usize) {
    // SAFETY: the memory is `map`'s, as large as it was asked for, and nobody has seen it but the caller.
    unsafe { libc::munmap(address.cast(), shards * size_of::<Shard>()) };
}
