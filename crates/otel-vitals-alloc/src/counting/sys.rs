//! What the compiler calls.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::any::TypeId;
use std::hint::cold_path;

use super::Counting;
use crate::sampling;
use crate::shard::Shard;
use crate::thread;

/// What every allocator aligns to without being asked, on the machines where the standard library says so.
const ALIGNED_ANYWAY: usize = if cfg!(target_pointer_width = "64") { 16 } else { 8 };

/// Known when this is compiled.
#[inline(always)]
fn is_system<A: 'static>() -> bool {
    TypeId::of::<A>() == TypeId::of::<System>()
}

// SAFETY: every call goes to the inner allocator with the arguments it came with, and what that returns is returned.
// Counting allocates nothing from a global allocator, does not unwind, and touches no block.
unsafe impl<A: GlobalAlloc + 'static> GlobalAlloc for Counting<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // The system's allocator makes the same distinction. Where it is made here, the compiler sees that once is enough,
        // and that what follows needs no more of the stack than a return address and the size. Two branches that are
        // never taken cost less than what becomes of `||`.
        if is_system::<A>() {
            if layout.align() > ALIGNED_ANYWAY {
                cold_path();
                // SAFETY: the caller keeps the conditions of this method, which are the same.
                return unsafe { self.alloc_aligned(layout) };
            }
            if layout.align() > layout.size() {
                cold_path();
                // SAFETY: as above.
                return unsafe { self.alloc_aligned(layout) };
            }
        }
        // SAFETY: as above.
        self.counted(unsafe { self.inner.alloc(layout) }, layout)
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        self.counted(unsafe { self.inner.alloc_zeroed(layout) }, layout)
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if sampling::may_be_sampled(block.addr()) {
            // SAFETY: as above.
            return unsafe { self.realloc_sampled(block, layout, size) };
        }
        // SAFETY: as above.
        self.recounted(unsafe { self.inner.realloc(block, layout, size) }, layout, size)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if sampling::may_be_sampled(block.addr()) {
            // SAFETY: as above.
            return unsafe { self.dealloc_sampled(block, layout) };
        }
        // SAFETY: as above.
        unsafe { self.dealloc_unsampled(block, layout) }
    }
}

impl<A: GlobalAlloc + 'static> Counting<A> {
    /// `block`, which was allocated with `layout`, counted unless it is null.
    #[inline(always)]
    fn counted(&self, block: *mut u8, layout: Layout) -> *mut u8 {
        let own = thread::own();
        if block.is_null() || own.is_some_and(|own| own.allocated(layout.size())) {
            return block;
        }
        self.allocated(own, block, layout.size())
    }

    /// `block`, which was reallocated from one of `layout` to `size` bytes, counted unless it is null.
    #[inline(always)]
    fn recounted(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let own = thread::own();
        if block.is_null() || own.is_some_and(|own| own.reallocated(layout.size(), size)) {
            return block;
        }
        self.reallocated(own, block, layout.size(), size)
    }

    /// # Safety
    /// That of [`GlobalAlloc::dealloc`].
    #[inline(always)]
    unsafe fn dealloc_unsampled(&self, block: *mut u8, layout: Layout) {
        let own = thread::own();
        if own.is_some_and(|own| own.freed(layout.size())) {
            // SAFETY: the caller keeps the conditions of the method, which are the same.
            return unsafe { self.inner.dealloc(block, layout) };
        }
        // SAFETY: as above.
        unsafe { self.dealloc_slowly(block, layout, own) }
    }

    /// # Safety
    /// That of [`GlobalAlloc::alloc`].
    #[inline(never)]
    unsafe fn alloc_aligned(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the conditions of the method, which are the same.
        self.counted(unsafe { self.inner.alloc(layout) }, layout)
    }

    /// Reallocates a block that may be sampled.
    ///
    /// # Safety
    /// That of [`GlobalAlloc::realloc`].
    #[cold]
    #[inline(never)]
    unsafe fn realloc_sampled(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let moving = sampling::moving(block.addr());
        // SAFETY: the caller keeps the conditions of the method, which are the same.
        let block = unsafe { self.inner.realloc(block, layout, size) };
        if let Some(moving) = moving {
            moving.end(block.is_null());
        }
        self.recounted(block, layout, size)
    }

    /// Frees a block that may be sampled.
    ///
    /// # Safety
    /// That of [`GlobalAlloc::dealloc`].
    #[cold]
    #[inline(never)]
    unsafe fn dealloc_sampled(&self, block: *mut u8, layout: Layout) {
        sampling::freed(block.addr());
        // SAFETY: the caller keeps the conditions of the method, which are the same.
        unsafe { self.dealloc_unsampled(block, layout) }
    }

    /// Frees a block that was not counted at once.
    ///
    /// # Safety
    /// That of [`GlobalAlloc::dealloc`].
    #[cold]
    #[inline(never)]
    unsafe fn dealloc_slowly(&self, block: *mut u8, layout: Layout, own: Option<&'static Shard>) {
        self.tell();
        thread::freed(own, layout.size());
        // SAFETY: the caller keeps the conditions of the method, which are the same.
        unsafe { self.inner.dealloc(block, layout) }
    }
}
