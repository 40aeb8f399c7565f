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

    /// The folder, when it is another machine's view (or a container's host) and not this process's own `/`.
    pub(crate) fn foreign(&self) -> Option<&Path> {
        (self.root != Path::new("/")).then_some(&*self.root)
    }

    /// `file` of the process that sees the mounts and the network of the watched machine: this process, or process 1
    /// of a foreign root.
    pub(crate) fn of_process(&self, file: &str) -> PathBuf {
        self.path(if self.foreign().is_some() { "/proc/1" } else { "/proc/self" }).join(file)
    }
}
