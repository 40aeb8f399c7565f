//! What the compiler calls.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::LARGEST;

/// The allocator.
pub struct Null;

#[repr(align(4096))]
struct Block(UnsafeCell<[u8; LARGEST]>);

// SAFETY: nobody reads or writes what is in it.
unsafe impl Sync for Block {}

static BLOCK: Block = Block(UnsafeCell::new([0; LARGEST]));

static GIVES_NOTHING: AtomicBool = AtomicBool::new(false);

pub(super) fn give_nothing(nothing: bool) {
    GIVES_NOTHING.store(nothing, Relaxed);
}

fn block() -> *mut u8 {
    BLOCK.0.get().cast()
}

// SAFETY: every block is the system's, but for the one that everybody gets while nobody may touch it.
unsafe impl GlobalAlloc for Null {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if GIVES_NOTHING.load(Relaxed) {
            return block();
        }
        // SAFETY: the caller keeps the conditions of this method, which are the same.
        unsafe { System.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if GIVES_NOTHING.load(Relaxed) {
            return block();
        }
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if pointer == block() {
            return pointer;
        }
        // SAFETY: as above; the block is the system's.
        unsafe { System.realloc(pointer, layout, size) }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if pointer != block() {
            // SAFETY: as above; the block is the system's.
            unsafe { System.dealloc(pointer, layout) }
        }
    }
}
