//! The system calls behind the test.
#![allow(unsafe_code)]

use libc::{c_int, c_void, siginfo_t};
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

/// How often a handler of the application's was called, for `SIGPROF` and for `SIGURG`.
pub(super) static COUNTED: AtomicU32 = AtomicU32::new(0);
pub(super) static COUNTED_URGENT: AtomicU32 = AtomicU32::new(0);
/// The handler that was there before.
static BEFORE: AtomicUsize = AtomicUsize::new(0);

/// How a child that does `work` ends: with a code, or by a signal.
pub(super) fn in_child(work: fn()) -> Result<c_int, c_int> {
    in_child_with(work)
}

pub(super) fn in_child_with(work: impl FnOnce()) -> Result<c_int, c_int> {
    // SAFETY: the child does what a child of a program may do with glibc, which makes its own allocator whole after a fork, and ends without
    // running anything of the parent's.
    match unsafe { libc::fork() } {
        -1 => panic!("no child: {}", std::io::Error::last_os_error()),
        0 => {
            // SAFETY: takes a number; the default ends a child that hangs.
            unsafe { libc::alarm(120) };
            let done = panic::catch_unwind(AssertUnwindSafe(work)).is_ok();
            // SAFETY: ends the process.
            unsafe { libc::_exit(if done { 0 } else { 1 }) }
        }
        child => {
            let mut status = -1;
            // SAFETY: the status may be written.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            if libc::WIFSIGNALED(status) {
                Err(libc::WTERMSIG(status))
            } else {
                Ok(libc::WEXITSTATUS(status))
            }
        }
    }
}

extern "C" fn count(signal: c_int) {
    let counted = if signal == libc::SIGURG { &COUNTED_URGENT } else { &COUNTED };
    counted.fetch_add(1, Relaxed);
}

extern "C" fn count_and_call(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: both are there, as in any handler, and what is called is the handler that was there before.
    unsafe {
        if (*info).si_code == libc::SI_TIMER {
            return;
        }
        COUNTED.fetch_add(1, Relaxed);
        let before: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = mem::transmute(BEFORE.load(Relaxed));
        before(signal, info, context);
    }
}

pub(super) fn count_profile_signals() {
    handle(libc::SIGPROF, count as extern "C" fn(c_int) as usize, 0);
}

/// As a handler does that does not want to be in the way of the one before.
pub(super) fn count_and_pass_on() {
    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = count_and_call;
    BEFORE.store(handle(libc::SIGPROF, handler as usize, libc::SA_SIGINFO), Relaxed);
}

pub(super) fn count_urgent_signals() {
    handle(libc::SIGURG, count as extern "C" fn(c_int) as usize, 0);
}

/// Puts `SIG_DFL` or `SIG_IGN` there, as one does who thinks that nobody else has a handler.
pub(super) fn set_urgent(default_or_ignored: usize) {
    handle(libc::SIGURG, default_or_ignored, 0);
}

/// What `SIGURG` does now.
pub(super) fn urgent() -> usize {
    current(libc::SIGURG)
}

/// What `SIGPROF` does now.
pub(super) fn profile() -> usize {
    current(libc::SIGPROF)
}

fn current(signal: c_int) -> usize {
    let mut now = mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: nothing is installed, and `now` is written when the call succeeds.
    unsafe {
        assert_eq!(libc::sigaction(signal, ptr::null(), now.as_mut_ptr()), 0);
        now.assume_init().sa_sigaction
    }
}

fn handle(signal: c_int, handler: usize, flags: c_int) -> usize {
    // SAFETY: zeros are an action, and the handler does what a handler may.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags | libc::SA_RESTART;
        let mut before: libc::sigaction = mem::zeroed();
        assert_eq!(libc::sigaction(signal, &action, &mut before), 0);
        before.sa_sigaction
    }
}

/// Sends this thread a `SIGPROF` that is not a timer's, and returns when it was handled.
pub(super) fn send() {
    // SAFETY: takes a number.
    assert_eq!(unsafe { libc::raise(libc::SIGPROF) }, 0);
}

/// Blocks all signals in this thread.
pub(super) fn block_signals() {
    let mut all = mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset makes a valid set.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        assert_eq!(libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), ptr::null_mut()), 0);
    }
}
