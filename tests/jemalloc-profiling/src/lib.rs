//! What the programs of `tests/` tell jemalloc.
#![allow(
    unsafe_code,
    reason = "a symbol that jemalloc reads is not safe to share, but for what it points to"
)]

use std::ffi::CStr;

/// Options of jemalloc's, as the value of the symbol that it reads them from, `_rjem_malloc_conf`.
#[repr(transparent)]
#[derive(Debug)]
pub struct Options(*const u8);

// SAFETY: it points to what never changes.
unsafe impl Sync for Options {}

impl Options {
    /// As jemalloc's manual has them.
    #[must_use]
    pub const fn new(text: &'static CStr) -> Self {
        Options(text.as_ptr().cast())
    }
}
