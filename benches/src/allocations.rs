//! Heap allocations, counted by an allocator that every program here may install.

#[allow(unsafe_code)]
mod sys {
    //! The allocator, and nothing else.

    use std::alloc::{GlobalAlloc, Layout, System};
    use std::sync::atomic::{AtomicU64, Ordering};

    /// The system's allocator, counting what is asked of it.
    pub struct Counting;

    static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

    // SAFETY: every call goes to the system's allocator as it came; counting touches no memory of the heap.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
            // SAFETY: what the caller promised us is what the system's allocator asks for.
            unsafe { System.alloc(layout) }
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
            // SAFETY: as above.
            unsafe { System.alloc_zeroed(layout) }
        }

        unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
            // SAFETY: as above.
            unsafe { System.realloc(pointer, layout, size) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            // SAFETY: as above.
            unsafe { System.dealloc(pointer, layout) }
        }
    }

    pub(super) fn allocations() -> u64 {
        ALLOCATIONS.load(Ordering::Relaxed)
    }
}

pub use sys::Counting;

/// Allocations and reallocations of all threads while `work` runs, if [`Counting`] is the global allocator.
pub fn during(work: impl FnOnce()) -> u64 {
    let before = sys::allocations();
    work();
    sys::allocations() - before
}
