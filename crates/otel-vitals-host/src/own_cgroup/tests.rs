use super::*;
use std::fs;

const BOTH: Wanted = Wanted { cpu: true, pressure: true };
const MOUNT: &str = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

/// A machine in a folder, whose control groups are of version 2.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(own: &str) -> Self {
        let machine = Machine(tempfile::tempdir().unwrap());
        machine.file("proc/self/mountinfo", MOUNT);
        machine.move_to(own);
        machine
    }

    fn file(&self, path: &str, content: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn move_to(&self, own: &str) {
        self.file("proc/self/cgroup", &format!("0::{own}\n"));
    }

    fn group(&self, path: &str, periods: u64, stalled: u64, max: &str) {
        let file = |name: &str, content: &str| self.file(&format!("sys/fs/cgroup{path}/{name}"), content);
        file("cgroup.procs", "");
        file("cgroup.events", "populated 1\n");
        file("cpu.max", max);
        file("cpu.stat", &format!("usage_usec 1\nnr_periods {periods}\nnr_throttled 2\nthrottled_usec 3\n"));
        file("cpu.pressure", &format!("some avg10=0.00 total={stalled}\nfull avg10=0.00 total=1\n"));
    }

    fn reader(&self) -> Reader {
        Reader::new(self.0.path(), BOTH)
    }
}

/// Periods and stall time of the next reading.
fn next(reader: &mut Reader, now: Instant) -> (Option<u64>, Option<u64>) {
    let mut reading = Reading::default();
    reader.read(now, &mut reading).unwrap();
    (reading.cpu.periods, reading.pressure[0].some)
}

#[test]
fn a_process_that_is_moved_is_followed_and_its_counters_go_on() {
    let machine = Machine::new("/a");
    machine.group("/a", 100, 500, "max 100000\n");
    machine.group("/b", 7, 9000, "max 100000\n");
    let (mut reader, now) = (machine.reader(), Instant::now());
    assert_eq!(next(&mut reader, now), (Some(100), Some(500)));
    machine.move_to("/b");
    assert_eq!(next(&mut reader, now), (Some(100), Some(500)), "what b counted before is b's");
    machine.group("/b", 8, 9005, "max 100000\n");
    assert_eq!(next(&mut reader, now), (Some(101), Some(505)));
}

#[test]
fn a_group_that_goes_away_is_no_error() {
    let machine = Machine::new("/a");
    machine.group("/a", 100, 500, "max 100000\n");
    let (mut reader, now) = (machine.reader(), Instant::now());
    assert_eq!(next(&mut reader, now), (Some(100), Some(500)));
    // As if the kernel said so: a file of a group that is no more cannot be read.
    reader.cpu = Some(KernelFile::single_record(machine.0.path().join("gone")));
    assert_eq!(next(&mut reader, now).0, Some(100));
    fs::remove_dir_all(machine.0.path().join("sys/fs/cgroup/a")).unwrap();
    reader.cpu = Some(KernelFile::single_record(machine.0.path().join("gone")));
    assert_eq!(next(&mut reader, now), (None, None));
    machine.group("/c", 1, 1, "max 100000\n");
    machine.move_to("/c");
    assert_eq!(next(&mut reader, now), (Some(100), Some(500)));
}

#[test]
fn a_quota_above_is_found_later() {
    let machine = Machine::new("/pod/app");
    machine.group("/pod", 40, 1, "max 100000\n");
    machine.group("/pod/app", 100, 500, "max 100000\n");
    let (mut reader, start) = (machine.reader(), Instant::now());
    assert_eq!(next(&mut reader, start).0, Some(100));
    machine.group("/pod", 41, 1, "20000 100000\n");
    assert_eq!(next(&mut reader, start + LOOK_AGAIN).0, Some(100));
    machine.group("/pod", 51, 1, "20000 100000\n");
    assert_eq!(next(&mut reader, start + LOOK_AGAIN), (Some(110), Some(500)));
}

#[test]
fn where_there_is_nothing_there_is_no_error_and_it_may_come() {
    let machine = Machine(tempfile::tempdir().unwrap());
    let (mut reader, start) = (machine.reader(), Instant::now());
    assert_eq!(next(&mut reader, start), (None, None), "no /proc/self/cgroup");
    machine.move_to("/a");
    assert_eq!(next(&mut reader, start), (None, None), "no mounts");
    machine.file("proc/self/mountinfo", MOUNT);
    machine.group("/a", 100, 500, "max 100000\n");
    assert_eq!(next(&mut reader, start), (None, None), "not looked for at every collection");
    assert_eq!(next(&mut reader, start + LOOK_AGAIN), (Some(100), Some(500)));
}

#[test]
fn what_is_malformed_costs_only_itself() {
    let machine = Machine::new("/a");
    machine.group("/a", 100, 500, "max 100000\n");
    let mut reader = machine.reader();
    next(&mut reader, Instant::now());
    machine.file("sys/fs/cgroup/a/cpu.stat", "nr_periods x\nnr_throttled 2\nthrottled_usec 4\n");
    let mut reading = Reading::default();
    let error = reader.read(Instant::now(), &mut reading).unwrap_err();
    assert!(error.to_string().contains("nr_periods"), "{error}");
    let expected = CpuStat { periods: None, throttled_periods: Some(2), throttled_time: Some(4000) };
    assert_eq!((reading.cpu, reading.pressure[0].some), (expected, Some(500)));
}

#[test]
fn only_what_is_wanted_is_read() {
    let machine = Machine::new("/a");
    machine.group("/a", 100, 500, "max 100000\n");
    for (wanted, expected) in [
        (Wanted { cpu: true, pressure: false }, (Some(100), None)),
        (Wanted { cpu: false, pressure: true }, (None, Some(500))),
    ] {
        let mut reader = Reader::new(machine.0.path(), wanted);
        assert_eq!(next(&mut reader, Instant::now()), expected);
    }
}

#[test]
fn full_of_processors_is_a_group_s_and_not_the_root_group_s() {
    let machine = Machine::new("/");
    machine.group("", 100, 500, "max 100000\n");
    let full = || {
        let mut reading = Reading::default();
        machine.reader().read(Instant::now(), &mut reading).unwrap();
        reading.pressure[0].full
    };
    assert_eq!(full(), Some(1));
    fs::remove_file(machine.0.path().join("sys/fs/cgroup/cgroup.events")).unwrap();
    assert_eq!(full(), None);
}
