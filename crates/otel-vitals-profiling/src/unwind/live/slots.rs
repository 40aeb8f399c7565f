//! What it takes to walk by tables.

use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::sync::{Arc, MutexGuard};
use std::thread;

use framehop::{MustNotAllocateDuringUnwind as NoAllocation, Unwinder as _};

use super::learner;
use super::sys::Stack;
use crate::lock::Lock;
use crate::modules::Modules;
use crate::unwind::{Registers, machine, tables};

/// How many threads walk by tables at a time.
pub(super) const CACHES: usize = 8;

/// What it takes to walk by tables. Who cannot have the lock at once does without.
pub(super) static SLOTS: [Lock<Option<Slot>>; CACHES] = [const { Lock::new(None) }; CACHES];

/// Where the last walk has begun to look for a slot.
static NEXT: AtomicUsize = AtomicUsize::new(0);

pub(super) struct Slot {
    known: Arc<Known>,
    cache: machine::Cache<NoAllocation>,
}

struct Known {
    modules: Arc<Modules>,
    tables: machine::Unwinder<NoAllocation>,
}

impl Slot {
    #[inline(never)]
    pub(super) fn walk(&mut self, here: &Registers, stack: &Stack, frames: &mut [u64]) -> usize {
        let mut read = |address| stack.read(address).ok_or(());
        let mut walk =
            self.known.tables.iter_frames(here.ip, machine::registers(here), &mut self.cache, &mut read);
        // The function that has read the registers.
        if !matches!(walk.next(), Ok(Some(_))) {
            return 0;
        }
        let mut count = 0;
        for frame in frames {
            let address = match walk.next() {
                Ok(Some(found)) => found.address_for_lookup(),
                Ok(None) => break,
                // What was loaded since may lie where something else was, whose tables are of no use for it.
                Err(_) => return learner::wake_after(count),
            };
            if self.known.modules.find(address).is_none() {
                return learner::wake_after(count);
            }
            *frame = address;
            count += 1;
        }
        count
    }
}

pub(super) fn slot() -> Option<MutexGuard<'static, Option<Slot>>> {
    let first = NEXT.load(Relaxed);
    for at in first..first + CACHES {
        if let Some(slot) = SLOTS.get(at % CACHES)?.try_lock() {
            return Some(slot);
        }
        // Next time, begin with another.
        NEXT.store((at + 1) % CACHES, Relaxed);
    }
    None
}

/// Gives each slot these. Whether each could be had.
pub(super) fn learn(modules: &Arc<Modules>) -> bool {
    let known = Arc::new(Known { tables: tables(modules), modules: Arc::clone(modules) });
    // A new cache for each: what is in an old one is told apart by a number of 16 bits.
    replace_slots(|| Some(Slot { known: Arc::clone(&known), cache: machine::Cache::new_in() }))
}

pub(super) fn forget() {
    replace_slots(|| None);
}

/// Whether each could be had.
fn replace_slots(mut new: impl FnMut() -> Option<Slot>) -> bool {
    let mut replaced = 0;
    for slot in &SLOTS {
        // Both made and dropped outside of the lock, for both allocate or free, which may lead to a walk.
        let mut slot_to_be = new();
        if let Some(mut slot) = wait_for(slot) {
            std::mem::swap(&mut *slot, &mut slot_to_be);
            replaced += 1;
        }
    }
    replaced == CACHES
}

/// A walk takes microseconds, unless its thread loses its core meanwhile; in the child of a fork, where the thread is not there any
/// more, it never ends.
fn wait_for(slot: &Lock<Option<Slot>>) -> Option<MutexGuard<'_, Option<Slot>>> {
    (0..1_000).find_map(|_| {
        let free = slot.try_lock();
        if free.is_none() {
            thread::yield_now();
        }
        free
    })
}
