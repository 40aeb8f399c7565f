//! What mimalloc's C library says.
#![allow(unsafe_code)]

use std::ptr::{from_mut, null_mut};

/// Major, two digits minor, two digits patch.
pub(super) fn version() -> i32 {
    // SAFETY: returns a constant.
    unsafe { libmimalloc_sys::mi_version() }
}

/// Bytes committed.
pub(super) fn committed() -> usize {
    let mut committed = 0;
    let out = from_mut(&mut committed);
    // SAFETY: each argument may be null, and the one that is not is written to while it lives. May be called on any
    // thread.
    unsafe {
        libmimalloc_sys::mi_process_info(
            null_mut(),
            null_mut(),
            null_mut(),
            null_mut(),
            null_mut(),
            out,
            null_mut(),
            null_mut(),
        );
    }
    committed
}
