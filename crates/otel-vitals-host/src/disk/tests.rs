use super::*;
use crate::Filter;
use proptest::prelude::*;

const COMPLETE: &[u8] = include_bytes!("../../tests/fixtures/full/proc/diskstats");
const LINUX_2_6: &[u8] = include_bytes!("../../tests/fixtures/linux-2.6.9/proc/diskstats");
const LINUX_3_10: &[u8] = include_bytes!("../../tests/fixtures/linux-3.10/proc/diskstats");
const LINUX_4_18: &[u8] = include_bytes!("../../tests/fixtures/linux-4.18-nfs-client/proc/diskstats");
const LINUX_5_15: &[u8] = include_bytes!("../../tests/fixtures/linux-5.15-server/proc/diskstats");
const LINUX_6_18: &[u8] = include_bytes!("../../tests/fixtures/linux-6.18-vm/proc/diskstats");

fn selection(devices: Filter) -> Selection {
    Selection { devices: Choice::new(&devices), limit: None }
}

fn parsed(text: &[u8], devices: Filter) -> (Reading, Result<(), Malformed>) {
    let mut reading = Reading::default();
    let outcome = read(text, &mut reading, &selection(devices));
    (reading, outcome)
}

/// The devices that are shown, with what is known of them.
fn shown(text: &[u8], devices: Filter) -> Vec<(String, Counts)> {
    let (reading, outcome) = parsed(text, devices);
    assert_eq!(outcome, Ok(()));
    reading.shown().map(|(shown, device)| (shown.device[0].value.to_string(), device.counts)).collect()
}

fn names(text: &[u8]) -> Vec<String> {
    shown(text, Filter::default()).into_iter().map(|(name, _)| name).collect()
}

fn transfers(operations: u64, merged: u64, sectors: u64, time: u64) -> Transfers {
    Transfers {
        operations: Some(operations),
        merged: Some(merged),
        bytes: Some(sectors * 512),
        time: Some(time),
    }
}

#[test]
fn shows_whole_disks_of_every_kernel() {
    assert_eq!(names(COMPLETE), ["sda", "nvme0n1", "dm-0"]);
    assert_eq!(names(LINUX_2_6), ["hda", "hdc", "md0", "cciss/c0d0"]);
    assert_eq!(names(LINUX_3_10), ["sda", "sdb", "dm-0", "dm-1"]);
    assert_eq!(names(LINUX_4_18), ["sda", "dm-0"]);
    // Of xvda there is only the first partition, as on some clouds: then that is the disk.
    let server = ["nvme1n1", "nvme0n1", "md127", "mmcblk0", "mmcblk0boot0", "xvda1", "xvdb", "sdaa"];
    assert_eq!(names(LINUX_5_15), [&server[..], &["dm-1", "dm-10"]].concat());
    assert_eq!(names(LINUX_6_18), ["vda"]);
}

#[test]
fn reads_14_18_and_20_columns() {
    let reads = [
        (
            LINUX_3_10,
            "sda",
            transfers(110203, 4120, 8812034, 90112),
            transfers(440122, 88120, 22011344, 1201233),
        ),
        (LINUX_4_18, "sda", transfers(20113, 88, 1203344, 9981), transfers(70112, 4120, 1992034, 60112)),
        (
            LINUX_6_18,
            "vda",
            transfers(49853, 10009, 6615386, 21723),
            transfers(19295, 140257, 11823472, 33943),
        ),
    ];
    let busy = [301_120, 40_112, 10_800];
    for ((text, name, read, write), busy) in reads.into_iter().zip(busy) {
        let (_, counts) =
            shown(text, Filter::default()).into_iter().find(|(device, _)| device == name).unwrap();
        assert_eq!(counts, Counts { directions: [read, write], busy: Some(busy) }, "{name}");
    }
}

#[test]
fn a_partition_of_linux_2_6_has_only_operations_and_bytes() {
    let only = |operations, sectors: u64| Transfers {
        operations: Some(operations),
        bytes: Some(sectors * 512),
        ..Transfers::default()
    };
    let shown = shown(LINUX_2_6, Filter::new(["hda*", "cciss/c0d0p?"], [""; 0]));
    let names: Vec<_> = shown.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["hda", "hda1", "hda2", "cciss/c0d0p1"]);
    assert_eq!(shown[0].1.directions[0], transfers(446216, 784926, 9550688, 4382310));
    let part = Counts { directions: [only(35486, 0), only(35496, 38030)], busy: None };
    assert_eq!(shown[1].1, part);
}

#[test]
fn only_the_number_of_a_listed_disk_makes_a_partition() {
    for (name, disk) in [
        ("sda1", "sda"),
        ("sda15", "sda"),
        ("vda1", "vda"),
        ("xvda1", "xvda"),
        ("nvme0n1p1", "nvme0n1"),
        ("mmcblk0p12", "mmcblk0"),
        ("md127p1", "md127"),
        ("loop0p1", "loop0"),
        ("cciss/c0d0p1", "cciss/c0d0"),
    ] {
        assert!(is_partition(name.as_bytes(), disk.as_bytes()), "{name} of {disk}");
    }
    for (name, disk) in [
        ("sda", "sda"),
        ("sda1", ""),
        ("sda1", "sdb"),
        ("sdaa", "sda"),
        ("dm-10", "dm-1"),
        ("nvme0n10", "nvme0n1"),
        ("loop10", "loop1"),
        ("mmcblk0boot0", "mmcblk0"),
        ("nvme0n1p", "nvme0n1"),
        ("nvme0n1p1x", "nvme0n1"),
    ] {
        assert!(!is_partition(name.as_bytes(), disk.as_bytes()), "{name} of {disk}");
    }
}

#[test]
fn memory_loops_floppies_drives_and_paths_are_no_disks() {
    for name in ["loop0", "loop127", "ram0", "zram0", "fd0", "sr0", "nvme0c0n1", "nvme10c12n3"] {
        assert!(is_no_disk(name.as_bytes()), "{name}");
    }
    for name in
        ["sda", "md0", "dm-0", "nvme0n1", "nvme10n2", "fda", "srx", "loop", "ramdisk", "nvmec0n1", "zd0"]
    {
        assert!(!is_no_disk(name.as_bytes()), "{name}");
    }
}

#[test]
fn options_choose_devices() {
    let chosen = |filter| shown(COMPLETE, filter).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(chosen(Filter::new(["sda*", "loop0"], [""; 0])), ["loop0", "sda", "sda1", "sda2"]);
    assert_eq!(chosen(Filter::new([""; 0], ["dm-*"])), ["sda", "nvme0n1"]);
    assert_eq!(chosen(Filter::new(["*"], ["*p1", "sda?"])), ["loop0", "sda", "nvme0n1", "dm-0"]);
}

#[test]
fn a_truncated_line_gives_what_it_has() {
    let (reading, outcome) = parsed(b"   8       0 sda 14052 2201 1184410 9120", Filter::default());
    let counts = reading.devices.iter().next().unwrap().counts;
    assert_eq!(counts.directions, [transfers(14052, 2201, 1184410, 9120), Transfers::default()]);
    assert_eq!(counts.busy, None);
    assert_eq!(outcome.unwrap_err().expected, "a count of operations");
}

#[test]
fn an_odd_value_costs_only_itself() {
    let line = b"8 0 sda 1 -2 3 4 5 6 7 18446744073709551616 9 10 11\n";
    let (reading, outcome) = parsed(line, Filter::default());
    let counts = reading.devices.iter().next().unwrap().counts;
    let read = Transfers { merged: None, ..transfers(1, 2, 3, 4) };
    let write = Transfers { time: None, ..transfers(5, 6, 7, 8) };
    assert_eq!(counts, Counts { directions: [read, write], busy: Some(10) });
    assert_eq!(outcome.unwrap_err().found, "-2");
}

#[test]
fn a_line_that_is_no_device_costs_only_itself() {
    let (reading, outcome) =
        parsed(b"garbage\n8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n\n8 x sdb 1\n", Filter::default());
    assert_eq!(reading.shown().count(), 1);
    assert_eq!(outcome.unwrap_err().found, "garbage");
}

#[test]
fn columns_of_kernels_to_come_change_nothing() {
    let more: String =
        std::str::from_utf8(LINUX_6_18).unwrap().lines().map(|line| format!("{line} 7 8 9\n")).collect();
    assert_eq!(shown(more.as_bytes(), Filter::default()), shown(LINUX_6_18, Filter::default()));
}

#[test]
fn the_size_of_a_device_is_where_sysfs_has_it() {
    let root = Roots::new(Some("/hostfs".as_ref()));
    let path = |name, disk: Option<&str>| {
        size(&root, name, disk.map(str::as_bytes)).path().to_str().unwrap().to_owned()
    };
    assert_eq!(path("sda", None), "/hostfs/sys/block/sda/size");
    assert_eq!(path("sda1", Some("sda")), "/hostfs/sys/block/sda/sda1/size");
    assert_eq!(path("cciss/c0d0p1", Some("cciss/c0d0")), "/hostfs/sys/block/cciss!c0d0/cciss!c0d0p1/size");
}

#[test]
fn a_size_that_is_missing_or_zero_costs_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    for (name, size) in [("sda", "7814037168\n"), ("nvme0n1", "0\n")] {
        let block = folder.path().join("sys/block").join(name);
        std::fs::create_dir_all(&block).unwrap();
        std::fs::write(block.join("size"), size).unwrap();
    }
    let selection = Selection { devices: Choice::default(), limit: Some(Roots::new(Some(folder.path()))) };
    let mut reading = Reading::default();
    read(COMPLETE, &mut reading, &selection).unwrap();
    let outcome = reading.read_limits();
    let limits: Vec<_> = reading.shown().map(|(_, device)| device.limit).collect();
    assert_eq!(limits, [Some(7_814_037_168 * 512), None, None]);
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("sys/block/dm-0/size"), "{error}");
}

proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = parsed(&bytes, Filter::default());
    }

    #[test]
    fn never_panics_on_what_looks_like_it(text in "( {1,3}[0-9]{1,20}| sda[0-9p]{0,2}| [a-z0-9]{1,5}|\n){0,60}") {
        let _ = parsed(text.as_bytes(), Filter::new(["*"], [""; 0]));
    }

    #[test]
    fn reads_back_any_numbers(columns in proptest::collection::vec(0..u64::MAX / 512, 11..18)) {
        let line = columns.iter().fold("8 0 sda".to_owned(), |line, column| format!("{line} {column}"));
        let seen = shown(line.as_bytes(), Filter::default());
        let expected = Counts {
            directions: [
                transfers(columns[0], columns[1], columns[2], columns[3]),
                transfers(columns[4], columns[5], columns[6], columns[7]),
            ],
            busy: Some(columns[9]),
        };
        prop_assert_eq!(seen, [("sda".to_owned(), expected)]);
    }
}
