use super::*;
use proptest::prelude::*;

fn read_all(bytes: &[u8]) -> (Vec<Mount<'_>>, Result<(), Malformed>) {
    let mut faults = Faults::default();
    let mounts = read(bytes, &mut faults);
    (mounts, faults.result())
}

#[test]
fn reads_every_field() {
    let line = b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n";
    let (mounts, outcome) = read_all(line);
    assert_eq!(outcome, Ok(()));
    let expected = Mount {
        identity: b"36 35 98:0 /mnt1 /mnt2",
        id: 36,
        parent: 35,
        device: b"98:0",
        root: b"/mnt1",
        point: b"/mnt2",
        read_only: false,
        kind: b"ext3",
        source: b"/dev/root",
        super_options: b"rw,errors=continue",
    };
    assert_eq!(mounts, [expected]);
}

#[test]
fn optional_fields_and_sources_may_be_missing() {
    for (line, source) in [
        (&b"36 35 0:40 / /mnt rw - tmpfs tmpfs rw"[..], &b"tmpfs"[..]),
        (b"36 35 0:40 / /mnt rw - tmpfs  rw", b""),
        (b"36 35 0:40 / /mnt rw shared:1 master:2 propagate_from:3 unbindable - tmpfs a#b rw", b"a#b"),
    ] {
        let (mounts, outcome) = read_all(line);
        assert_eq!((mounts[0].kind, mounts[0].source, outcome), (&b"tmpfs"[..], source, Ok(())));
    }
}

#[test]
fn a_mount_or_a_file_system_may_be_read_only() {
    for (mount, file_system, expected) in [
        ("rw", "rw", false),
        ("ro,nosuid", "rw", true),
        ("nosuid,rw", "seclabel,ro", true),
        ("rw,relatime", "rw,errors=remount-ro,proxy", false),
    ] {
        let line = format!("36 35 8:1 / /mnt {mount} - ext4 /dev/sda1 {file_system}");
        assert_eq!(read_all(line.as_bytes()).0[0].read_only, expected, "{line}");
    }
}

#[test]
fn a_line_that_is_none_costs_only_itself() {
    let table =
        b"20 1 8:2 / / rw - ext4 /dev/sda2 rw\n28 20 8:49 / /cut rw\n30 20 8:3 / /mnt rw - ext4 /dev/sda3 rw";
    let (mounts, outcome) = read_all(table);
    assert_eq!(mounts.iter().map(|mount| mount.id).collect::<Vec<_>>(), [20, 30]);
    assert!(outcome.unwrap_err().found.starts_with("28 20 8:49"));
    for line in
        ["", "36", "36 35 98:0 /mnt1 /mnt2 rw", "x 35 98:0 / /m rw - a b rw", "36 35 98:0  /m rw - a b rw"]
    {
        let text = format!("{line}\n");
        let (mounts, outcome) = read_all(text.as_bytes());
        assert!(mounts.is_empty() && outcome.is_err(), "{line}");
    }
}

#[test]
fn names_are_unescaped() {
    for (escaped, plain) in [
        (&b"/mnt/plain"[..], &b"/mnt/plain"[..]),
        (b"/mnt/My\\040Disk", b"/mnt/My Disk"),
        (b"\\011\\012\\134\\043", b"\t\n\\#"),
        (b"\\1344", b"\\4"),
        (b"\\04", b"\\04"),
        (b"\\048\\999\\777", b"\\048\\999\\777"),
        (b"\\303\\244", "ä".as_bytes()),
        (b"end\\", b"end\\"),
    ] {
        assert_eq!(unescaped(escaped), plain);
    }
}

#[test]
fn reads_the_table_of_this_process() {
    let text = std::fs::read("/proc/self/mountinfo").unwrap();
    let (mounts, outcome) = read_all(&text);
    assert_eq!(outcome, Ok(()));
    assert!(mounts.iter().any(|mount| mount.point == b"/"), "{mounts:?}");
}

proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = read_all(&bytes);
        let _ = unescaped(&bytes);
    }

    #[test]
    fn unescapes_what_the_kernel_escapes(name in proptest::collection::vec(any::<u8>(), 0..24)) {
        let escaped: Vec<u8> = name.iter().flat_map(|byte| match byte {
            b' ' | b'\t' | b'\n' | b'\\' | b'#' => format!("\\{byte:03o}").into_bytes(),
            _ => vec![*byte],
        }).collect();
        prop_assert_eq!(unescaped(&escaped), name);
    }
}
