//! Hooks at the end of a thread, after a fork and before the code is unloaded.
#![allow(unsafe_code)]

#[cfg(all(target_os = "linux", not(miri)))]
mod stack;

#[cfg(all(target_os = "linux", not(miri)))]
pub(super) use stack::stack_size;

use libc::{c_void, pthread_key_t};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::*};

/// The key whose destructor ends leases, plus one; or one of the two below.
static KEY: AtomicUsize = AtomicUsize::new(NONE);
const NONE: usize = 0;
const UNLOADED: usize = usize::MAX;

/// Sees to it that [`round_of_destructors`](super::round_of_destructors) is called when the calling thread ends; false
/// when the system will not do that.
pub(super) fn at_exit() -> bool {
    let Some(key) = key() else { return false };
    let not_null = ptr::without_provenance(1);
    // SAFETY: the key was created and not deleted since: `unload` closes `KEY` first. The value is never dereferenced.
    unsafe { libc::pthread_setspecific(key, not_null) == 0 }
}

fn key() -> Option<pthread_key_t> {
    match KEY.load(Acquire) {
        NONE => create_key(),
        UNLOADED => None,
        known => Some((known - 1) as pthread_key_t),
    }
}

#[cold]
fn create_key() -> Option<pthread_key_t> {
    let mut key = 0;
    // SAFETY: `key` may be written, and the destructor is code that stays until `unload` has deleted the key.
    if unsafe { libc::pthread_key_create(&mut key, Some(thread_ends)) } != 0 {
        return None;
    }
    match KEY.compare_exchange(NONE, key as usize + 1, AcqRel, Acquire) {
        Ok(_) => {
            hook_forks();
            Some(key)
        }
        Err(other) => {
            // SAFETY: the key is ours and nobody else knows it.
            unsafe { libc::pthread_key_delete(key) };
            // The other thread's, unless the code was unloaded in between.
            (other != UNLOADED).then(|| (other - 1) as pthread_key_t)
        }
    }
}

unsafe extern "C" fn thread_ends(_not_null: *mut c_void) {
    if super::round_of_destructors() {
        at_exit();
    }
}

fn hook_forks() {
    // Without memory for the hook, a child goes without shards that it could have taken over.
    // SAFETY: the hook does nothing that a child of a fork may not do: it stores into atomics. Where this code is
    // unloaded, the C library takes the hook away.
    #[cfg(not(miri))]
    unsafe {
        libc::pthread_atfork(None, None, Some(in_child))
    };
}

#[cfg(not(miri))]
unsafe extern "C" fn in_child() {
    super::forked();
}

/// Runs when the process ends, and before a library is unloaded of which this is a part: threads that live on must not
/// jump to code that has gone.
#[cfg(all(target_os = "linux", not(miri)))]
#[used]
#[unsafe(link_section = ".fini_array")]
static UNLOAD: extern "C" fn() = unload;

#[cfg(all(target_os = "linux", not(miri)))]
extern "C" fn unload() {
    let known = KEY.swap(UNLOADED, AcqRel);
    if known != NONE && known != UNLOADED {
        // SAFETY: the key was created, and is deleted by who closed `KEY` alone.
        unsafe { libc::pthread_key_delete((known - 1) as pthread_key_t) };
    }
}

/// Nobody tells.
#[cfg(any(not(target_os = "linux"), miri))]
pub(super) fn stack_size() -> u64 {
    0
}
