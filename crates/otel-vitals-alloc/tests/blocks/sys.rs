//! A block of the global allocator.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error, realloc};
use std::ptr::NonNull;
use std::slice;

/// All its bytes are initialized.
pub(crate) struct Block {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: it owns its bytes.
unsafe impl Send for Block {}

impl Block {
    pub(crate) fn filled(layout: Layout, fill: u8) -> Block {
        assert!(layout.size() > 0);
        // SAFETY: the size is not zero.
        let start = NonNull::new(unsafe { alloc(layout) });
        let start = start.unwrap_or_else(|| handle_alloc_error(layout));
        // SAFETY: the block is as large as that.
        unsafe { start.write_bytes(fill, layout.size()) };
        Block { start, layout }
    }

    pub(crate) fn zeroed(layout: Layout) -> Block {
        assert!(layout.size() > 0);
        // SAFETY: the size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) });
        Block { start: start.unwrap_or_else(|| handle_alloc_error(layout)), layout }
    }

    /// Fills what is added.
    pub(crate) fn resize(&mut self, size: usize, fill: u8) {
        let old = self.layout.size();
        let layout = Layout::from_size_align(size, self.layout.align()).unwrap();
        assert!(size > 0);
        // SAFETY: the block is the allocator's, with this layout, and the size is neither zero nor too large for a
        // layout of this alignment.
        let start = NonNull::new(unsafe { realloc(self.start.as_ptr(), self.layout, size) });
        self.start = start.unwrap_or_else(|| handle_alloc_error(layout));
        self.layout = layout;
        if let Some(more) = size.checked_sub(old) {
            // SAFETY: the block is as large as both together.
            unsafe { self.start.add(old).write_bytes(fill, more) };
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the block is as large as that, initialized, and borrowed.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.layout.size()) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block is the allocator's, with this layout, and nobody has it any more.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}
