use super::*;
use crate::Filter;
use otel_vitals_core::mountinfo;
use otel_vitals_core::scan::Faults;
use proptest::prelude::*;

const COMPLETE: &[u8] = include_bytes!("../../../tests/fixtures/full/proc/1/mountinfo");
const DOCKER: &[u8] = include_bytes!("../../../tests/fixtures/docker-container/proc/1/mountinfo");
const KUBERNETES: &[u8] = include_bytes!("../../../tests/fixtures/kubernetes-node/proc/1/mountinfo");
const LAPTOP: &[u8] = include_bytes!("../../../tests/fixtures/laptop-btrfs/proc/1/mountinfo");
const OPENSUSE: &[u8] = include_bytes!("../../../tests/fixtures/opensuse-btrfs/proc/1/mountinfo");
const NFS_CLIENT: &[u8] = include_bytes!("../../../tests/fixtures/linux-4.18-nfs-client/proc/1/mountinfo");
const ODD: &[u8] = include_bytes!("../../../tests/fixtures/odd-mounts/proc/1/mountinfo");

fn options(change: impl FnOnce(&mut FilesystemOptions)) -> FilesystemOptions {
    let mut options = FilesystemOptions::default();
    change(&mut options);
    options
}

/// The mount points that are shown, those that are served with a `*`.
fn points(table: &[u8], options: &FilesystemOptions) -> Vec<String> {
    let mounts = mountinfo::read(table, &mut Faults::default());
    let selected = Selection::new(options).of(&mounts);
    selected.iter().map(|one| text(one.mount.point) + if one.served { "*" } else { "" }).collect()
}

fn by_default(table: &[u8]) -> Vec<String> {
    points(table, &options(|_| {}))
}

fn with_network(table: &[u8]) -> Vec<String> {
    points(table, &options(|options| options.network = true))
}

#[test]
fn shows_each_disk_of_a_machine_once() {
    assert_eq!(by_default(COMPLETE), ["/", "/srv/data"]);
    assert_eq!(by_default(NFS_CLIENT), ["/", "/boot"]);
}

#[test]
fn shows_the_overlay_of_a_container_and_its_volumes() {
    assert_eq!(by_default(DOCKER), ["/", "/var/lib/postgresql/data"]);
    let files = points(DOCKER, &options(|options| options.mountpoints = Filter::new(["/etc/*"], [""; 0])));
    assert_eq!(files, ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"]);
}

#[test]
fn shows_the_disks_and_volumes_of_a_node_and_not_its_pods() {
    let shown = by_default(KUBERNETES);
    let (volumes, disks): (Vec<_>, Vec<_>) =
        shown.iter().map(String::as_str).partition(|point| point.contains("csi"));
    assert_eq!(disks, ["/", "/boot/efi", "/var/lib/containerd"]);
    assert_eq!(volumes.len(), 5, "{volumes:?}");
    assert!(with_network(KUBERNETES).iter().filter(|point| point.ends_with('*')).count() == 3);
}

#[test]
fn shows_subvolumes_once() {
    assert_eq!(by_default(LAPTOP), ["/", "/boot", "/boot/efi"]);
    assert_eq!(by_default(OPENSUSE), ["/"]);
}

#[test]
fn network_file_systems_and_what_is_below_them_take_an_option() {
    let network = ["/", "/boot", "/home*", "/projects/beta*", "/home/scratch*", "/mnt/windows*"];
    assert_eq!(with_network(NFS_CLIENT), network);
    assert_eq!(with_network(COMPLETE), ["/", "/srv/data", "/srv/share*"]);
    assert_eq!(with_network(LAPTOP).last().unwrap(), "/home/ann/server*");
    let asked_for = options(|options| options.types = Filter::new(["nfs*", "cifs"], [""; 0]));
    assert_eq!(points(NFS_CLIENT, &asked_for), [""; 0]);
}

#[test]
fn a_network_root_is_below_everything() {
    let diskless = b"20 1 0:30 / / rw - nfs filer:/root rw\n21 20 8:1 / /scratch rw - ext4 /dev/sda1 rw\n";
    assert_eq!(by_default(diskless), [""; 0]);
    assert_eq!(with_network(diskless), ["/*", "/scratch*"]);
}

#[test]
fn a_disk_is_rather_shown_where_no_server_can_hide_it() {
    let table = b"20 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
        21 20 0:30 / /n rw - nfs filer:/x rw\n\
        22 21 8:2 / /n/d rw - ext4 /dev/sda2 rw\n\
        23 20 8:2 /part /mnt/data rw - ext4 /dev/sda2 rw\n";
    assert_eq!(by_default(table), ["/", "/mnt/data"]);
    assert_eq!(with_network(table), ["/", "/n*", "/mnt/data"]);
}

#[test]
fn a_file_system_is_rather_shown_whole_then_short_then_first() {
    let table = b"20 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
        21 20 8:2 /part /a rw - ext4 /dev/sda2 rw\n\
        22 20 8:2 / /mnt/longer rw - ext4 /dev/sda2 rw\n\
        23 20 8:2 / /mnt/long rw - ext4 /dev/sda2 rw\n\
        24 20 8:2 / /mnt/last rw - ext4 /dev/sda2 rw\n";
    assert_eq!(by_default(table), ["/", "/mnt/long"]);
}

#[test]
fn covered_and_triggering_mounts_are_not_looked_at() {
    assert_eq!(
        by_default(ODD),
        [
            "/",
            "/mnt/My Disk",
            "/mnt/tab\tline\nback\\slash#hash",
            "/mnt/covered",
            "/srv",
            "/srv/new",
            "/mnt/empty",
            "/mnt/failing",
            "/srvother",
            "/elsewhere"
        ]
    );
    let everything = options(|options| {
        options.network = true;
        options.types = Filter::new(["*"], [""; 0]);
        options.mountpoints = Filter::new(["*"], [""; 0]);
    });
    let shown = points(NFS_CLIENT, &everything);
    assert!(shown.contains(&"/home*".to_owned()) && shown.contains(&"/proc".to_owned()), "{shown:?}");
    assert!(
        !shown.iter().any(|point| point == "/projects" || point == "/proc/sys/fs/binfmt_misc"),
        "{shown:?}"
    );
}

#[test]
fn options_choose_types_and_mount_points() {
    let types = |filter| points(LAPTOP, &options(|options| options.types = filter));
    assert_eq!(types(Filter::new(["vfat", "ext?"], [""; 0])), ["/boot", "/boot/efi"]);
    assert_eq!(types(Filter::new([""; 0], ["vfat"])), ["/", "/boot"]);
    assert_eq!(types(Filter::new(["tmpfs"], [""; 0])), ["/run", "/tmp", "/run/user/1000"]);
    let mountpoints = |filter| points(LAPTOP, &options(|options| options.mountpoints = filter));
    assert_eq!(
        mountpoints(Filter::new(["/home", "/"], [""; 0])),
        ["/", "/home"],
        "both subvolumes, as asked"
    );
    assert_eq!(mountpoints(Filter::new(["*"], ["/boot*"])), ["/", "/home"]);
    // What is left out is not replaced by another mount of the same file system.
    assert_eq!(mountpoints(Filter::new([""; 0], ["/", "/boot/*"])), ["/boot"]);
}

proptest! {
    #[test]
    fn never_panics(table in "([0-9]{1,2} [0-9]{1,2} [0-9]:[0-9] /[a-c/]{0,4} /[a-c/]{0,4} r[wo] - (ext4|nfs|overlay|autofs|btrfs) [a-c:/]{0,4} rw\n){0,12}",
                    network: bool) {
        let shown = points(table.as_bytes(), &options(|options| options.network = network));
        prop_assert!(network || !shown.iter().any(|point| point.ends_with('*')));
    }
}
