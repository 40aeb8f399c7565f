use super::*;
use otel_vitals_host::hardware::{GroupCpu, GroupMemory};
use proptest::prelude::*;

const GIB: u64 = 1 << 30;

fn thresholds() -> Thresholds {
    Thresholds::default()
}

fn disk(used: u64, available: u64) -> Disk {
    let mut space = DiskSpace::default();
    (space.total, space.used, space.available) = (used + available, used, available);
    let mut reading = DiskReading::default();
    (reading.path, reading.space) = ("/srv".to_owned(), Some(space));
    Disk::new(reading, thresholds().disk)
}

fn memory(total: Option<u64>, available: Option<u64>, group: Option<(u64, Option<u64>)>) -> Memory {
    let mut reading = MemoryReading::default();
    (reading.total, reading.available) = (total, available);
    reading.group = group.map(|(limit, working_set)| {
        let mut group = GroupMemory::default();
        (group.limit, group.working_set) = (limit, working_set);
        group
    });
    Memory::new(reading, thresholds().ram)
}

fn processors(online: Option<u64>, five: Option<f64>) -> CpuReading {
    let mut reading = CpuReading::default();
    (reading.online, reading.load) = (online, [Some(0.5), five, Some(0.25)]);
    reading
}

fn with_quota(cores: f64, throttled_percent: Option<f64>) -> GroupCpu {
    let mut group = GroupCpu::default();
    (group.cores, group.throttled_percent) = (cores, throttled_percent);
    group
}

#[test]
fn disks_are_judged_by_what_is_used() {
    for (used, level) in
        [(0, Level::Ok), (79, Level::Ok), (80, Level::Warning), (89, Level::Warning), (90, Level::Critical)]
    {
        assert_eq!(disk(used, 100 - used).level, level, "{used}");
    }
    assert_eq!(disk(50, 50).used_percent(), Some(50.0));
}

#[test]
fn a_disk_that_does_not_tell_is_critical_and_says_why() {
    let mut reading = DiskReading::default();
    reading.problem = Some("did not answer within 200ms".to_owned());
    let silent = Disk::new(reading, thresholds().disk);
    assert_eq!((silent.level, silent.used_percent()), (Level::Critical, None));
    assert_eq!(silent.problem.as_deref(), Some("did not answer within 200ms"));
}

#[test]
fn the_first_disk_is_the_primary_one_and_the_worst_of_all_is_the_level() {
    let mut snapshot = Snapshot::default();
    assert_eq!((snapshot.primary_disk(), snapshot.level()), (None, Level::Ok));
    snapshot.disks = vec![disk(10, 90), disk(85, 15)];
    assert_eq!(snapshot.primary_disk().unwrap().used_percent(), Some(10.0));
    assert_eq!(snapshot.level(), Level::Warning);
    snapshot.memory.level = Level::Critical;
    assert_eq!(snapshot.level(), Level::Critical);
}

#[test]
fn without_a_limit_memory_is_the_machines() {
    let bare = memory(Some(16 * GIB), Some(12 * GIB), None);
    assert_eq!(bare.usage.used, Some(4 * GIB));
    assert_eq!(bare.usage.used_percent(), Some(25.0));
    assert_eq!((bare.level, bare.is_limited, bare.host), (Level::Ok, false, None));
    assert_eq!(memory(Some(100), Some(20), None).level, Level::Warning);
    assert_eq!(memory(Some(100), Some(5), None).level, Level::Critical);
}

#[test]
fn in_a_container_memory_is_the_groups_and_the_machines_is_beside_it() {
    let limited = memory(Some(16 * GIB), Some(GIB), Some((512 << 20, Some(128 << 20))));
    assert_eq!((limited.usage.total, limited.usage.used), (Some(512 << 20), Some(128 << 20)));
    assert_eq!(limited.usage.available, Some(384 << 20));
    assert_eq!((limited.level, limited.is_limited), (Level::Ok, true));
    let host = limited.host.unwrap();
    assert_eq!((host.usage.total, host.usage.used), (Some(16 * GIB), Some(15 * GIB)));
    assert_eq!(host.level, Level::Warning, "93.75 %");
    let full = memory(Some(16 * GIB), Some(15 * GIB), Some((100, Some(120))));
    assert_eq!((full.usage.available, full.level), (Some(0), Level::Critical));
    assert_eq!(memory(Some(GIB), Some(GIB), Some((0, Some(0)))).level, Level::Critical);
}

#[test]
fn memory_that_is_not_known_is_absent_and_a_warning() {
    for unknown in [
        memory(None, None, None),
        memory(Some(GIB), None, None),
        memory(Some(GIB), Some(1), Some((100, None))),
    ] {
        assert_eq!((unknown.usage.used, unknown.usage.used_percent()), (None, None));
        assert_eq!(unknown.level, Level::Warning);
    }
}

/// What bar-counter/monitor would call critical: a load above the number of cores minus one.
#[test]
fn one_and_two_cores_at_rest_are_ok() {
    for (online, five, level) in [
        (1, 0.0, Level::Ok),
        (1, 0.3, Level::Ok),
        (1, 0.99, Level::Ok),
        (1, 1.0, Level::Warning),
        (1, 2.0, Level::Critical),
        (2, 0.0, Level::Ok),
        (2, 0.5, Level::Ok),
        (2, 1.5, Level::Ok),
        (2, 2.0, Level::Warning),
        (2, 4.0, Level::Critical),
        (128, 100.0, Level::Ok),
        (128, 256.0, Level::Critical),
    ] {
        let cpu = Cpu::new(processors(Some(online), Some(five)), &thresholds());
        assert_eq!(cpu.level, level, "{five} on {online}");
        assert_eq!(cpu.load_per_core.five, Some(five / online as f64));
        assert_eq!((cpu.cores, cpu.whole_cores(), cpu.host), (Some(online as f64), Some(online), None));
    }
}

#[test]
fn with_a_quota_throttling_is_judged_and_the_load_is_the_machines() {
    for (throttled, level) in [
        (None, Level::Ok),
        (Some(0.0), Level::Ok),
        (Some(49.9), Level::Ok),
        (Some(50.0), Level::Warning),
        (Some(90.0), Level::Critical),
    ] {
        let mut reading = processors(Some(4), Some(40.0));
        (reading.used_percent, reading.group) = (Some(99.0), Some(with_quota(0.5, throttled)));
        let cpu = Cpu::new(reading, &thresholds());
        assert_eq!((cpu.level, cpu.throttled_percent, cpu.is_limited), (level, throttled, true));
        assert_eq!((cpu.cores, cpu.whole_cores(), cpu.used_percent), (Some(0.5), Some(1), None));
        let host = cpu.host.unwrap();
        assert_eq!((host.cores, host.used_percent, host.level), (Some(4), Some(99.0), Level::Critical));
        assert_eq!(cpu.load_per_core.five, Some(10.0));
    }
    let mut reading = processors(Some(4), None);
    reading.group = Some(with_quota(2.5, None));
    assert_eq!(Cpu::new(reading, &thresholds()).whole_cores(), Some(3));
}

#[test]
fn a_load_that_is_not_told_is_a_warning_only_where_something_went_wrong() {
    let mut reading = processors(Some(2), None);
    assert_eq!(Cpu::new(reading.clone(), &thresholds()).level, Level::Ok);
    reading.problem = Some("cannot read /proc/loadavg".to_owned());
    assert_eq!(Cpu::new(reading.clone(), &thresholds()).level, Level::Warning);
    reading.group = Some(with_quota(1.0, None));
    let limited = Cpu::new(reading, &thresholds());
    assert_eq!((limited.level, limited.host.unwrap().level), (Level::Warning, Level::Warning));
    assert_eq!(Cpu::new(processors(None, Some(1.0)), &thresholds()).load_per_core.five, None);
    assert_eq!(Cpu::new(processors(Some(0), Some(1.0)), &thresholds()).load_per_core.five, None);
}

#[test]
fn what_is_unknown_names_every_disk_and_is_a_warning() {
    let snapshot = Snapshot::unknown(&["/".to_owned(), "/srv".to_owned()], "so it is");
    let paths: Vec<_> = snapshot.disks.iter().map(|disk| &*disk.path).collect();
    assert_eq!((paths, snapshot.level(), snapshot.taken_at), (vec!["/", "/srv"], Level::Warning, None));
    assert!(snapshot.disks.iter().all(|disk| disk.problem.as_deref() == Some("so it is")));
}

proptest! {
    #[test]
    fn more_used_is_never_better(total in 1_u64..1 << 50, less: u64, more: u64) {
        let (less, more) = ((less % total).min(more % total), (less % total).max(more % total));
        prop_assert!(disk(less, total - less).level <= disk(more, total - more).level);
        let used = |used: u64| memory(Some(total), Some(total - used), None);
        prop_assert!(used(less).level <= used(more).level);
        let limited = |used: u64| memory(Some(1 << 51), Some(0), Some((total, Some(used))));
        prop_assert!(limited(less).level <= limited(more).level);
        prop_assert_eq!(used(more).level, limited(more).level);
    }

    #[test]
    fn below_one_task_a_core_the_load_is_ok(online in 1_u64..4096, share in 0.0..0.999) {
        let cpu = Cpu::new(processors(Some(online), Some(share * online as f64)), &thresholds());
        prop_assert_eq!(cpu.level, Level::Ok);
    }
}
