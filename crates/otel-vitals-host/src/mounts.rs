//! Which mounts a path leads to.

use otel_vitals_core::mountinfo::Mount;
use std::collections::{HashMap, HashSet};

/// The table of mounts as the tree that it is.
pub(crate) struct Tree<'a> {
    by_id: HashMap<u64, &'a Mount<'a>>,
    /// Number of the mount below, and mount point, of every mount.
    on: HashSet<(u64, &'a [u8])>,
}

impl<'a> Tree<'a> {
    pub(crate) fn new(mounts: &'a [Mount<'a>]) -> Self {
        Tree {
            by_id: mounts.iter().map(|mount| (mount.id, mount)).collect(),
            on: mounts
                .iter()
                .filter(|mount| mount.parent != mount.id)
                .map(|mount| (mount.parent, mount.point))
                .collect(),
        }
    }

    /// The mounts that a look-up of the mount point of `mount` passes through on its way, from the nearest to the
    /// root; none when it ends in another mount, because one covers `mount` or a folder above it.
    pub(crate) fn way_to(&self, mount: &'a Mount<'a>) -> Option<Vec<&'a Mount<'a>>> {
        if self.is_covered(mount) {
            return None;
        }
        let mut way = Vec::new();
        let mut here = mount;
        while let Some(below) = self.by_id.get(&here.parent).filter(|below| below.id != here.id) {
            // A table that goes round in a circle leads nowhere.
            if way.len() > self.by_id.len() {
                return None;
            }
            if below.point != here.point && (self.is_covered(below) || self.is_hidden(here.point, below)) {
                return None;
            }
            way.push(*below);
            here = below;
        }
        Some(way)
    }

    /// Whether another mount lies on the root of this one.
    fn is_covered(&self, mount: &Mount<'_>) -> bool {
        self.on.contains(&(mount.id, mount.point))
    }

    /// Whether another mount on `below` covers a folder above `point`.
    fn is_hidden(&self, point: &[u8], below: &Mount<'_>) -> bool {
        let start = if below.point == b"/" { 0 } else { below.point.len() };
        let slashes = point.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        slashes
            .filter(|at| *at > start)
            .filter_map(|at| point.get(..at))
            .any(|folder| self.on.contains(&(below.id, folder)))
    }
}

#[cfg(test)]
mod tests;
