use super::*;
use proptest::prelude::*;
use std::path::Path;

fn files(folder: &Path) -> Files {
    Files {
        v4: KernelFile::short_records(folder.join("sockstat")),
        v6: KernelFile::short_records(folder.join("sockstat6")),
        has_v6: false,
    }
}

fn read_from(folder: &Path) -> (Reading, Result<(), ReadError>) {
    let mut reading = Reading::default();
    let outcome = files(folder).read(&mut reading);
    (reading, outcome)
}

fn fixture(folder: &str) -> (Reading, Result<(), ReadError>) {
    read_from(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder))
}

fn reading(tcp: u64, time_wait: u64, udp: u64) -> Reading {
    Reading { tcp: Some(tcp), time_wait: Some(time_wait), udp: Some(udp) }
}

#[test]
fn sums_up_both_address_families() {
    for (folder, expected) in [
        ("full/proc/1/net", reading(21, 5, 9)),
        ("linux-2.6.9/proc/net", reading(464, 209, 104)),
        ("linux-5.15-server/proc/net", reading(241, 88, 19)),
    ] {
        let (reading, outcome) = fixture(folder);
        assert!(outcome.is_ok(), "{outcome:?}");
        assert_eq!(reading, expected, "{folder}");
    }
}

#[test]
fn a_kernel_without_ipv6_has_one_file() {
    let (found, outcome) = fixture("linux-3.10/proc/net");
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(found, reading(9, 14, 5));
}

#[test]
fn a_sum_with_an_unknown_part_is_absent() {
    let folder = tempfile::tempdir().unwrap();
    let v4 = "TCP: inuse 9 orphan 0 tw 14 alloc 11 mem 1\nUDP: inuse 5 mem 2\n";
    std::fs::write(folder.path().join("sockstat"), v4).unwrap();
    std::fs::write(folder.path().join("sockstat6"), "TCP6: inuse x\nUDP6: inuse 2\n").unwrap();
    let (found, outcome) = read_from(folder.path());
    assert_eq!(found, Reading { tcp: None, time_wait: Some(14), udp: Some(7) });
    assert!(outcome.unwrap_err().to_string().contains("TCP6"));
    std::fs::remove_file(folder.path().join("sockstat6")).unwrap();
    std::fs::create_dir(folder.path().join("sockstat6")).unwrap();
    let (found, outcome) = read_from(folder.path());
    assert_eq!(found, Reading { tcp: None, time_wait: Some(14), udp: None });
    assert!(outcome.is_err());
}

#[test]
fn truncated_text_gives_what_it_has() {
    let mut found = Reading::default();
    let outcome = read_v4(b"sockets: used 3\nTCP: inuse 9 orphan", &mut found);
    assert_eq!(found, Reading { tcp: Some(9), time_wait: None, udp: None });
    assert_eq!(outcome.unwrap_err().expected, "tw of TCP");
}

#[test]
fn new_fields_and_lines_change_nothing() {
    let mut found = Reading::default();
    let text = b"sockets: used 3\nMPTCP: inuse 77\nTCP: new 1 inuse 9 tw 2 newer 3\nUDP: mem 1 inuse 4\nQUIC: inuse 9\n";
    assert_eq!(read_v4(text, &mut found), Ok(()));
    assert_eq!(found, reading(9, 2, 4));
}

proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..128)) {
        let mut reading = Reading::default();
        let _ = read_v4(&bytes, &mut reading);
        let _ = read_v6(&bytes, &mut reading);
    }
}
