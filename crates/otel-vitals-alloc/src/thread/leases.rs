//! The shard that a thread holds from its first allocation to its last.
//!
//! There is no destructor in thread-local storage: it would run before others that still allocate, and registering it
//! may allocate. A thread gives its shard back in the last round of the destructors of its POSIX keys, which come after
//! all of Rust's and C++'s. What it allocates even after that is counted on a shard that it shares.

mod sys;

use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;

use super::{Lease, NOBODYS};
use crate::registry::REGISTRY;
use crate::shard::Shard;

thread_local! {
    static OWN: Cell<&'static Shard> = const { Cell::new(&NOBODYS) };
    static PHASE: Cell<Phase> = const { Cell::new(Phase::New) };
}

/// How far a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It has not allocated yet.
    New,
    /// It holds a shard, and so many rounds of destructors have run.
    Holds { rounds: u8 },
    /// It shares a shard: while it gets its own, when it could not get one, and after it has given it back.
    Shares,
}

/// Rounds of destructors that POSIX promises.
const ROUNDS: u8 = 4;

/// The shard of the calling thread, if it holds one, else one on which nothing can be counted.
#[inline(always)]
pub(crate) fn own() -> &'static Shard {
    OWN.get()
}

/// The calling thread's shard, which it gets if it has not had one.
pub(super) fn lease() -> Lease {
    match PHASE.get() {
        Phase::Holds { .. } => Lease::Held(own()),
        Phase::Shares => Lease::None,
        Phase::New => begin().map_or(Lease::None, Lease::New),
    }
}

fn begin() -> Option<&'static Shard> {
    // Where setting the hook allocates, that is counted on a shared shard.
    PHASE.set(Phase::Shares);
    if !sys::at_exit() {
        return None;
    }
    let shard = REGISTRY.leases.lease()?;
    shard.stack.store(sys::stack_size(), Relaxed);
    OWN.set(shard);
    PHASE.set(Phase::Holds { rounds: 0 });
    Some(shard)
}

/// To be called in each round of destructors at the end of a thread; tells whether the next is wanted, too.
fn round_of_destructors() -> bool {
    let Phase::Holds { rounds } = PHASE.get() else { return false };
    if rounds + 1 < ROUNDS {
        PHASE.set(Phase::Holds { rounds: rounds + 1 });
        return true;
    }
    let shard = OWN.replace(&NOBODYS);
    PHASE.set(Phase::Shares);
    REGISTRY.leases.give_back(shard);
    false
}

/// To be called in the child of a fork.
fn forked() {
    REGISTRY.leases.forked(matches!(PHASE.get(), Phase::Holds { .. }).then(own));
}
