//! What is mounted where a path leads.

use otel_vitals_core::KernelFile;
use otel_vitals_core::mountinfo::{self, unescaped};
use otel_vitals_core::scan::{self, Faults};
use std::ffi::{CStr, OsStr};
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The mount that a path is on.
#[derive(Debug, PartialEq)]
pub(super) struct Mounted {
    /// Type of the file system.
    pub(super) kind: String,
    /// Where it is mounted, as the watched machine sees it; none when that is outside of what is mounted here of it.
    pub(super) point: Option<String>,
}

impl Mounted {
    /// None where the kernel does not tell. Waits as long as the file system makes it. `prefix` is the folder of a foreign root, or empty.
    pub(super) fn at(path: &CStr, prefix: &Path) -> Option<Self> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_PATH);
        let file = options.open(OsStr::from_bytes(path.to_bytes())).ok()?;
        let table = KernelFile::any_records("/proc/self/mountinfo").read().ok()?.to_vec();
        Self::of(&table, number(&file)?, prefix)
    }

    fn of(table: &[u8], number: u64, prefix: &Path) -> Option<Self> {
        let mounts = mountinfo::read(table, &mut Faults::default());
        let mount = mounts.iter().find(|mount| mount.id == number)?;
        let point = unescaped(mount.point);
        let inside = match prefix.as_os_str().is_empty() {
            true => Some(point.as_ref()),
            false => Path::new(OsStr::from_bytes(&point))
                .strip_prefix(prefix)
                .ok()
                .map(|path| path.as_os_str().as_bytes()),
        };
        let absolute = |inside: &[u8]| match inside {
            [b'/', ..] => String::from_utf8_lossy(inside).into_owned(),
            _ => format!("/{}", String::from_utf8_lossy(inside)),
        };
        Some(Mounted {
            kind: String::from_utf8_lossy(&unescaped(mount.kind)).into_owned(),
            point: inside.map(absolute),
        })
    }
}

/// The number of the mount that `file` was opened on, which the kernel tells since 3.15.
fn number(file: &File) -> Option<u64> {
    let mut info = KernelFile::single_record(format!("/proc/self/fdinfo/{}", file.as_raw_fd()));
    let line = |bytes: &[u8]| {
        scan::lines(bytes).find_map(|line| {
            scan::number(scan::trim(line.strip_prefix(b"mnt_id:")?), "the number of a mount").ok()
        })
    };
    line(info.read().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"25 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
        30 25 8:2 / /host rw - xfs /dev/sdb1 rw\n31 30 8:3 / /host/with\\040blank rw - btrfs /dev/sdc1 rw\n";

    #[test]
    fn the_mount_is_that_of_its_number_seen_from_the_root() {
        let mounted = |number, prefix: &str| {
            let mounted = Mounted::of(TABLE, number, Path::new(prefix))?;
            Some((mounted.kind, mounted.point))
        };
        let some = |kind: &str, point: Option<&str>| Some((kind.to_owned(), point.map(str::to_owned)));
        assert_eq!(mounted(25, ""), some("ext4", Some("/")));
        assert_eq!(mounted(31, ""), some("btrfs", Some("/host/with blank")));
        assert_eq!(mounted(30, "/host"), some("xfs", Some("/")));
        assert_eq!(mounted(31, "/host/"), some("btrfs", Some("/with blank")));
        assert_eq!(mounted(25, "/host"), some("ext4", None));
        assert_eq!(mounted(99, ""), None);
    }

    #[test]
    fn proc_is_proc() {
        let mounted = Mounted::at(c"/proc/self/status", Path::new("")).unwrap();
        assert_eq!((&*mounted.kind, mounted.point.as_deref()), ("proc", Some("/proc")));
        assert_eq!(Mounted::at(c"/nowhere/at/all", Path::new("")), None);
    }
}
