//! Which mounts are shown.

use otel_vitals_core::mountinfo::{Mount, unescaped};
use std::collections::HashMap;

use super::kinds;
use crate::FilesystemOptions;
use crate::filter::Choice;
use crate::mounts::Tree;

/// Files that a container runtime mounts into every container. They are on the disk that the root's overlay is on.
const RUNTIME_FILES: &[&[u8]] =
    &[b"/dev/termination-log", b"/etc/hostname", b"/etc/hosts", b"/etc/resolv.conf"];

#[derive(Clone, Debug)]
pub(super) struct Selection {
    types: Choice,
    points: Choice,
    network: bool,
}

/// A mount that is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Selected<'a> {
    pub(super) mount: &'a Mount<'a>,
    /// Whether a server has to answer before anything is known about it.
    pub(super) served: bool,
}

impl Selection {
    pub(super) fn new(options: &FilesystemOptions) -> Self {
        Selection {
            types: Choice::new(&options.types),
            points: Choice::new(&options.mountpoints),
            network: options.network,
        }
    }

    /// The mounts to show, in the order of the table.
    pub(super) fn of<'a>(&self, mounts: &'a [Mount<'a>]) -> Vec<Selected<'a>> {
        let tree = Tree::new(mounts);
        let mut selected: Vec<_> = mounts.iter().filter_map(|mount| self.candidate(mount, &tree)).collect();
        if !self.points.replaces_default() {
            keep_one_of_each(&mut selected);
        }
        selected.retain(|selected| self.points.takes(&text(selected.mount.point), || true));
        selected
    }

    /// `mount`, if its type is taken and its mount point leads to it, by a way that may be gone.
    fn candidate<'a>(&self, mount: &'a Mount<'a>, tree: &Tree<'a>) -> Option<Selected<'a>> {
        let kind = unescaped(mount.kind);
        let taken = !kinds::is_trigger(&kind)
            && self.types.takes(&String::from_utf8_lossy(&kind), || kinds::keeps_data(&kind, mount.point));
        if !taken {
            return None;
        }
        let way = tree.way_to(mount)?;
        let served = way.iter().copied().chain([mount]).any(is_served);
        (self.network || !served).then_some(Selected { mount, served })
    }
}

fn is_served(mount: &Mount<'_>) -> bool {
    kinds::is_served(&unescaped(mount.kind), &unescaped(mount.source))
}

/// Keeps one mount of each file system, as it is mounted several times by bind mounts and subvolumes: rather
/// one that no server can hide, rather all of it than a folder of it, rather a short mount point, rather the first.
fn keep_one_of_each(selected: &mut Vec<Selected<'_>>) {
    selected.retain(|selected| !RUNTIME_FILES.contains(&selected.mount.point));
    let rank =
        |selected: &Selected<'_>| (selected.served, selected.mount.root != b"/", selected.mount.point.len());
    let mut best = HashMap::new();
    for candidate in selected.iter() {
        let kept = best.entry(file_system(candidate.mount)).or_insert(*candidate);
        if rank(candidate) < rank(kept) {
            *kept = *candidate;
        }
    }
    selected.retain(|selected| best.get(&file_system(selected.mount)) == Some(selected));
}

/// What two mounts of one file system have in common. Some kernels number the subvolumes of a btrfs apart, as if each
/// had all the space; there the device tells.
fn file_system<'a>(mount: &Mount<'a>) -> &'a [u8] {
    if mount.kind == b"btrfs" { mount.source } else { mount.device }
}

/// `escaped` as text.
pub(super) fn text(escaped: &[u8]) -> String {
    String::from_utf8_lossy(&unescaped(escaped)).into_owned()
}

#[cfg(test)]
mod tests;
