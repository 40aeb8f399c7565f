use super::*;
use otel_vitals_core::Reading as _;
use proptest::prelude::*;

const VM: &[u8] = include_bytes!("../../tests/fixtures/linux-6.18-vm/proc/stat");
const SERVER: &[u8] = include_bytes!("../../tests/fixtures/linux-5.15-server/proc/stat");
const LINUX_3_10: &[u8] = include_bytes!("../../tests/fixtures/linux-3.10/proc/stat");
const OLD: &[u8] = include_bytes!("../../tests/fixtures/linux-2.6.9/proc/stat");
const GVISOR: &[u8] = include_bytes!("../../tests/fixtures/gvisor/proc/stat");
const FULL: &[u8] = include_bytes!("../../tests/fixtures/full/proc/stat");

fn parsed(text: &[u8], detail: Detail) -> (Reading, Result<(), Malformed>) {
    let mut reading = Reading::default();
    let outcome = read(text, detail, &mut reading);
    (reading, outcome)
}

/// What the standard library makes of a line that begins with `key`.
fn line(text: &[u8], key: &str) -> Vec<u64> {
    let text = std::str::from_utf8(text).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')).unwrap();
    line.split_whitespace().map(|field| field.parse().unwrap()).collect()
}

#[test]
fn counts_of_every_kernel_are_read() {
    for (text, online) in [(VM, 2), (SERVER, 128), (LINUX_3_10, 1), (OLD, 2), (FULL, 4)] {
        let (reading, outcome) = parsed(text, Detail::Machine);
        assert_eq!(outcome, Ok(()));
        assert_eq!(reading.online, Some(online));
        assert_eq!(reading.created, Some(line(text, "processes")[0]));
        assert_eq!(reading.running, Some(line(text, "procs_running")[0]));
    }
}

#[test]
fn the_modes_of_the_machine_sum_to_all_its_time() {
    for text in [VM, SERVER, LINUX_3_10, OLD, FULL] {
        let (reading, _) = parsed(text, Detail::Machine);
        assert_eq!(reading.cpus.len(), 1);
        let cpu = reading.cpus.iter().next().unwrap();
        let sum: f64 = cpu.time.seconds(1.0).iter().flatten().sum();
        // Without guest and guest_nice, which are in user and nice.
        let expected: u64 = line(text, "cpu").iter().take(8).sum();
        assert_eq!(sum, expected as f64);
        assert!(cpu.attributes.iter().all(|attributes| attributes.len() == 1));
    }
}

#[test]
fn the_cores_of_a_big_machine_sum_to_the_machine() {
    let (cores, _) = parsed(SERVER, Detail::Cores);
    let (machine, _) = parsed(SERVER, Detail::Machine);
    assert_eq!(cores.cpus.len(), 128);
    let machine = machine.cpus.iter().next().unwrap().time.seconds(1.0);
    for (mode, machine) in machine.into_iter().enumerate() {
        let sum: f64 = cores.cpus.iter().map(|cpu| cpu.time.seconds(1.0)[mode].unwrap()).sum();
        assert_eq!(Some(sum), machine, "{}", MODES[mode]);
    }
    let last = cores.cpus.iter().last().unwrap();
    assert_eq!(
        last.attributes[3],
        [KeyValue::new("cpu.mode", "idle"), KeyValue::new("cpu.logical_number", 127_i64)]
    );
}

#[test]
fn a_sandbox_that_does_not_count_tells_only_its_processors() {
    let (reading, outcome) = parsed(GVISOR, Detail::Machine);
    assert_eq!(outcome, Ok(()));
    assert_eq!((reading.online, reading.created, reading.running), (Some(4), None, None));
    assert!(reading.cpus.iter().all(|cpu| cpu.time.seconds(1.0).iter().all(Option::is_none)));
}

#[test]
fn a_core_taken_offline_is_forgotten_and_one_that_stays_keeps_its_history() {
    let mut reading = Reading::default();
    for text in ["cpu 0 0 0 9\ncpu0 1 0 0 9\ncpu1 1 0 0 9\n", "cpu 0 0 0 9\ncpu1 2 0 0 12\n"] {
        reading.clear();
        let _ = read(text.as_bytes(), Detail::Cores, &mut reading);
    }
    assert_eq!((reading.cpus.len(), reading.online), (1, Some(1)));
    assert_eq!(reading.cpus.iter().next().unwrap().time.utilization()[..1], [Some(0.25)]);
}

#[test]
fn what_a_failed_reading_would_have_said_is_absent() {
    let (mut reading, _) = parsed(FULL, Detail::Machine);
    reading.clear();
    assert_eq!((reading.online, reading.created, reading.running), (None, None, None));
    assert!(reading.cpus.iter().all(|cpu| cpu.time.seconds(1.0).iter().all(Option::is_none)));
}

#[test]
fn a_file_cut_anywhere_gives_no_more_than_it_has() {
    let (whole, _) = parsed(VM, Detail::Cores);
    for length in 0..VM.len() {
        let (reading, outcome) = parsed(&VM[..length], Detail::Cores);
        assert!(reading.cpus.len() <= whole.cpus.len());
        assert!(reading.created.is_none() || VM[..length].windows(9).any(|window| window == b"processes"));
        if reading.running.is_none() {
            assert!(outcome.is_err(), "{length}");
        }
    }
}

#[test]
fn an_odd_line_costs_only_itself_and_new_ones_nothing() {
    let text = b"cpu  1 2 3 4 5 6 7 8 9 10 11 12\ncpux 1 2 3 4\ncpu0 1 2 3 x\nnew 7\nprocesses many\nprocs_running 2\n";
    let (reading, outcome) = parsed(text, Detail::Cores);
    assert_eq!(outcome.unwrap_err().found, "x");
    assert_eq!((reading.online, reading.created, reading.running), (Some(1), None, Some(2)));
    let seconds = reading.cpus.iter().next().unwrap().time.seconds(1.0);
    assert_eq!(seconds, [Some(1.0), Some(2.0), Some(3.0), None, None, None, None]);
    assert_eq!(parsed(b"\0\xff\n", Detail::Machine).1.unwrap_err().expected, "lines of processors");
}

proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64),
                    text in "(cpu|cpu[0-9]{1,25}|processes|procs_running|intr| |[0-9]{1,30}|\n){0,24}") {
        for detail in [Detail::Machine, Detail::Cores] {
            let mut reading = Reading::default();
            for text in [&bytes, text.as_bytes()] {
                reading.clear();
                let _ = read(text, detail, &mut reading);
                for cpu in reading.cpus.iter() {
                    let _ = (cpu.time.seconds(100.0), cpu.time.utilization());
                }
            }
        }
    }
}
