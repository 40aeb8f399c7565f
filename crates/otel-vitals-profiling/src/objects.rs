//! The objects whose names are looked up: the program first.

use std::path::PathBuf;
use std::sync::Arc;

/// An object of this process: the program, a library.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) path: PathBuf,
    /// Where its code begins in memory.
    pub(crate) start: u64,
    /// Where its code ends.
    pub(crate) end: u64,
    /// Where in the file that begins.
    pub(crate) offset: u64,
    /// What an address in memory has more than the one that the file says.
    pub(crate) bias: u64,
    pub(crate) build_id: Option<Arc<[u8]>>,
    /// Whether it is the program itself, whose file the kernel keeps whatever is at its path by now.
    pub(crate) program: bool,
}

impl Object {
    pub(crate) fn contains(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }
}

/// What is loaded now.
pub(crate) fn loaded() -> Vec<Object> {
    Vec::new()
}
