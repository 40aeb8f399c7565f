//! The hardware is told by vitals, whoever exports, at most a second old, until the end.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use opentelemetry_sdk::metrics::SdkMeterProvider;
use otel_vitals::hardware::{Level, Snapshot};
use otel_vitals::{Config, Threshold, Vitals};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

const PATIENCE: Duration = Duration::from_secs(60);

/// A process has one set of vitals at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Without timers: the hardware needs none.
fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn start(change: impl FnOnce(&mut Config)) -> Vitals {
    let mut config = Config::default();
    config.metrics.exporters.clear();
    change(&mut config);
    Vitals::builder().config(config).start().unwrap()
}

fn look(vitals: &Vitals) -> Arc<Snapshot> {
    runtime().block_on(vitals.hardware().snapshot())
}

/// A look at which nobody was late, as file systems and the kernel may be on a machine with much else to do.
fn look_at_all(vitals: &Vitals) -> Arc<Snapshot> {
    let started = Instant::now();
    loop {
        let snapshot = look(vitals);
        let problems = snapshot.disks.iter().map(|disk| &disk.problem);
        let problems = problems.chain([&snapshot.memory.problem, &snapshot.cpu.problem]);
        if !problems.flatten().any(|problem| problem.starts_with("did not answer within ")) {
            return snapshot;
        }
        assert!(started.elapsed() < PATIENCE, "{snapshot:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Whether our thread lives.
#[cfg(target_os = "linux")]
fn has_thread() -> bool {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let mut names = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.any(|name| name.trim() == "vitals-hardware")
}

#[test]
fn everything_there_is_is_told_also_when_nobody_exports() {
    let _alone = alone();
    for exports in [true, false] {
        let mut config = Config::default();
        config.metrics.exporters.clear();
        config.monitor.disks = vec!["/tmp".to_owned(), "/".to_owned()];
        let mut builder = Vitals::builder().config(config);
        if exports {
            builder = builder.meter_provider(SdkMeterProvider::default());
        }
        let vitals = builder.start().unwrap();
        let snapshot = look_at_all(&vitals);
        assert!(snapshot.disks.iter().all(|disk| disk.space.is_some()), "{snapshot:?}");
        assert!(snapshot.problem.is_none() && snapshot.taken_at.is_some());
        assert_eq!(snapshot.primary_disk().unwrap().path, "/tmp");
        assert_eq!(snapshot.disks[1].path, "/");
        assert!(snapshot.memory.usage.used.unwrap() < snapshot.memory.usage.total.unwrap());
        assert!(snapshot.cpu.cores.unwrap() > 0.0 && snapshot.cpu.whole_cores().unwrap() > 0);
        let load = (snapshot.cpu.load.five.unwrap(), snapshot.cpu.load_per_core.five.unwrap());
        assert!(load.0 >= load.1);
        assert_eq!(snapshot.memory.is_limited, snapshot.memory.host.is_some());
        assert_eq!(snapshot.cpu.is_limited, snapshot.cpu.host.is_some());
    }
}

#[test]
fn thresholds_are_those_of_the_configuration() {
    let _alone = alone();
    let vitals = start(|config| {
        config.monitor.thresholds.disk = Threshold::new(1, 1);
        config.monitor.thresholds.ram = Threshold::new(1, 100);
        config.monitor.thresholds.load = Threshold::new(100_000, 100_000);
        config.monitor.thresholds.throttled = Threshold::new(100, 100);
    });
    let snapshot = look_at_all(&vitals);
    let levels = (snapshot.disks[0].level, snapshot.memory.level, snapshot.cpu.level, snapshot.level());
    assert_eq!(levels, (Level::Critical, Level::Warning, Level::Ok, Level::Critical), "{snapshot:?}");
}

#[test]
fn a_path_that_leads_nowhere_is_critical_and_says_why() {
    let _alone = alone();
    let vitals = start(|config| config.monitor.disks = vec!["/nowhere/at/all".to_owned()]);
    let snapshot = look_at_all(&vitals);
    let disk = &snapshot.disks[0];
    assert_eq!((disk.space, disk.level), (None, Level::Critical));
    assert!(disk.problem.is_some());
}

#[test]
fn a_second_is_how_old_a_look_may_be() {
    let _alone = alone();
    let vitals = start(|_| {});
    let started = Instant::now();
    let first = look(&vitals);
    let others: Vec<_> = (0..1000).map(|_| look(&vitals)).collect();
    // On a busy machine the second may be over before all have asked.
    if started.elapsed() < Duration::from_secs(1) {
        assert!(others.iter().all(|other| Arc::ptr_eq(other, &first)));
    }
    while Arc::ptr_eq(&look(&vitals), &first) {
        assert!(started.elapsed() < PATIENCE, "it is told for ever");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(started.elapsed() >= Duration::from_secs(1), "it was looked at again too early");
}

#[cfg(target_os = "linux")]
#[test]
fn there_is_a_thread_from_the_first_question_to_the_end() {
    let _alone = alone();
    let wait_for_none = || {
        let started = Instant::now();
        while has_thread() {
            assert!(started.elapsed() < PATIENCE, "the thread goes on");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    wait_for_none();
    let vitals = start(|_| {});
    assert!(!has_thread());
    let hardware = vitals.hardware().clone();
    let before = look(&vitals);
    assert!(has_thread());
    vitals.shutdown().unwrap();
    wait_for_none();
    let last = look(&vitals);
    assert_eq!((last.taken_at, &last.disks), (before.taken_at, &before.disks), "what was is still known");
    assert_eq!(last.problem.as_deref(), Some("otel-vitals has been shut down"));
    drop(vitals);

    let vitals = start(|_| {});
    let _ = look(&vitals);
    drop(vitals);
    wait_for_none();
    let last = runtime().block_on(hardware.snapshot());
    assert_eq!(last.taken_at, before.taken_at, "a handle that outlives vitals answers, too");
}

#[test]
fn switched_off_nothing_is_looked_at_and_that_is_said() {
    let _alone = alone();
    let vitals = start(|config| config.disabled = true);
    let snapshot = look(&vitals);
    assert_eq!(snapshot.problem.as_deref(), Some("switched off by `disabled`"));
    assert_eq!((snapshot.taken_at, snapshot.level()), (None, Level::Warning));
    assert_eq!((&*snapshot.disks[0].path, snapshot.disks[0].space), ("/", None));
}
