//! Shards that nobody holds.

use crate::atomic::{AtomicU64, Ordering::*, const_unless_loom};
use crate::shard::Shard;

/// A stack without locks. The lower half of its head is the index of the top shard plus one, the upper half a number
/// that changes with every change: a thread that was stopped between looking and taking cannot mistake a top that went
/// and came back for one that never went.
#[derive(Debug)]
pub(crate) struct FreeList {
    head: AtomicU64,
}

impl FreeList {
    const_unless_loom! {
        pub(crate) fn new() -> FreeList {
            FreeList { head: AtomicU64::new(0) }
        }
    }

    /// Takes the top shard, which `at` finds by its index.
    pub(crate) fn pop<'a>(&self, at: impl Fn(u32) -> Option<&'a Shard>) -> Option<&'a Shard> {
        let mut head = self.head.load(Acquire);
        loop {
            let shard = at((head as u32).checked_sub(1)?)?;
            // Whoever takes the shard before us may have changed this; then the head has changed, too.
            let next = shard.next.load(Relaxed);
            match self.head.compare_exchange_weak(head, changed(head, next), Acquire, Acquire) {
                Ok(_) => return Some(shard),
                Err(now) => head = now,
            }
        }
    }

    /// Puts `shard` on top. What its holder has written is seen by the next.
    pub(crate) fn push(&self, shard: &Shard) {
        let top = shard.index.load(Relaxed) + 1;
        let mut head = self.head.load(Relaxed);
        loop {
            shard.next.store(head as u32, Relaxed);
            match self.head.compare_exchange_weak(head, changed(head, top), Release, Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}

/// The head after `head` whose top is `top`.
fn changed(head: u64, top: u32) -> u64 {
    let changes = (head >> 32) as u32;
    u64::from(changes.wrapping_add(1)) << 32 | u64::from(top)
}
