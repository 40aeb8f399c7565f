//! Memory for stacks, and sleeping until somebody rings.
#![allow(unsafe_code)]

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::*};
use std::time::Duration;

/// Where stacks are copied to: a mapping of its own, which once it is there stays at its place, so that a handler that comes late never
/// writes to memory that is another's. Without content it is address space and nothing else.
#[derive(Debug)]
pub(super) struct Stacks {
    /// Zero before it is there.
    address: AtomicUsize,
    size: AtomicUsize,
}

impl Stacks {
    pub(super) const fn new() -> Self {
        Stacks { address: AtomicUsize::new(0), size: AtomicUsize::new(0) }
    }

    /// Sees to it that there are so many bytes. Called by one thread at a time, and always with the same number.
    pub(super) fn map(&self, size: usize) -> io::Result<()> {
        if self.address() != 0 {
            return Ok(());
        }
        // SAFETY: a new mapping at a place that the kernel chooses touches no memory of anybody.
        let mapped = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // Whole huge pages for stacks of some KiB each would be resident for nothing. A kernel without them refuses, rightly.
        // SAFETY: the range is the mapping's own, and the advice changes no content.
        unsafe { libc::madvise(mapped, size, libc::MADV_NOHUGEPAGE) };
        self.size.store(size, Relaxed);
        self.address.store(mapped as usize, Release);
        Ok(())
    }

    pub(super) fn address(&self) -> usize {
        self.address.load(Acquire)
    }

    /// So many bytes from `offset` on, which the caller has for itself until it frees the slot that they are of. None of what is not in
    /// the mapping.
    pub(super) fn bytes(&self, offset: usize, length: usize) -> &[u8] {
        let address = self.address();
        if address == 0 || offset.saturating_add(length) > self.size.load(Relaxed) {
            return &[];
        }
        // SAFETY: in the mapping, which stays, is readable and has content (zeros before any). They are of a slot that is ready, into
        // which no handler writes before it is free again, and its writer's `fetch_or` (release) was seen (acquire).
        unsafe { std::slice::from_raw_parts(ptr::with_exposed_provenance(address + offset), length) }
    }

    /// Gives the memory back to the system, and keeps the place.
    pub(super) fn release(&self) {
        let (address, size) = (self.address(), self.size.load(Relaxed));
        if address != 0 {
            // SAFETY: the range is the mapping's own, of which nobody has a slice now: slices end with `Slots::take`. Who reads or writes
            // there afterwards finds zeros.
            unsafe { libc::madvise(ptr::with_exposed_provenance_mut(address), size, libc::MADV_DONTNEED) };
        }
    }
}

/// Sleeps while `word` is `value`, at most so long; a signal or a wake-up for nothing may end it sooner.
pub(super) fn wait(word: &AtomicU32, value: u32, most: Duration) {
    let most = libc::timespec {
        tv_sec: most.as_secs().min(i32::MAX as u64) as _,
        tv_nsec: most.subsec_nanos().into(),
    };
    // SAFETY: both addresses are of memory that outlives the call.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            value,
            &raw const most,
        )
    };
}

/// Wakes who sleeps on `word`.
pub(super) fn wake(word: &AtomicU32) {
    // SAFETY: the kernel uses the address as a name, and needs no content.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 1) };
}
