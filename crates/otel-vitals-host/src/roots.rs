//! Where the kernel's file systems are.

use std::path::{Path, PathBuf};

/// The folder below which `/proc`, `/sys` and the mount points are those of the machine to be watched.
#[derive(Clone, Debug)]
pub(crate) struct Roots {
    root: PathBuf,
}

impl Roots {
    pub(crate) fn new(root: Option<&Path>) -> Self {
        Roots { root: root.unwrap_or(Path::new("/")).to_path_buf() }
    }

    /// `path`, which is absolute on the watched machine, as this process reaches it.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}
