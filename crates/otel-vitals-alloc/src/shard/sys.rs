//! Adding to a counter and looking at its sign, in as few instructions as the processor can.
#![allow(unsafe_code)]

use super::Shard;
use crate::atomic::{AtomicU64, Ordering};

/// Adds to `counter`, which is the counter of `shard` at the offset `AT`, and which the calling thread alone writes;
/// whether its sign bit is clear then.
///
/// One instruction, whose result sets the flag that is looked at: the compiler makes four of it, because it adds to an
/// atomic in memory and forgets the flags.
#[cfg(all(
    target_arch = "x86_64",
    target_pointer_width = "64",
    not(any(all(loom, test), miri, otel_vitals_portable))
))]
#[inline(always)]
pub(super) fn add<const AT: usize>(shard: &Shard, counter: &AtomicU64, more: u64, _order: Ordering) -> bool {
    debug_assert_eq!(counter.as_ptr().addr(), std::ptr::from_ref(shard).addr() + AT);
    // SAFETY: what is there is an atomic, whose memory may be written through a shared reference. The instruction is a
    // load and a store of eight aligned bytes, each at once, as those of an atomic are, and its store is as `Release`
    // asks. Where other threads add meanwhile, which they do to the shard that is nobody's alone, additions are lost, as
    // they may be.
    unsafe {
        std::arch::asm!(
            "add qword ptr [{shard} + {at}], {more}",
            "js {negative}",
            shard = in(reg) std::ptr::from_ref(shard),
            at = const AT,
            more = in(reg) more,
            negative = label { return false },
            options(nostack),
        );
    }
    true
}

#[cfg(not(all(
    target_arch = "x86_64",
    target_pointer_width = "64",
    not(any(all(loom, test), miri, otel_vitals_portable))
)))]
#[inline(always)]
pub(super) fn add<const AT: usize>(_shard: &Shard, counter: &AtomicU64, more: u64, order: Ordering) -> bool {
    let sum = counter.load(Ordering::Relaxed).wrapping_add(more);
    counter.store(sum, order);
    sum.cast_signed() >= 0
}
