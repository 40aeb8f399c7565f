//! Which signals a thread takes.
#![allow(unsafe_code)]

use libc::{c_int, sigset_t};
use std::mem::MaybeUninit;
use std::ptr;

/// What a thread gets for what it does itself, and what samples it.
const TAKEN: [c_int; 9] = [
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGPROF,
    libc::SIGSEGV,
    libc::SIGSYS,
    libc::SIGTRAP,
    libc::SIGURG,
];

/// Calls `start`, whose threads take no signals of the application's.
pub(super) fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    let mut set = MaybeUninit::<sigset_t>::uninit();
    // SAFETY: sigfillset makes a valid set of `set`, which lives through all calls.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        for signal in TAKEN {
            libc::sigdelset(set.as_mut_ptr(), signal);
        }
    }
    let _restored = Mask::set(set.as_ptr());
    start()
}

/// The mask that the thread had before, and has again when this is dropped.
struct Mask {
    /// None when it could not be changed.
    before: Option<sigset_t>,
}

impl Mask {
    fn set(set: *const sigset_t) -> Self {
        let mut before = MaybeUninit::<sigset_t>::uninit();
        // SAFETY: `set` is a valid set, as its only caller sees to, and `before` may be written.
        let outcome = unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, set, before.as_mut_ptr()) };
        // SAFETY: it was written when the call succeeded.
        Mask { before: (outcome == 0).then(|| unsafe { before.assume_init() }) }
    }
}

impl Drop for Mask {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // SAFETY: a mask that this thread had.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, ptr::null_mut()) };
        }
    }
}
