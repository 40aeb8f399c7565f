//! Whole machines below a `root_path`, of kernels old and new, through the SDK.
#![cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

use otel_vitals_core::SourceContext;
use otel_vitals_host::HostOptions;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use test_harness::{Collection, InMemory, Instrument};

/// Longer than a reading stays fresh in `pipeline`.
const PAST_FRESHNESS: Duration = Duration::from_millis(5);

fn machine(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The groups that read `/proc` and `/sys` only, each showing all that it can.
fn pipeline(root: &Path) -> InMemory {
    let pipeline = InMemory::new();
    let meter = pipeline.meter("host");
    let mut options = HostOptions::default();
    options.root_path = Some(root.to_owned());
    (options.cpu.utilization, options.cpu.frequency) = (true, true);
    (options.memory.limit, options.memory.shared, options.memory.hugepages) = (true, true, true);
    (options.disk.enabled, options.filesystem.enabled, options.network.enabled) = (false, false, false);
    otel_vitals_host::register(&meter, &SourceContext::new(&meter, Duration::from_millis(1)), &options);
    pipeline
}

#[test]
fn a_complete_machine_is_told_completely() {
    use Instrument::{Counter, Gauge, UpDownCounter};
    let collection = pipeline(&machine("full")).collect();
    let kib = 1024.0;
    let memory = |state| vec![("system.memory.state", state)];
    let huge = |state| vec![("system.memory.linux.hugepages.state", state)];
    let fault = |kind| vec![("system.paging.fault.type", kind)];
    let swapped =
        |direction| vec![("system.paging.fault.type", "major"), ("system.paging.direction", direction)];
    let swap = |state, device| vec![("system.paging.state", state), ("system.device", device)];
    let (partition, file) = ("/dev/nvme0n1p3", "/var/swap file");
    let expected = [
        ("system.cpu.time", "s", Counter, false, vec![("cpu.mode", "user")], 36_412.10),
        ("system.cpu.time", "s", Counter, false, vec![("cpu.mode", "interrupt")], 88.54),
        ("system.cpu.time", "s", Counter, false, vec![("cpu.mode", "steal")], 15.92),
        ("system.cpu.logical.count", "{cpu}", UpDownCounter, true, vec![], 4.0),
        ("system.cpu.physical.count", "{cpu}", UpDownCounter, true, vec![], 2.0),
        ("system.cpu.frequency", "Hz", Gauge, true, vec![("cpu.logical_number", "3")], 2.7e9),
        ("system.memory.usage", "By", UpDownCounter, true, memory("used"), 12_818_604.0 * kib),
        ("system.memory.usage", "By", UpDownCounter, true, memory("free"), 4_837_264.0 * kib),
        ("system.memory.usage", "By", UpDownCounter, true, memory("buffers"), 918_272.0 * kib),
        ("system.memory.usage", "By", UpDownCounter, true, memory("cached"), 14_020_200.0 * kib),
        ("system.memory.utilization", "1", Gauge, false, memory("free"), 4_837_264.0 / 32_594_340.0),
        ("system.memory.linux.available", "By", UpDownCounter, true, vec![], 19_283_746.0 * kib),
        ("system.memory.limit", "By", UpDownCounter, true, vec![], 32_594_340.0 * kib),
        ("system.memory.linux.shared", "By", UpDownCounter, true, vec![], 482_736.0 * kib),
        ("system.memory.linux.hugepages.limit", "{page}", UpDownCounter, true, vec![], 66.0),
        ("system.memory.linux.hugepages.page_size", "By", UpDownCounter, true, vec![], 2048.0 * kib),
        ("system.memory.linux.hugepages.reserved", "{page}", UpDownCounter, true, vec![], 8.0),
        ("system.memory.linux.hugepages.surplus", "{page}", UpDownCounter, true, vec![], 2.0),
        ("system.memory.linux.hugepages.usage", "{page}", UpDownCounter, true, huge("used"), 26.0),
        ("system.memory.linux.hugepages.utilization", "1", Gauge, false, huge("free"), 40.0 / 66.0),
        ("system.paging.faults", "{fault}", Counter, true, fault("major"), 18_273.0),
        ("system.paging.faults", "{fault}", Counter, true, fault("minor"), 928_374_651.0 - 18_273.0),
        ("system.paging.operations", "{operation}", Counter, true, swapped("in"), 3_827.0),
        ("system.paging.operations", "{operation}", Counter, true, swapped("out"), 18_273.0),
        ("system.paging.usage", "By", UpDownCounter, true, swap("used", partition), 1_048_576.0 * kib),
        ("system.paging.usage", "By", UpDownCounter, true, swap("free", file), 2_097_148.0 * kib),
        ("system.paging.utilization", "1", Gauge, false, swap("free", file), 1.0),
        ("system.process.created", "{process}", Counter, true, vec![], 482_736.0),
        ("system.process.count", "{process}", UpDownCounter, true, vec![("process.state", "running")], 3.0),
        ("system.process.limit", "{thread}", UpDownCounter, true, vec![], 254_623.0),
        ("system.uptime", "s", Gauge, false, vec![], 203_847.52),
    ];
    for (name, unit, instrument, integer, attributes, value) in expected {
        let metric = collection.metric(name).unwrap_or_else(|| panic!("{name} is absent"));
        assert_eq!((&*metric.unit, metric.instrument, metric.integer), (unit, instrument, integer), "{name}");
        let seen = collection.value(name, &attributes);
        assert!(
            seen.is_some_and(|seen| (seen - value).abs() <= value * 1e-12),
            "{name}: {seen:?}, not {value}"
        );
    }
    assert_eq!(collection.sum("otel_vitals.source.errors"), Some(0.0));
}

#[test]
fn old_and_new_kernels_lack_only_what_they_do_not_tell() {
    for (name, failing, absent) in [
        (
            "linux-6.18-vm",
            &["system.cpu.frequency"][..],
            &["system.cpu.frequency", "system.paging.usage"][..],
        ),
        (
            "linux-2.6.9",
            &["system.cpu.frequency", "system.cpu.topology"],
            &["system.cpu.physical.count", "system.memory.linux.available", "system.memory.linux.shared"],
        ),
    ] {
        let collection = pipeline(&machine(name)).collect();
        let errors = &collection.metric("otel_vitals.source.errors").unwrap().points;
        let failed: BTreeSet<&str> = errors
            .iter()
            .filter(|point| point.value > 0.0)
            .map(|point| point.attributes["otel_vitals.source"].as_str())
            .collect();
        assert_eq!(failed, failing.iter().copied().collect(), "{name}");
        for metric in absent {
            let points = collection.metric(metric).map_or(0, |metric| metric.points.len());
            assert_eq!(points, 0, "{name}: {metric}");
        }
        assert!(collection.names().len() >= 18, "{name}: {:?}", collection.names());
    }
}

#[test]
fn a_sandbox_that_lacks_files_loses_only_what_they_would_say() {
    let collection = pipeline(&machine("gvisor")).collect();
    let errors = |source| collection.value("otel_vitals.source.errors", &[("otel_vitals.source", source)]);
    for missing in [
        "system.vmstat",
        "system.swaps",
        "system.process.limit",
        "system.cpu.topology",
        "system.cpu.frequency",
    ] {
        assert!(errors(missing) > Some(0.0), "{missing}");
    }
    for there in ["system.stat", "system.memory", "system.uptime", "system.load"] {
        assert_eq!(errors(there), Some(0.0), "{there}");
    }
    assert_eq!(collection.sum("system.cpu.logical.count"), Some(4.0));
    assert_eq!(collection.sum("system.memory.usage"), Some(2_097_152.0 * 1024.0));
    assert_eq!(collection.sum("system.uptime"), Some(42.17));
    for silent in
        ["system.cpu.time", "system.process.created", "system.paging.faults", "system.process.limit"]
    {
        assert_eq!(collection.sum(silent).unwrap_or_default(), 0.0, "{silent}");
        assert!(collection.metric(silent).is_none_or(|metric| metric.points.is_empty()), "{silent}");
    }
}

#[test]
fn cores_and_frequency_are_asked_for_until_the_kernel_tells() {
    let root = tempfile::tempdir().unwrap();
    let (cpu, topology, frequency) =
        (root.path().join("sys/devices/system/cpu/cpu0"), "system.cpu.topology", "system.cpu.frequency");
    let pipeline = pipeline(root.path());
    let errors = |collection: &Collection, source| {
        collection.value("otel_vitals.source.errors", &[("otel_vitals.source", source)]).unwrap()
    };
    let values = |collection: &Collection| {
        ["system.cpu.physical.count", "system.cpu.frequency"].map(|name| collection.sum(name))
    };
    let first = pipeline.collect();
    assert!(errors(&first, topology) > 0.0 && errors(&first, frequency) > 0.0);
    assert_eq!(values(&first).map(Option::unwrap_or_default), [0.0, 0.0]);
    std::thread::sleep(PAST_FRESHNESS);
    let second = pipeline.collect();
    assert!(errors(&second, topology) > errors(&first, topology), "it is tried again");
    assert!(errors(&second, frequency) > errors(&first, frequency), "it is tried again");

    for (file, text) in [
        ("topology/physical_package_id", "0\n"),
        ("topology/core_id", "0\n"),
        ("cpufreq/scaling_cur_freq", "1000000\n"),
    ] {
        fs::create_dir_all(cpu.join(file).parent().unwrap()).unwrap();
        fs::write(cpu.join(file), text).unwrap();
    }
    std::thread::sleep(PAST_FRESHNESS);
    let third = pipeline.collect();
    assert_eq!(values(&third), [Some(1.0), Some(1e9)]);

    fs::remove_dir_all(&cpu).unwrap();
    std::thread::sleep(PAST_FRESHNESS);
    let fourth = pipeline.collect();
    assert_eq!(fourth.sum("system.cpu.physical.count"), Some(1.0), "what is known is kept");
    assert_eq!(errors(&fourth, topology), errors(&third, topology), "and not asked for again");
}

#[test]
fn utilization_appears_with_the_second_reading() {
    let root = tempfile::tempdir().unwrap();
    let stat = root.path().join("proc/stat");
    fs::create_dir_all(root.path().join("proc")).unwrap();
    let pipeline = pipeline(root.path());
    let write = |user: u32, idle: u32| {
        let line = format!("{user} 0 100 {idle} 0 0 0 0 0 0");
        fs::write(&stat, format!("cpu  {line}\ncpu0 {line}\nprocesses 1\nprocs_running 1\n")).unwrap();
    };
    let share =
        |collection: &Collection, mode| collection.value("system.cpu.utilization", &[("cpu.mode", mode)]);
    write(100, 800);
    assert_eq!(share(&pipeline.collect(), "user"), None);
    // A collection so slow that it reads twice sees no tick pass: then it is tried again.
    let started = Instant::now();
    let collection = (1..)
        .map(|step| {
            write(100 + step, 800 + 3 * step);
            pipeline.collect()
        })
        .find(|collection| share(collection, "user").is_some() || started.elapsed() > Duration::from_secs(60))
        .unwrap();
    let shares = ["user", "idle", "system"].map(|mode| share(&collection, mode));
    assert_eq!(shares, [Some(0.25), Some(0.75), Some(0.0)]);
}
