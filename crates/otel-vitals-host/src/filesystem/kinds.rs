//! Kinds of file systems, by the name of their type.

/// The kernel's own books, memory, and read-only images, which are full by construction: nothing that fills up.
const WITHOUT_DISK: &[&str] = &[
    "autofs",
    "bdev",
    "binder",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "cpuset",
    "cramfs",
    "debugfs",
    "devfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "erofs",
    "fuse.gvfsd-fuse",
    "fuse.lxcfs",
    "fuse.portal",
    "fuse.snapfuse",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nfsd",
    "nsfs",
    "openpromfs",
    "proc",
    "pstore",
    "ramfs",
    "resctrl",
    "romfs",
    "rootfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "spufs",
    "squashfs",
    "sysfs",
    "tmpfs",
    "tracefs",
    "usbfs",
    "xenfs",
];

/// What a server, another machine or a process answers for, and may not. virtiofs and 9p are folders of the host of a
/// virtual machine, gfs2 and ocfs2 wait for other machines' locks, and a FUSE file system is a program.
const SERVED: &[&str] = &[
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "drvfs",
    "fuse",
    "fuseblk",
    "gfs2",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "panfs",
    "prl_fs",
    "smb3",
    "smbfs",
    "vboxsf",
    "virtiofs",
    "vmhgfs",
];

/// Whether file systems of this type are taken by default at `point`. An overlay shows the space of the file system
/// below it; as the root of a container it is all that there is to see.
pub(super) fn keeps_data(kind: &[u8], point: &[u8]) -> bool {
    match kind {
        b"overlay" | b"aufs" => point == b"/",
        _ => !contains(WITHOUT_DISK, kind),
    }
}

/// Whether to ask such a file system may take for ever: by its type or, for types unknown here, because its source
/// names a server. `fuseblk` serves a disk of this machine, but it is a program, too, and hangs as one.
pub(super) fn is_served(kind: &[u8], source: &[u8]) -> bool {
    contains(SERVED, kind)
        || kind.starts_with(b"fuse.")
        || source.starts_with(b"//")
        || source.windows(2).any(|window| window == b":/")
}

/// Whether looking at the mount point would make somebody mount something there.
pub(super) fn is_trigger(kind: &[u8]) -> bool {
    kind == b"autofs"
}

fn contains(kinds: &[&str], kind: &[u8]) -> bool {
    kinds.iter().any(|known| known.as_bytes() == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_on_disks_and_on_servers() {
        for kind in ["ext4", "xfs", "btrfs", "vfat", "zfs", "f2fs", "fuseblk", "ntfs3", "nfs4", "bcachefs"] {
            assert!(keeps_data(kind.as_bytes(), b"/mnt"), "{kind}");
        }
        for kind in WITHOUT_DISK {
            assert!(!keeps_data(kind.as_bytes(), b"/"), "{kind}");
        }
        assert!(keeps_data(b"overlay", b"/"));
        assert!(!keeps_data(b"overlay", b"/var/lib/docker/overlay2/1f/merged"));
    }

    #[test]
    fn whoever_may_never_answer_is_served() {
        for (kind, source) in [
            ("nfs", "filer:/export"),
            ("nfs4", "[fd00::1]:/export"),
            ("cifs", "//filer/share"),
            ("9p", "hostshare"),
            ("virtiofs", "hostshare"),
            ("ceph", "10.0.0.1:6789:/"),
            ("fuse.sshfs", "somebody@host:"),
            ("fuse.hung", "nothing"),
            ("fuseblk", "/dev/sdb1"),
            ("lustre", "10.0.0.1@tcp:/scratch"),
            ("newfs", "filer:/export"),
            ("newfs", "//filer/share"),
        ] {
            assert!(is_served(kind.as_bytes(), source.as_bytes()), "{kind} {source}");
        }
        for (kind, source) in [
            ("ext4", "/dev/mapper/vg-root"),
            ("fusectl", "fusectl"),
            ("zfs", "tank/data:old"),
            ("btrfs", "/dev/disk/by-path/pci-0000:00:1f.2-ata-1"),
            ("xfs", ""),
        ] {
            assert!(!is_served(kind.as_bytes(), source.as_bytes()), "{kind} {source}");
        }
    }
}
