//! What the log says to who could have more.

use otel_vitals_core::quietly;
use std::sync::atomic::{AtomicBool, Ordering};

/// Says how to get `rust.*` where the global allocator does not count, once in the life of the process.
pub(crate) fn unless_counted() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if otel_vitals_alloc::allocator().is_some() || SAID.swap(true, Ordering::Relaxed) {
        return;
    }
    // A subscriber of the application's that panics is its own affair, and no reason not to start.
    quietly(|| {
        tracing::info!(
            target: "otel_vitals",
            "rust.memory.* and rust.allocator.* are absent, because the global allocator does not count; to have them, \
             put this into the program: \
             `#[global_allocator] static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();` \
             (metrics.allocator: false turns this off)"
        );
    });
}
