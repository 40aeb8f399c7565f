//! A library that another program loads, with a global allocator of its own that counts for it alone.
//!
//! `tests/unloaded.rs` loads and unloads it while threads live that have allocated in it.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    missing_docs,
    reason = "what is exported is called by the test alone"
)]

use otel_vitals_alloc::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting::system();

/// Allocates and frees `size` bytes on the calling thread.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_allocate(size: usize) {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(size)));
}

/// Bytes that this library has allocated.
#[unsafe(no_mangle)]
pub extern "C" fn plugin_allocated() -> u64 {
    otel_vitals_alloc::counts().unwrap().allocated
}
