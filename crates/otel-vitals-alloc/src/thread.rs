//! Which shard a thread counts on.

#[cfg(all(unix, not(otel_vitals_portable)))]
mod leases;
#[cfg(not(all(unix, not(otel_vitals_portable))))]
#[path = "thread/no_leases.rs"]
mod leases;

use std::cell::Cell;
use std::hint::black_box;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};

use crate::registry::REGISTRY;
use crate::sampling;
use crate::shard::Shard;
pub(crate) use leases::{own, own_stack};

/// Whether any thread has counted anything.
static USED: AtomicBool = AtomicBool::new(false);

/// Whether an allocator of this program counts.
pub(crate) fn is_installed() -> bool {
    if !USED.load(Relaxed) {
        // So early that nothing has been allocated yet.
        drop(black_box(Box::new(0_u8)));
    }
    USED.load(Relaxed)
}

/// Counts an allocation that the calling thread could not count at once on the shard that it `tried`. It may be a sample.
pub(crate) fn allocated(tried: Option<&'static Shard>, block: usize, size: usize) {
    let reached = |own: &'static Shard| {
        own.allocated_object(size);
        leases::put_aside(own, || sampling::due(own, block, size));
    };
    count(tried, |own| own.allocated(size), reached, |shared| shared.allocated_by_many(size));
}

/// Counts what is freed and the calling thread could not count at once.
pub(crate) fn freed(tried: Option<&'static Shard>, size: usize) {
    let reached = |own: &'static Shard| own.freed_object(size);
    count(tried, |own| own.freed(size), reached, |shared| shared.freed_by_many(size));
}

/// Counts a reallocation to `block` that the calling thread could not count at once. It may be a sample.
pub(crate) fn reallocated(tried: Option<&'static Shard>, block: usize, old: usize, new: usize) {
    let reached = |own: &'static Shard| {
        own.reallocated_object(old, new);
        leases::put_aside(own, || sampling::due(own, block, new));
    };
    count(tried, |own| own.reallocated(old, new), reached, |shared| shared.reallocated_by_many(old, new));
}

/// The calling thread begins a new gap. One that has no shard will when it gets it.
pub(crate) fn set_off() {
    if let Some(own) = leases::held() {
        leases::put_aside(own, || sampling::set_off(own));
    }
}

/// Counts on the shard that the calling thread holds: all of it, unless that is the one which was `tried`, and the rest
/// where the sign bit is `reached`. Without a shard of its own, for now or for good, by the way of many.
fn count(
    tried: Option<&'static Shard>,
    all: impl Fn(&Shard) -> bool,
    reached: impl Fn(&'static Shard),
    by_many: impl Fn(&Shard),
) {
    // Threads that share a shard come here often, and together: they only look.
    if !USED.load(Relaxed) {
        USED.store(true, Relaxed);
    }
    let Some(own) = leases::lease() else { return by_many(shared()) };
    // Another than was tried, if it is held since now, or since a signal came in between.
    let was_tried = tried.is_some_and(|tried| ptr::eq(tried, own));
    if was_tried || !all(own) {
        reached(own);
    }
}

/// The shard that the calling thread shares.
fn shared() -> &'static Shard {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    }
    let number = NUMBER.get().unwrap_or_else(|| {
        let number = THREADS.fetch_add(1, Relaxed);
        NUMBER.set(Some(number));
        number
    });
    REGISTRY.shared(number)
}
