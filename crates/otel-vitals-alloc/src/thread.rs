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
static NOBODYS: Shard = Shard::nobodys();

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

/// Counts an allocation that the calling thread could not count at once.
pub(crate) fn allocated(size: usize) {
    match lease() {
        Lease::Held(own) => own.allocated_object(size),
        Lease::New(own) if own.allocated(size) => {}
        Lease::New(_) | Lease::None => shared().allocated_by_many(size),
    }
}

/// Counts what is freed and the calling thread could not count at once.
pub(crate) fn freed(size: usize) {
    match lease() {
        Lease::Held(own) => own.freed_object(size),
        Lease::New(own) if own.freed(size) => {}
        Lease::New(_) | Lease::None => shared().freed_by_many(size),
    }
}

/// Counts a reallocation that the calling thread could not count at once.
pub(crate) fn reallocated(old: usize, new: usize) {
    match lease() {
        Lease::Held(own) => {
            own.allocated_object(new);
            own.reallocated_from(old);
        }
        Lease::New(own) if own.reallocated(old, new) => {}
        Lease::New(_) | Lease::None => shared().reallocated_by_many(old, new),
    }
}

/// What the calling thread counts on.
#[cfg_attr(
    any(not(unix), otel_vitals_portable),
    expect(dead_code, reason = "there, no thread holds a shard")
)]
enum Lease {
    /// The shard that it has held before.
    Held(&'static Shard),
    /// The shard that it holds from now on.
    New(&'static Shard),
    /// None of its own, for now or for good.
    None,
}

fn lease() -> Lease {
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
