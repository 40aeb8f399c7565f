use super::*;
use crate::Filter;
use proptest::prelude::*;

const COMPLETE: &[u8] = include_bytes!("../../tests/fixtures/full/proc/1/net/dev");
const LINUX_2_6: &[u8] = include_bytes!("../../tests/fixtures/linux-2.6.9/proc/net/dev");
const LINUX_3_10: &[u8] = include_bytes!("../../tests/fixtures/linux-3.10/proc/net/dev");
const LINUX_5_15: &[u8] = include_bytes!("../../tests/fixtures/linux-5.15-server/proc/net/dev");
const KUBERNETES: &[u8] = include_bytes!("../../tests/fixtures/kubernetes-node/proc/1/net/dev");

const HEADS: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
";

fn parsed(text: &[u8], filter: Filter) -> (Reading, Result<(), Malformed>) {
    let mut reading = Reading::default();
    let outcome = read(text, &mut reading, &Choice::new(&filter));
    (reading, outcome)
}

/// The interfaces that are shown, with what was received and transmitted.
fn seen(reading: &Reading) -> Vec<(String, [Traffic; 2])> {
    let shown = |interface: &Interface| {
        let name = interface.shown.as_ref()?.interface[0][0].value.to_string();
        Some((name, interface.directions))
    };
    reading.interfaces.iter().filter_map(shown).collect()
}

fn shown(text: &[u8], filter: Filter) -> Vec<(String, [Traffic; 2])> {
    let (reading, outcome) = parsed(text, filter);
    assert_eq!(outcome, Ok(()));
    seen(&reading)
}

fn names(text: &[u8], filter: Filter) -> Vec<String> {
    shown(text, filter).into_iter().map(|(name, _)| name).collect()
}

fn traffic(bytes: u64, packets: u64, errors: u64, dropped: u64) -> Traffic {
    Traffic { bytes: Some(bytes), packets: Some(packets), errors: Some(errors), dropped: Some(dropped) }
}

#[test]
fn shows_all_but_the_loopback() {
    assert_eq!(names(COMPLETE, Filter::default()), ["eth0", "wlan0"]);
    assert_eq!(names(LINUX_2_6, Filter::default()), ["eth0", "eth0:1", "sit0"]);
    assert_eq!(
        names(LINUX_3_10, Filter::default()),
        ["eno1", "bond0.120", "bond0", "veth1a2b3c4", "virbr0-nic"]
    );
    let server = ["enp5s0f0np0", "docker0", "br-3f2c1a9b8d7e", "wg0"];
    assert_eq!(names(LINUX_5_15, Filter::default()), server);
    assert_eq!(names(KUBERNETES, Filter::default()).len(), 61);
}

#[test]
fn reads_both_directions() {
    let interfaces = shown(COMPLETE, Filter::default());
    assert_eq!(
        interfaces[0].1,
        [traffic(9_120_334_122, 7_122_034, 12, 340), traffic(2_203_341_200, 4_402_331, 3, 1)]
    );
    let docker = shown(LINUX_5_15, Filter::new(["docker0"], [""; 0]));
    assert_eq!(docker[0].1, [traffic(120_334, 1203, 0, 0), traffic(9_912_033, 4410, 0, 12)]);
}

#[test]
fn a_wide_number_may_touch_the_name() {
    let interfaces = shown(LINUX_2_6, Filter::new(["lo", "eth0"], [""; 0]));
    assert_eq!(interfaces[0].1[0], traffic(1_788_281, 9910, 0, 0));
    assert_eq!(interfaces[1].1[0], traffic(2_158_742_023, 118_441_420, 7, 0));
    let widest = shown(LINUX_5_15, Filter::new(["enp*"], [""; 0]));
    assert_eq!(widest[0].1[0].bytes, Some(u64::MAX));
}

#[test]
fn options_choose_interfaces() {
    assert_eq!(names(LINUX_3_10, Filter::new(["lo", "bond0*"], [""; 0])), ["bond0.120", "bond0", "lo"]);
    assert_eq!(names(LINUX_3_10, Filter::new([""; 0], ["veth*", "*-nic", "bond0.*"])), ["eno1", "bond0"]);
    assert_eq!(names(KUBERNETES, Filter::new([""; 0], ["cali*"])), ["ens5"]);
}

#[test]
fn the_packet_count_calls_the_interface_a_device() {
    let (reading, _) = parsed(COMPLETE, Filter::new(["eth0"], [""; 0]));
    let interface = reading.interfaces.iter().find_map(|interface| interface.shown.as_ref()).unwrap();
    let keys = |sets: &[[KeyValue; 2]; 2]| sets.clone().map(|set| set.map(|pair| pair.key.to_string()));
    assert_eq!(keys(&interface.interface), [["network.interface.name", "network.io.direction"]; 2]);
    assert_eq!(keys(&interface.device), [["system.device", "network.io.direction"]; 2]);
    assert_eq!(interface.device[0][1].value.as_str(), "receive");
    assert_eq!(interface.device[1][1].value.as_str(), "transmit");
}

#[test]
fn the_head_line_of_all_kernels_is_like_any_other() {
    assert!(HEADS.as_bytes().ends_with(&[HEAD, b"\n"].concat()));
    assert_eq!(received_columns(HEAD), Ok(8));
    assert_eq!(received_columns(&[HEAD, b" "].concat()), Ok(8));
}

#[test]
fn a_new_column_of_either_side_moves_nothing() {
    let head = HEADS
        .replace("multicast|", "multicast nohandler|")
        .replace("carrier compressed", "carrier compressed late");
    let line = "  eth0: 1 2 3 4 5 6 7 8 99 11 12 13 14 15 16 17 18 98\n";
    let interfaces = shown((head + line).as_bytes(), Filter::default());
    assert_eq!(interfaces[0].1, [traffic(1, 2, 3, 4), traffic(11, 12, 13, 14)]);
}

#[test]
fn without_a_head_line_that_is_known_there_are_no_values() {
    let head = HEADS.replace("bytes    packets", "packets    bytes");
    let (reading, outcome) =
        parsed((head + " eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n").as_bytes(), Filter::default());
    assert_eq!(seen(&reading), [("eth0".to_owned(), [Traffic::default(); 2])]);
    assert!(outcome.unwrap_err().expected.starts_with("a head line"));
}

#[test]
fn a_truncated_line_gives_what_it_has() {
    let (reading, outcome) =
        parsed(format!("{HEADS}  eth0: 1 2 3 4 5 6 7 8 9 10").as_bytes(), Filter::default());
    let sent = Traffic { errors: None, dropped: None, ..traffic(9, 10, 0, 0) };
    assert_eq!(seen(&reading)[0].1, [traffic(1, 2, 3, 4), sent]);
    assert_eq!(outcome.unwrap_err().expected, "a count of errors");
}

#[test]
fn an_odd_line_or_value_costs_only_itself() {
    let text = format!("{HEADS}no colon\n  eth0: 1 x 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n : 1 2\n");
    let (reading, outcome) = parsed(text.as_bytes(), Filter::default());
    let received = Traffic { packets: None, ..traffic(1, 0, 3, 4) };
    assert_eq!(seen(&reading), [("eth0".to_owned(), [received, traffic(9, 10, 11, 12)])]);
    assert_eq!(outcome.unwrap_err().found, "no colon");
}

proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = parsed(&bytes, Filter::default());
        let _ = parsed(&[HEADS.as_bytes(), &bytes].concat(), Filter::default());
    }

    #[test]
    fn reads_back_any_numbers(columns in proptest::collection::vec(any::<u64>(), 16), glued: bool) {
        let blank = if glued { "" } else { " " };
        let numbers = columns.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
        let interfaces = shown(format!("{HEADS}  eth0:{blank}{numbers}\n").as_bytes(), Filter::default());
        let expected = [0, 8].map(|at| traffic(columns[at], columns[at + 1], columns[at + 2], columns[at + 3]));
        prop_assert_eq!(interfaces, [("eth0".to_owned(), expected)]);
    }
}
