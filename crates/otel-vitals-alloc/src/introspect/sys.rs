//! A reference that is set while the program runs.
#![allow(unsafe_code)]

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::*};

use super::Introspection;

static INSTALLED: AtomicPtr<Introspection> = AtomicPtr::new(ptr::null_mut());

pub(super) fn install(introspection: &'static Introspection) {
    let installed = ptr::from_ref(introspection).cast_mut();
    if INSTALLED.load(Relaxed) != installed {
        INSTALLED.store(installed, Release);
    }
}

pub(super) fn installed() -> Option<&'static Introspection> {
    // SAFETY: what is there is null or was a `&'static Introspection`, and is never written through.
    unsafe { INSTALLED.load(Acquire).as_ref() }
}
