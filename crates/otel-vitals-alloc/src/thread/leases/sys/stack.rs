//! Where the stack of a thread is, and how large.

use libc::c_int;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;

/// Bytes of the stack of the calling thread, of the first thread as far as it may grow: zero where nobody tells. And where it is,
/// unless it is the first thread's, which moves its end.
pub(in crate::thread::leases) fn stack() -> (u64, Option<Range<usize>>) {
    if is_first_thread() {
        return (stack_limit(), None);
    }
    let mapped = mapped_stack();
    (mapped.as_ref().map_or(0, |stack| stack.len() as u64), mapped)
}

fn is_first_thread() -> bool {
    // SAFETY: these calls have no conditions.
    unsafe { libc::gettid() == libc::getpid() }
}

fn stack_limit() -> u64 {
    let mut limit = MaybeUninit::<libc::rlimit>::uninit();
    // SAFETY: `limit` may be written.
    if unsafe { libc::getrlimit(libc::RLIMIT_STACK, limit.as_mut_ptr()) } != 0 {
        return 0;
    }
    // SAFETY: the call that has succeeded has written it.
    let limit = unsafe { limit.assume_init() }.rlim_cur;
    if limit == libc::RLIM_INFINITY { 0 } else { limit }
}

/// This waits for a lock of the C library, and allocates from its `malloc`.
fn mapped_stack() -> Option<Range<usize>> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: the calling thread exists, and `attributes` may be written.
    if unsafe { libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    let (mut start, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the call that has succeeded has made the attributes, which are destroyed once, after their last use.
    let outcome: c_int = unsafe {
        let outcome = libc::pthread_attr_getstack(attributes.as_ptr(), &mut start, &mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        outcome
    };
    (outcome == 0).then(|| start.addr()..start.addr() + size)
}
