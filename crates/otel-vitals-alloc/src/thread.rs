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
use crate::shard::Shard;
pub(crate) use leases::own;

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

/// Counts an allocation that the calling thread could not count at once on the shard that it `tried`.
pub(crate) fn allocated(tried: Option<&'static Shard>, size: usize) {
    match lease(tried) {
        Own::Tried(own) => own.allocated_object(size),
        Own::Other(own) if own.allocated(size) => {}
        Own::Other(own) => own.allocated_object(size),
        Own::None => shared().allocated_by_many(size),
    }
}

/// Counts what is freed and the calling thread could not count at once.
pub(crate) fn freed(tried: Option<&'static Shard>, size: usize) {
    match lease(tried) {
        Own::Tried(own) => own.freed_object(size),
        Own::Other(own) if own.freed(size) => {}
        Own::Other(own) => own.freed_object(size),
        Own::None => shared().freed_by_many(size),
    }
}

/// Counts a reallocation that the calling thread could not count at once.
pub(crate) fn reallocated(tried: Option<&'static Shard>, old: usize, new: usize) {
    match lease(tried) {
        Own::Tried(own) => own.reallocated_object(old, new),
        Own::Other(own) if own.reallocated(old, new) => {}
        Own::Other(own) => own.reallocated_object(old, new),
        Own::None => shared().reallocated_by_many(old, new),
    }
}

/// What the calling thread counts on.
enum Own {
    /// The shard that it holds and tried, whose bytes have reached the sign bit.
    Tried(&'static Shard),
    /// Another shard that it holds: since now, or since a signal came in between.
    Other(&'static Shard),
    /// None of its own, for now or for good.
    None,
}

fn lease(tried: Option<&'static Shard>) -> Own {
    // Threads that share a shard come here often, and together: they only look.
    if !USED.load(Relaxed) {
        USED.store(true, Relaxed);
    }
    match leases::lease() {
        Some(own) if tried.is_some_and(|tried| ptr::eq(tried, own)) => Own::Tried(own),
        Some(own) => Own::Other(own),
        None => Own::None,
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
