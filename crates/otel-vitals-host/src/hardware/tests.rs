use super::*;
use proptest::prelude::*;

fn space(used: u64, available: u64, reserved: u64) -> DiskSpace {
    DiskSpace { total: used.saturating_add(available).saturating_add(reserved), used, available, reserved }
}

#[test]
fn what_is_reserved_is_no_part_of_what_can_be_used() {
    assert_eq!(space(30, 70, 0).used_percent(), 30.0);
    assert_eq!(space(30, 30, 40).used_percent(), 50.0);
    assert_eq!(space(0, 70, 30).used_percent(), 0.0);
    assert_eq!(space(95, 0, 5).used_percent(), 100.0);
    assert_eq!(space(0, 0, 5).used_percent(), 100.0);
}

#[test]
fn a_deadline_is_told_as_people_write_it() {
    assert_eq!(late(Duration::from_millis(200)), "did not answer within 200ms");
}

#[test]
fn this_machine_has_a_root_memory_and_processors() {
    let options = HardwareOptions { deadline: Duration::from_secs(60), ..HardwareOptions::default() };
    let mut reader = HardwareReader::new(options);
    let reading = reader.read();
    let [root] = &reading.disks[..] else { panic!("{reading:?}") };
    assert_eq!((&*root.path, &root.problem), ("/", &None));
    assert!(root.space.unwrap().total > 0 && root.kind.is_some());
    assert_eq!(root.mount_point.as_deref(), Some("/"));
    assert!(reading.memory.total > reading.memory.available, "{reading:?}");
    assert!(reading.cpu.online > Some(0), "{reading:?}");
    assert_eq!(reading.cpu.used_percent, None, "there was no earlier look");
    assert!(disk_space(Path::new("/nowhere/at/all")).is_err() || cfg!(otel_vitals_portable));
}

proptest! {
    #[test]
    fn a_percentage_is_one(used: u64, available: u64) {
        prop_assert!((0.0..=100.0).contains(&space(used, available, 0).used_percent()));
    }
}
