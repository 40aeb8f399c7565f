//! In which group of a tree this process is, and where that is mounted.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::mountinfo::{Mount, unescaped};
use crate::scan;

/// A tree of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    /// That of version 1 which has the CPU controller.
    Cpu,
    /// That of version 1 which counts CPU time; mostly the same.
    CpuTime,
    /// That of version 1 which has the memory controller.
    Memory,
    /// That of version 2.
    Unified,
}

/// A group as this process reaches it.
#[derive(Debug, PartialEq)]
pub(super) struct Group {
    /// Where the tree, or as much of it as is visible, is mounted.
    top: PathBuf,
    folder: PathBuf,
}

impl Group {
    /// The group of this process in `tree`, by what `/proc/self/cgroup` and the table of mounts say of it; none when the tree
    /// is not mounted, or not the part that the group is in. `root` is put before the mount points.
    ///
    /// Of several mounts, that is taken which shows most of what is above the group.
    pub(super) fn own(root: &Path, memberships: &[u8], mounts: &[Mount<'_>], tree: Tree) -> Option<Self> {
        let path = tree.path(memberships)?;
        let groups = mounts.iter().filter(|mount| tree.is_at(mount)).filter_map(|mount| {
            let mounted = unescaped(mount.root);
            let group = Group::new(root, mount, below(&mounted, path)?);
            // Another mount may cover this one. Every group has this file.
            fs::exists(group.folder.join("cgroup.procs")).ok()?.then_some((mounted.len(), group))
        });
        groups.min_by_key(|(length, _)| *length).map(|(_, group)| group)
    }

    fn new(root: &Path, mount: &Mount<'_>, inside: &[u8]) -> Self {
        let point = unescaped(mount.point);
        let top = root.join(relative(&point));
        let folder = top.join(relative(inside));
        Group { top, folder }
    }

    pub(super) fn own_folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of the group, and of those above it that are visible.
    pub(super) fn folders(&self) -> impl Iterator<Item = &Path> {
        self.folder.ancestors().take_while(|folder| folder.starts_with(&self.top))
    }

    /// The folder of the same name in the tree of `other`, where this process is in that group or one below it, too.
    pub(super) fn counterpart(&self, folder: &Path, other: &Group) -> Option<PathBuf> {
        let there = other.top.join(folder.strip_prefix(&self.top).ok()?);
        other.folder.starts_with(&there).then_some(there)
    }
}

impl Tree {
    /// The path behind the tree's line of `/proc/self/cgroup`: `4:cpu,cpuacct:<path>` or `0::<path>`. It may have any
    /// character but a line feed.
    fn path(self, memberships: &[u8]) -> Option<&[u8]> {
        scan::whole_lines(memberships).find_map(|line| {
            let mut parts = line.splitn(3, |byte| *byte == b':');
            let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let is_meant = match self.controller() {
                Some(controller) => has(controllers, controller),
                None => number == b"0" && controllers.is_empty(),
            };
            is_meant.then_some(path)
        })
    }

    fn is_at(self, mount: &Mount<'_>) -> bool {
        match self.controller() {
            Some(controller) => mount.kind == b"cgroup" && has(mount.super_options, controller),
            None => mount.kind == b"cgroup2",
        }
    }

    /// The name by which version 1 knows the tree.
    fn controller(self) -> Option<&'static [u8]> {
        match self {
            Tree::Cpu => Some(b"cpu"),
            Tree::CpuTime => Some(b"cpuacct"),
            Tree::Memory => Some(b"memory"),
            Tree::Unified => None,
        }
    }
}

fn has(list: &[u8], controller: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|word| word == controller)
}

/// What of `path` is below `mounted`, both being paths in one tree; none when it is outside, or not known.
///
/// In a namespace of control groups both are relative to its root, and what is outside begins with `/..`; the way from
/// there back inside goes by a name that nobody tells.
fn below<'a>(mounted: &[u8], path: &'a [u8]) -> Option<&'a [u8]> {
    let inside = if mounted == b"/" { path } else { path.strip_prefix(mounted)? };
    let is_whole = inside.is_empty() || inside.starts_with(b"/");
    let goes_up = || inside.split(|byte| *byte == b'/').any(|name| name == b"..");
    (is_whole && !goes_up()).then_some(inside)
}

fn relative(path: &[u8]) -> &OsStr {
    let slashes = path.iter().take_while(|byte| **byte == b'/').count();
    OsStr::from_bytes(path.get(slashes..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mountinfo;
    use crate::scan::Faults;
    use proptest::prelude::*;

    #[test]
    fn the_line_of_the_tree_is_found() {
        let v1 = b"12:cpuset:/a\n4:cpu,cpuacct:/b:c\n3:cpuacct:/d\n1:name=systemd:/e\n0::/f g\n";
        assert_eq!(Tree::Cpu.path(v1), Some(&b"/b:c"[..]));
        assert_eq!(Tree::Unified.path(v1), Some(&b"/f g"[..]));
        assert_eq!(Tree::Cpu.path(b"2:cpuacct,cpu:/x\n"), Some(&b"/x"[..]));
        for none in [&b""[..], b"0::/", b"0:\n", b"3:cpuacct:/d\n1:name=cpu:/e\n"] {
            assert_eq!((Tree::Cpu.path(none), Tree::Unified.path(none)), (None, None));
        }
    }

    #[test]
    fn paths_are_relative_to_what_is_mounted() {
        for (mounted, path, inside) in [
            ("/", "/", Some("/")),
            ("/", "/docker/1f", Some("/docker/1f")),
            ("/docker/1f", "/docker/1f", Some("")),
            ("/docker/1f", "/docker/1f/inner", Some("/inner")),
            ("/docker/1f", "/docker/1f2", None),
            ("/docker/1f", "/", None),
            ("/", "/../other", None),
            ("/", "relative", None),
            ("/..", "/../other", Some("/other")),
            ("/..", "/", None),
            ("/../..", "/../other", None),
        ] {
            assert_eq!(
                below(mounted.as_bytes(), path.as_bytes()),
                inside.map(str::as_bytes),
                "{mounted} {path}"
            );
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_never_leaves_the_mount(path in "/?(\\.\\.?|a|/|:|\\\\040){0,8}", mounted in "/(\\.\\.|a|/){0,4}") {
            if let Some(inside) = below(mounted.as_bytes(), path.as_bytes()) {
                let table = b"31 1 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
                let mounts = mountinfo::read(table, &mut Faults::default());
                let group = Group::new(Path::new("/root"), &mounts[0], inside);
                prop_assert!(group.own_folder().starts_with("/root/sys/fs/cgroup"));
                prop_assert!(group.folders().all(|folder| folder.starts_with("/root/sys/fs/cgroup")));
            }
        }
    }
}
