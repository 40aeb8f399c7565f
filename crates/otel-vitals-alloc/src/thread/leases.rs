//! The shard that a thread holds from its first allocation to its last but few.
//!
//! There is no destructor in thread-local storage: it would run before others that still allocate, registering it may
//! allocate, and it would keep a library from being unloaded. A thread gives its shard back in the destructor of a POSIX
//! key, which comes after all of Rust's and C++'s. What it allocates even after that is counted on a shard that it
//! shares. (A thread whose very first allocation is in the last round of such destructors is not asked again; its shard
//! stays with it.)

mod sys;

use std::cell::Cell;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::Ordering::*;
use std::sync::atomic::compiler_fence;

use crate::registry::REGISTRY;
use crate::sampling;
use crate::shard::Shard;

/// What a thread tries to count on that holds no shard.
static NOBODYS: Shard = Shard::nobodys();

thread_local! {
    static OWN: Cell<&'static Shard> = const { Cell::new(&NOBODYS) };
    /// Whether the thread shares a shard unless it holds one: while it gets its own, when it could not get one, and after
    /// it has given it back.
    static SHARES: Cell<bool> = const { Cell::new(false) };
    /// Where its stack begins and ends, as it was told with its first allocation; both zero where it was not.
    static STACK: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// What the calling thread tries to count on: the shard that it holds, else one that nothing can be counted on.
#[inline(always)]
pub(crate) fn own() -> Option<&'static Shard> {
    Some(OWN.get())
}

/// The calling thread's shard, which it gets if it has not had one.
#[inline]
pub(super) fn lease() -> Option<&'static Shard> {
    if let Some(held) = held() {
        return Some(held);
    }
    first()
}

#[cold]
fn first() -> Option<&'static Shard> {
    NOBODYS.stay_nobodys();
    if SHARES.replace(true) {
        return None;
    }
    // A signal handler may have come in between, and got one.
    held().or_else(begin)
}

/// Does `work` while the calling thread does not hold `own`, its shard: what is allocated in there, and by signal handlers
/// that interrupt it, is counted on a shared shard, and no sample is ever due to it.
pub(super) fn put_aside(own: &'static Shard, work: impl FnOnce()) {
    OWN.set(&NOBODYS);
    // Handlers see it before `work` begins, and until it is over.
    compiler_fence(SeqCst);
    work();
    compiler_fence(SeqCst);
    // A signal handler may have forked, and that found no shard to confirm.
    REGISTRY.leases.confirm(own);
    OWN.set(own);
}

/// The calling thread's shard, if it has one.
pub(super) fn held() -> Option<&'static Shard> {
    Some(OWN.get()).filter(|own| !ptr::eq(*own, &NOBODYS))
}

/// Where the calling thread's stack is, if it has been told.
#[inline(always)]
pub(crate) fn own_stack() -> Option<Range<usize>> {
    let (start, end) = STACK.get();
    (end > 0).then_some(start..end)
}

/// What is allocated in here, as setting a hook or asking for the stack may, is counted on a shared shard.
fn begin() -> Option<&'static Shard> {
    let shard = REGISTRY.leases.lease()?;
    if !sys::at_exit(shard) {
        REGISTRY.leases.give_back(shard);
        return None;
    }
    let (size, stack) = sys::stack();
    shard.stack.store(size, Relaxed);
    STACK.set(stack.map_or((0, 0), |stack| (stack.start, stack.end)));
    shard.gaps.reseed(sys::seed());
    sampling::set_off(shard);
    OWN.set(shard);
    REGISTRY.leases.confirm(shard);
    Some(shard)
}

/// To be called at the end of a thread with the shard that it has held.
///
/// That is told by the hook, because thread-local storage may be gone by now, and new.
fn end(shard: &'static Shard) {
    SHARES.set(true);
    OWN.set(&NOBODYS);
    REGISTRY.leases.give_back(shard);
}

/// To be called in the child of a fork.
fn forked() {
    let own = held();
    REGISTRY.leases.forked(own);
    if let Some(own) = own {
        own.gaps.reseed(sys::seed());
    }
}
