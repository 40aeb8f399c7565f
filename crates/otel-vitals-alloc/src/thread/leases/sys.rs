//! Hooks at the end of a thread, after a fork and before the code is unloaded.
#![allow(unsafe_code)]

#[cfg(all(target_os = "linux", not(miri)))]
mod stack;

#[cfg(all(target_os = "linux", not(miri)))]
pub(super) use stack::stack;

use libc::{c_void, pthread_key_t};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::*};

use crate::shard::Shard;

/// The key whose destructor ends leases, plus one; or one of the two below.
static KEY: AtomicUsize = AtomicUsize::new(NONE);
const NONE: usize = 0;
const UNLOADED: usize = usize::MAX;

/// Sees to it that [`end`](super::end) is called with `shard` when the calling thread ends; false when the system will
/// not do that.
pub(super) fn at_exit(shard: &'static Shard) -> bool {
    let Some(key) = key() else { return false };
    // SAFETY: the key was created. Should the process end meanwhile, or this code be unloaded, which nobody may do who is
    // running it, the key may be deleted in between and be another's by now: a window that POSIX leaves to all who
    // delete keys.
    unsafe { libc::pthread_setspecific(key, ptr::from_ref(shard).cast()) == 0 }
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

unsafe extern "C" fn thread_ends(shard: *mut c_void) {
    // SAFETY: what `at_exit` has set, which is a `&'static Shard`; a key without a value has no destructor called.
    super::end(unsafe { &*shard.cast_const().cast::<Shard>() });
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
/// jump to code that has gone. (Apple's systems do not unload what has thread-local storage.)
#[cfg(not(any(target_vendor = "apple", miri)))]
#[used]
#[unsafe(link_section = ".fini_array")]
static UNLOAD: extern "C" fn() = unload;

#[cfg(not(any(target_vendor = "apple", miri)))]
extern "C" fn unload() {
    let known = KEY.swap(UNLOADED, AcqRel);
    if known != NONE && known != UNLOADED {
        // SAFETY: the key was created, and is deleted by who closed `KEY` alone.
        unsafe { libc::pthread_key_delete((known - 1) as pthread_key_t) };
    }
}

/// A number that another thread, or process, is not told.
#[cfg(not(miri))]
pub(super) fn seed() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` may be written. Should there be no such clock, it stays zero. Both may be called anywhere.
    let process = unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now);
        libc::getpid()
    };
    let time = (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64);
    time ^ u64::from(process.cast_unsigned()) << 40
}

/// The same in every run.
#[cfg(miri)]
pub(super) fn seed() -> u64 {
    1
}

/// Nobody tells.
#[cfg(any(not(target_os = "linux"), miri))]
pub(super) fn stack() -> (u64, Option<std::ops::Range<usize>>) {
    (0, None)
}
