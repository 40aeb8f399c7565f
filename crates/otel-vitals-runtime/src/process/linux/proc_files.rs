//! Where `/proc` is.

use std::path::{Path, PathBuf};

/// The proc file system that tells of this process; tests have one of their own.
#[derive(Clone, Debug)]
pub(super) struct ProcFiles {
    root: PathBuf,
}

impl Default for ProcFiles {
    fn default() -> Self {
        Self::at(Path::new("/proc"))
    }
}

impl ProcFiles {
    pub(super) fn at(root: &Path) -> Self {
        ProcFiles { root: root.to_path_buf() }
    }

    /// A file of this process.
    pub(super) fn own(&self, name: &str) -> PathBuf {
        self.root.join("self").join(name)
    }

    /// A file of the machine.
    pub(super) fn machine(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}
