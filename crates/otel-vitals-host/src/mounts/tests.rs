use super::*;
use otel_vitals_core::Malformed;
use otel_vitals_core::mountinfo::{self, unescaped};
use otel_vitals_core::scan::Faults;
use proptest::prelude::*;

const ODD: &[u8] = include_bytes!("../../tests/fixtures/odd-mounts/proc/1/mountinfo");

fn read_all(bytes: &[u8]) -> (Vec<Mount<'_>>, Result<(), Malformed>) {
    let mut faults = Faults::default();
    let mounts = mountinfo::read(bytes, &mut faults);
    (mounts, faults.result())
}

/// The mount points that lead to a mount, with the number of that mount.
fn reached(bytes: &[u8]) -> Vec<(u64, String)> {
    let (mounts, _) = read_all(bytes);
    let tree = Tree::new(&mounts);
    let reached = mounts.iter().filter(|mount| tree.way_to(mount).is_some());
    reached.map(|mount| (mount.id, String::from_utf8(unescaped(mount.point).into_owned()).unwrap())).collect()
}

#[test]
fn a_line_that_is_none_costs_only_itself() {
    let (mounts, outcome) = read_all(ODD);
    assert_eq!(mounts.len(), 13);
    assert!(outcome.unwrap_err().found.starts_with("28 20 8:49"));
}

#[test]
fn only_the_topmost_mount_of_a_path_is_reached() {
    let reached = reached(ODD);
    let at =
        |path: &str| reached.iter().filter(|(_, point)| point == path).map(|(id, _)| *id).collect::<Vec<_>>();
    assert_eq!(at("/"), [20], "rootfs is below the root");
    assert_eq!(at("/mnt/covered"), [24]);
    assert_eq!(at("/srv"), [26]);
    assert_eq!(at("/srv/old/deep"), [0; 0], "/srv was mounted over it");
    assert_eq!(at("/srv/new"), [27], "this one is in the new /srv");
    assert_eq!(at("/srvother"), [31]);
    assert_eq!(at("/elsewhere"), [32], "what it is mounted on is outside of the root");
}

#[test]
fn order_does_not_tell_which_is_on_top() {
    // As `mount --beneath` leaves it: the later line is the one below.
    let table = b"20 1 8:2 / / rw - ext4 /dev/sda2 rw\n\
        30 31 8:3 / /mnt rw - ext4 /dev/sda3 rw\n\
        31 20 8:4 / /mnt rw - ext4 /dev/sda4 rw\n";
    assert_eq!(reached(table), [(20, "/".to_owned()), (30, "/mnt".to_owned())]);
}

#[test]
fn what_is_in_a_covered_mount_is_not_reached() {
    let table = b"20 1 8:2 / / rw - ext4 /dev/sda2 rw\n\
        30 20 8:3 / /mnt rw - ext4 /dev/sda3 rw\n\
        31 30 8:4 / /mnt/inner rw - ext4 /dev/sda4 rw\n\
        32 30 8:5 / /mnt rw - ext4 /dev/sda5 rw\n";
    assert_eq!(reached(table), [(20, "/".to_owned()), (32, "/mnt".to_owned())]);
}

#[test]
fn the_way_passes_every_mount_between() {
    let table = b"20 1 8:2 / / rw - ext4 /dev/sda2 rw\n\
        30 20 0:3 / /home rw - autofs systemd-1 rw\n\
        31 30 0:4 / /home rw - nfs4 filer:/home rw\n\
        32 31 8:5 / /home/scratch rw - ext4 /dev/sdb rw\n";
    let (mounts, _) = read_all(table);
    let way = Tree::new(&mounts).way_to(&mounts[3]).unwrap();
    assert_eq!(way.iter().map(|mount| mount.id).collect::<Vec<_>>(), [31, 30, 20]);
}

#[test]
fn a_circle_leads_nowhere() {
    let table = b"5 6 8:2 / /a rw - ext4 /dev/sda2 rw\n6 5 8:3 / /a/b rw - ext4 /dev/sda3 rw\n7 7 8:4 / /c rw - ext4 /dev/sda4 rw\n";
    assert_eq!(reached(table), [(7, "/c".to_owned())]);
}

#[cfg(target_os = "linux")]
#[test]
fn reads_the_table_of_this_process() {
    let text = std::fs::read("/proc/self/mountinfo").unwrap();
    let (mounts, outcome) = read_all(&text);
    assert_eq!(outcome, Ok(()));
    assert!(reached(&text).iter().any(|(_, point)| point == "/"), "{mounts:?}");
}

proptest! {
    #[test]
    fn every_tree_has_an_answer(table in proptest::collection::vec((0u64..8, 0u64..8, "(/[ab]){0,3}"), 0..12)) {
        let text: String = table.iter().map(|(id, parent, point)| {
            let point = if point.is_empty() { "/" } else { point };
            format!("{id} {parent} 8:{id} / {point} rw - ext4 /dev/sda rw\n")
        }).collect();
        let _ = reached(text.as_bytes());
    }
}
