//! Space of the file systems that are configured: the first one's at the top, and that of all in `mounts`.

use otel_vitals::Threshold;
use otel_vitals::hardware::{Disk, Level, Snapshot};
use serde::Serialize;

use super::{Limits, Space};
use crate::answer;

/// The worst of all disks.
pub(super) fn level(snapshot: &Snapshot) -> Level {
    snapshot.disks.iter().map(|disk| disk.level).max().unwrap_or_default()
}

#[derive(Serialize)]
pub(super) struct Body<'a> {
    /// The worst of all.
    info: &'static str,
    #[serde(flatten)]
    space: Space,
    mounts: Vec<Mount<'a>>,
    thresholds: Limits,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

#[derive(Serialize)]
struct Mount<'a> {
    path: &'a str,
    info: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mount_point: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(flatten)]
    space: Space,
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

impl<'a> Body<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, threshold: Threshold) -> Self {
        Body {
            info: level(snapshot).as_str(),
            space: snapshot.primary_disk().map(space).unwrap_or_default(),
            mounts: snapshot.disks.iter().map(Mount::new).collect(),
            thresholds: threshold.into(),
            time: snapshot.taken_at.map(answer::time),
            problem: snapshot.problem.as_deref(),
        }
    }
}

impl<'a> Mount<'a> {
    fn new(disk: &'a Disk) -> Self {
        Mount {
            path: &disk.path,
            info: disk.level.as_str(),
            mount_point: disk.mount_point.as_deref(),
            kind: disk.kind.as_deref(),
            space: space(disk),
            reserved_bytes: disk.space.map(|space| space.reserved),
            problem: disk.problem.as_deref(),
        }
    }
}

fn space(disk: &Disk) -> Space {
    let of = disk.space;
    let (used, available) = (of.map(|space| space.used), of.map(|space| space.available));
    Space::new(used, available, of.map(|space| space.total), disk.used_percent())
}
