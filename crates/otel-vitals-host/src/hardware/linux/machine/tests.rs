use super::*;
use std::fs;
use std::time::Duration;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
const CONTAINER: &str = "610 600 0:28 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n";

/// A machine of the fixtures, and the control group of a folder.
fn machine(recorded: &str, group: &Path) -> Machine {
    Machine::new(&Roots::new(Some(&Path::new(FIXTURES).join(recorded))), group)
}

fn bare(recorded: &str) -> (MemoryReading, CpuReading) {
    machine(recorded, Path::new("/nowhere")).read()
}

fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// A container of version 2 with these limits, which has used what `stat` says.
fn container(memory_max: &str, cpu_max: &str, stat: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    write(
        root.path(),
        &[
            ("proc/self/cgroup", "0::/\n"),
            ("proc/self/mountinfo", CONTAINER),
            ("sys/fs/cgroup/cgroup.procs", ""),
            ("sys/fs/cgroup/memory.max", memory_max),
            ("sys/fs/cgroup/memory.current", "5000\n"),
            ("sys/fs/cgroup/memory.stat", "inactive_file 1000\n"),
            ("sys/fs/cgroup/cpu.max", cpu_max),
            ("sys/fs/cgroup/cpu.stat", stat),
        ],
    );
    root
}

fn stat(usage: u64, periods: u64, throttled: u64) -> String {
    format!("usage_usec {usage}\nnr_periods {periods}\nnr_throttled {throttled}\nthrottled_usec 0\n")
}

#[test]
fn every_recorded_kernel_is_read() {
    for (recorded, online) in
        [("linux-6.18-vm", Some(2)), ("full", Some(4)), ("linux-2.6.9", Some(2)), ("gvisor", None)]
    {
        let (memory, cpu) = bare(recorded);
        assert_eq!(memory.problem, None, "{recorded}");
        assert!(memory.total > memory.available && memory.available > Some(0), "{recorded}: {memory:?}");
        assert_eq!(cpu.problem, None, "{recorded}");
        assert!(cpu.load.iter().all(Option::is_some), "{recorded}: {cpu:?}");
        assert!(online.is_none_or(|online| cpu.online == Some(online)), "{recorded}: {cpu:?}");
        assert_eq!((memory.group, cpu.group, cpu.used_percent), (None, None, None), "{recorded}");
    }
}

#[test]
fn what_is_available_is_what_the_kernel_says_or_free_and_cache() {
    let line = |recorded: &str, key: &str| {
        let text = fs::read_to_string(format!("{FIXTURES}/{recorded}/proc/meminfo")).unwrap();
        let rest = text.lines().find_map(|line| line.strip_prefix(key)).unwrap().to_owned();
        rest.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    };
    let (memory, _) = bare("linux-6.18-vm");
    assert_eq!(memory.available, Some(line("linux-6.18-vm", "MemAvailable:")));
    let (memory, _) = bare("linux-2.6.9");
    let parts = ["MemFree:", "Buffers:", "Cached:"].map(|key| line("linux-2.6.9", key));
    assert_eq!(memory.available, Some(parts.iter().sum()));
}

#[test]
fn what_is_missing_is_absent_and_said() {
    let empty = tempfile::tempdir().unwrap();
    let (memory, cpu) = Machine::new(&Roots::new(Some(empty.path())), empty.path()).read();
    assert_eq!((memory.total, memory.available), (None, None));
    assert!(memory.problem.unwrap().contains("meminfo"));
    assert_eq!((cpu.load, cpu.online), ([None; 3], None));
    assert!(cpu.problem.unwrap().contains("loadavg"));

    write(
        empty.path(),
        &[("proc/meminfo", "MemTotal: 100 kB\nMemFr"), ("proc/loadavg", "0.5 0.7"), ("proc/stat", "cpu 1")],
    );
    let (memory, cpu) = Machine::new(&Roots::new(Some(empty.path())), empty.path()).read();
    assert_eq!((memory.total, memory.available), (Some(102_400), None));
    assert!(memory.problem.is_some());
    assert_eq!(cpu.load, [Some(0.5), Some(0.7), None]);
    assert!(cpu.problem.is_some());
}

#[test]
fn a_container_has_its_limits_beside_the_machine() {
    let group = container("536870912\n", "50000 100000\n", &stat(0, 0, 0));
    let (memory, cpu) = machine("linux-6.18-vm", group.path()).read();
    assert_eq!(memory.group, Some(GroupMemory { limit: 536_870_912, working_set: Some(4000) }));
    assert_eq!(cpu.group, Some(GroupCpu { cores: 0.5, used_percent: None, throttled_percent: None }));
    assert!(memory.total.is_some() && cpu.online == Some(2));
}

#[test]
fn a_limit_that_is_no_less_than_the_machine_is_none() {
    for (memory_max, cpu_max) in [("max\n", "max 100000\n"), ("999999999999999\n", "200000 100000\n")] {
        let group = container(memory_max, cpu_max, &stat(0, 0, 0));
        let (memory, cpu) = machine("linux-6.18-vm", group.path()).read();
        assert_eq!((memory.group, cpu.group), (None, None), "{memory_max} {cpu_max}");
    }
}

#[test]
fn version_1_is_told_alike() {
    let root = tempfile::tempdir().unwrap();
    let folder = |tree: &str| format!("sys/fs/cgroup/{tree}/docker/a");
    let (cpu, memory) = (folder("cpu,cpuacct"), folder("memory"));
    let mounts = "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
        34 31 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
    write(
        root.path(),
        &[
            ("proc/self/cgroup", "4:memory:/docker/a\n3:cpu,cpuacct:/docker/a\n"),
            ("proc/self/mountinfo", mounts),
            (&format!("{cpu}/cgroup.procs"), ""),
            (&format!("{cpu}/cpu.cfs_quota_us"), "150000\n"),
            (&format!("{cpu}/cpu.cfs_period_us"), "100000\n"),
            (&format!("{cpu}/cpu.stat"), "nr_periods 10\nnr_throttled 1\nthrottled_time 5\n"),
            (&format!("{cpu}/cpuacct.usage"), "1000000000\n"),
            (&format!("{memory}/cgroup.procs"), ""),
            (&format!("{memory}/memory.limit_in_bytes"), "268435456\n"),
            (&format!("{memory}/memory.usage_in_bytes"), "5000\n"),
            (&format!("{memory}/memory.stat"), "total_inactive_file 1000\n"),
        ],
    );
    let mut machine = machine("linux-6.18-vm", root.path());
    let start = Instant::now();
    let (memory, _) = machine.read_at(start);
    assert_eq!(memory.group, Some(GroupMemory { limit: 268_435_456, working_set: Some(4000) }));
    write(
        root.path(),
        &[
            (&format!("{cpu}/cpu.stat"), "nr_periods 20\nnr_throttled 9\nthrottled_time 5\n"),
            (&format!("{cpu}/cpuacct.usage"), "1600000000\n"),
        ],
    );
    let (_, cpu) = machine.read_at(start + Duration::from_secs(1));
    let group = cpu.group.unwrap();
    assert_eq!((group.cores, group.throttled_percent), (1.5, Some(80.0)));
    assert!((group.used_percent.unwrap() - 40.0).abs() < 1e-9, "0.6 s of 1.5 cores in a second: {group:?}");
}

#[test]
fn percentages_are_of_what_was_between_two_looks() {
    let root = tempfile::tempdir().unwrap();
    let cpu = |busy: u64, idle: u64, iowait: u64| {
        format!(
            "cpu {busy} 0 0 {idle} {iowait} 0 0 0 0 0\ncpu0 {busy} 0 0 {idle} {iowait} 0 0 0 0 0\nprocesses 9\nprocs_running 1\n"
        )
    };
    let group = container("max\n", "50000 100000\n", &stat(1_000_000, 100, 10));
    write(root.path(), &[("proc/stat", &cpu(1000, 5000, 100)), ("proc/loadavg", "0.5 0.7 0.9 1/2 3\n")]);
    let mut machine = Machine::new(&Roots::new(Some(root.path())), group.path());
    let start = Instant::now();
    machine.read_at(start);
    write(root.path(), &[("proc/stat", &cpu(1030, 5060, 110))]);
    write(group.path(), &[("sys/fs/cgroup/cpu.stat", &stat(1_250_000, 110, 15))]);
    let (_, told) = machine.read_at(start + Duration::from_secs(1));
    assert_eq!(told.used_percent, Some(30.0), "of 100 ticks 60 were idle, and 10 waited");
    let group_cpu = told.group.unwrap();
    assert_eq!((group_cpu.used_percent, group_cpu.throttled_percent), (Some(50.0), Some(50.0)));

    // A file of the group that is gone costs what it tells, and is said.
    fs::remove_file(group.path().join("sys/fs/cgroup/cpu.stat")).unwrap();
    let (_, told) = machine.read_at(start + Duration::from_secs(2));
    let group_cpu = told.group.unwrap();
    assert_eq!((group_cpu.cores, group_cpu.used_percent, group_cpu.throttled_percent), (0.5, None, None));
    assert!(told.problem.unwrap().contains("cpu.stat"));
}

#[test]
fn a_kernel_that_counts_nothing_is_never_busy_nor_idle() {
    let mut machine = machine("gvisor", Path::new("/nowhere"));
    let start = Instant::now();
    machine.read_at(start);
    let (_, cpu) = machine.read_at(start + Duration::from_secs(1));
    assert_eq!(cpu.used_percent, None);
}
