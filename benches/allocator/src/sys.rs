//! Allocating and freeing by hand, as `Box` and `Vec` do it, and the clock of a thread.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::hint::black_box;
use std::time::Duration;

/// Allocates and frees blocks of `layout`, which has a size, one after the other.
#[inline(never)]
pub(super) fn pairs(layout: Layout, pairs: u64) {
    assert!(layout.size() > 0);
    for _ in 0..pairs {
        // SAFETY: the layout has a size; the block was allocated with it and is freed once.
        unsafe {
            let block = black_box(alloc(layout));
            if block.is_null() {
                handle_alloc_error(layout);
            }
            dealloc(block, layout);
        }
    }
}

/// Makes a block of `layout` shorter by `less` and as long as it was again, `times` in all.
#[inline(never)]
pub(super) fn reallocations(layout: Layout, less: usize, times: u64) {
    assert!(layout.size() > less);
    let (mut layout, mut other) = (layout, layout.size() - less);
    // SAFETY: both sizes are above zero, and no larger than the first layout, which is one; the block is always of the
    // layout that goes with it, and is freed once.
    unsafe {
        let mut block = alloc(layout);
        for _ in 0..times {
            if block.is_null() {
                handle_alloc_error(layout);
            }
            block = black_box(realloc(block, layout, other));
            let size = layout.size();
            layout = Layout::from_size_align_unchecked(other, layout.align());
            other = size;
        }
        if block.is_null() {
            handle_alloc_error(layout);
        }
        dealloc(block, layout);
    }
}

/// What the calling thread has had of the processors.
pub(super) fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` may be written.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Keeps the calling thread on one processor of those it may use; which one goes by its `number`.
pub(super) fn stay_on(number: usize) {
    // SAFETY: a set of processors is bits, of which none may be set; it may be written, and is of the size that is told.
    // Where a call fails the thread stays where it likes.
    unsafe {
        let size = size_of::<libc::cpu_set_t>();
        let (mut all, mut one) = (std::mem::zeroed(), std::mem::zeroed());
        if libc::sched_getaffinity(0, size, &mut all) != 0 {
            return;
        }
        let usable = (0..libc::CPU_SETSIZE as usize).filter(|processor| libc::CPU_ISSET(*processor, &all));
        let usable: Vec<usize> = usable.collect();
        if let Some(processor) = usable.get(number % usable.len().max(1)) {
            libc::CPU_SET(*processor, &mut one);
            libc::sched_setaffinity(0, size, &one);
        }
    }
}
