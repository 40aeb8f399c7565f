use super::*;
use proptest::prelude::*;

const VM: &[u8] = include_bytes!("../../tests/fixtures/linux-6.18-vm/proc/meminfo");
const SERVER: &[u8] = include_bytes!("../../tests/fixtures/linux-5.15-server/proc/meminfo");
const LINUX_3_10: &[u8] = include_bytes!("../../tests/fixtures/linux-3.10/proc/meminfo");
const LINUX_2_6_9: &[u8] = include_bytes!("../../tests/fixtures/linux-2.6.9/proc/meminfo");
const GVISOR: &[u8] = include_bytes!("../../tests/fixtures/gvisor/proc/meminfo");
const FULL: &[u8] = include_bytes!("../../tests/fixtures/full/proc/meminfo");

fn parsed(text: &[u8]) -> (Reading, Result<(), Malformed>) {
    let mut reading = Reading::default();
    let outcome = read(text, true, &mut reading);
    let mut without_huge_pages = Reading::default();
    let same = read(text, false, &mut without_huge_pages);
    without_huge_pages.huge_pages = HugePages { ..reading.huge_pages };
    assert_eq!(reading, without_huge_pages);
    // What comes after the last wanted line is not looked at.
    assert!(same == outcome || same == Ok(()), "{same:?} {outcome:?}");
    (reading, outcome)
}

/// What the standard library makes of the line `key`.
fn line(text: &[u8], key: &str) -> Option<u64> {
    let text = std::str::from_utf8(text).unwrap();
    let rest = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    let number: u64 = rest.trim().trim_end_matches(" kB").parse().unwrap();
    Some(if rest.ends_with("kB") { number * 1024 } else { number })
}

fn numbers(huge_pages: &HugePages) -> [Option<u64>; 4] {
    [huge_pages.total, huge_pages.reserved, huge_pages.surplus, huge_pages.page_size]
}

#[test]
fn every_kernel_is_read_and_its_states_sum_to_all_memory() {
    for text in [VM, SERVER, LINUX_3_10, LINUX_2_6_9, GVISOR, FULL] {
        let (reading, outcome) = parsed(text);
        assert_eq!(outcome, Ok(()));
        let total = line(text, "MemTotal");
        assert_eq!(reading.total, total);
        let states = reading.usage();
        assert_eq!(states.into_iter().sum::<Option<u64>>(), total);
        assert!(states[0].unwrap() > 0);
        assert_eq!(states[1], line(text, "MemFree"));
        assert_eq!(states[2], line(text, "Buffers"));
        let cached = line(text, "Cached").unwrap() + line(text, "SReclaimable").unwrap_or(0);
        assert_eq!(states[3], Some(cached));
        let shares: f64 = reading.utilization().iter().map(|share| share.unwrap()).sum();
        assert!((shares - 1.0).abs() < 1e-9);
        assert_eq!(reading.available, line(text, "MemAvailable"));
        assert_eq!(reading.shared, line(text, "Shmem"));
        assert_eq!(reading.slab_reclaimable, line(text, "SReclaimable"));
        assert_eq!(reading.slab_unreclaimable, line(text, "SUnreclaim"));
    }
}

#[test]
fn what_an_old_or_small_kernel_does_not_say_is_absent() {
    let (old, _) = parsed(LINUX_2_6_9);
    assert_eq!((old.available, old.shared, old.slab_reclaimable), (None, None, None));
    assert_eq!(parsed(LINUX_3_10).0.available, None);
    assert_eq!(parsed(GVISOR).0.huge_pages, HugePages::default());
}

#[test]
fn huge_pages_are_counted_in_pages() {
    let huge_pages = parsed(FULL).0.huge_pages;
    assert_eq!(numbers(&huge_pages), [Some(66), Some(8), Some(2), Some(2 << 20)]);
    assert_eq!(huge_pages.usage(), [Some(40), Some(26)]);
    assert_eq!(huge_pages.utilization(), [Some(40.0 / 66.0), Some(26.0 / 66.0)]);
}

#[test]
fn no_huge_pages_have_no_shares() {
    let none = parsed(VM).0.huge_pages;
    assert_eq!(none.usage(), [Some(0), Some(0)]);
    assert_eq!(none.utilization(), [None, None]);
    let (old, _) = parsed(LINUX_2_6_9);
    assert_eq!(numbers(&old.huge_pages), [Some(0), None, None, Some(2 << 20)]);
}

#[test]
fn a_missing_part_costs_itself_and_what_is_computed_from_it() {
    let (reading, outcome) = parsed(b"MemTotal: 100 kB\nMemFree: 40 kB\nBuffers: ten kB\nCached: 30 kB\n");
    assert_eq!(outcome.unwrap_err().found, "ten");
    assert_eq!(reading.usage(), [None, Some(40 << 10), None, Some(30 << 10)]);
    let (reading, outcome) = parsed(b"MemFree: 40 kB\n");
    assert_eq!(outcome.unwrap_err().expected, "MemTotal");
    assert_eq!(reading.utilization(), [None; 4]);
}

#[test]
fn a_number_that_was_cut_is_not_taken() {
    let (reading, outcome) = parsed(b"MemTotal: 100 kB\nMemFree: 4");
    assert_eq!(outcome.unwrap_err().expected, "the unit kB");
    assert_eq!((reading.total, reading.free), (Some(100 << 10), None));
    let slab_cut = b"MemTotal: 100 kB\nMemFree: 40 kB\nBuffers: 1 kB\nCached: 30 kB\nSReclaimable: 1";
    assert_eq!(parsed(slab_cut).0.usage(), [None, Some(40 << 10), Some(1 << 10), None]);
}

#[test]
fn parts_that_exceed_the_whole_leave_nothing_used() {
    let (reading, _) = parsed(b"MemTotal: 100 kB\nMemFree: 60 kB\nBuffers: 0 kB\nCached: 50 kB\n");
    assert_eq!(reading.usage()[0], Some(0));
}

proptest! {
    #[test]
    fn states_sum_to_all_memory(parts in proptest::array::uniform5(0_u64..1 << 40)) {
        let [used, free, buffers, cached, slab] = parts;
        let total: u64 = parts.iter().sum();
        let text = format!("MemTotal: {total} kB\nMemFree: {free} kB\nMemAvailable: 1 kB\nBuffers: {buffers} kB\n\
            Cached: {cached} kB\nSReclaimable: {slab} kB\n");
        let (reading, outcome) = parsed(text.as_bytes());
        prop_assert_eq!(outcome, Ok(()));
        let states = reading.usage().map(Option::unwrap);
        prop_assert_eq!(states.iter().sum::<u64>(), total << 10);
        prop_assert_eq!(states[0], used << 10);
    }

    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64),
                    text in "((MemTotal|MemFree|Buffers|Cached|SReclaimable|HugePages_Total|HugePages_Free): {0,3}[0-9]{1,30}( kB)?\n?){0,12}") {
        for text in [&bytes, text.as_bytes()] {
            let (reading, _) = parsed(text);
            let _ = (reading.usage(), reading.utilization());
            let _ = (reading.huge_pages.usage(), reading.huge_pages.utilization());
        }
    }
}
