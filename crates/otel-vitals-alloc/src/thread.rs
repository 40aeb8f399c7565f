//! Which shard a thread counts on.

#[cfg(all(unix, not(otel_vitals_portable)))]
mod leases;
#[cfg(not(all(unix, not(otel_vitals_portable))))]
#[path = "thread/no_leases.rs"]
mod leases;

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::*};

use crate::registry::REGISTRY;
use crate::shard::Shard;
pub(crate) use leases::own;

/// What a thread counts on that holds no shard.
static NOBODYS: Shard = Shard::new();

/// Whether any thread has counted anything.
static USED: AtomicBool = AtomicBool::new(false);

/// Whether the global allocator of this program counts.
pub(crate) fn is_installed() -> bool {
    if !USED.load(Relaxed) {
        // So early that nothing has been allocated yet.
        drop(black_box(Box::new(0_u8)));
    }
    USED.load(Relaxed)
}

/// Counts an allocation on a thread that could not on its own shard.
pub(crate) fn allocated(size: usize) {
    if !lease().is_some_and(|own| own.allocated(size)) {
        shared().allocated_by_many(size);
    }
}

/// Counts what is freed on a thread that could not on its own shard.
pub(crate) fn freed(size: usize) {
    if !lease().is_some_and(|own| own.freed(size)) {
        shared().freed_by_many(size);
    }
}

/// Counts a reallocation on a thread that could not on its own shard.
pub(crate) fn reallocated(old: usize, new: usize) {
    if !lease().is_some_and(|own| own.reallocated(old, new)) {
        shared().reallocated_by_many(old, new);
    }
}

fn lease() -> Option<&'static Shard> {
    USED.store(true, Relaxed);
    leases::lease()
}

fn shared() -> &'static Shard {
    thread_local! {
        static HERE: u8 = const { 0 };
    }
    // Thread-local storage of two threads is pages apart.
    REGISTRY.shared(HERE.with(|here| std::ptr::from_ref(here).addr()) >> 12)
}
