//! Adding to a counter and looking at its sign, in as few instructions as the processor can.
#![allow(unsafe_code)]

use crate::atomic::{AtomicU64, Ordering};

/// Adds to a counter that the calling thread alone writes; whether its sign bit is clear then.
///
/// One instruction, whose result sets the flag that is looked at: the compiler makes four of it, because it adds to an
/// atomic in memory and forgets the flags.
#[cfg(all(target_arch = "x86_64", not(any(loom, miri))))]
#[inline(always)]
pub(super) fn add(counter: &AtomicU64, more: u64, _order: Ordering) -> bool {
    // SAFETY: the counter is memory that may be written through a shared reference. Stores of this processor are as
    // `Release` asks, and of eight aligned bytes at once, so that other threads may load meanwhile; none stores.
    unsafe {
        std::arch::asm!(
            "add qword ptr [{counter}], {more}",
            "js {negative}",
            counter = in(reg) counter.as_ptr(),
            more = in(reg) more,
            negative = label { return false },
            options(nostack),
        );
    }
    true
}

#[cfg(any(not(target_arch = "x86_64"), loom, miri))]
#[inline(always)]
pub(super) fn add(counter: &AtomicU64, more: u64, order: Ordering) -> bool {
    let sum = counter.load(Ordering::Relaxed).wrapping_add(more);
    counter.store(sum, order);
    sum.cast_signed() >= 0
}
