//! The checks that are ready to be registered.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod served;

use opentelemetry_sdk::metrics::SdkMeterProvider;
use otel_vitals::health::{Check, ComponentType, Kind, ObservedValue, Probe, Status};
use otel_vitals::{Config, Vitals};
use served::{LONG, SHORT, Served, alone, until};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

fn number(value: &ObservedValue) -> f64 {
    match value {
        ObservedValue::Integer(value) => *value as f64,
        ObservedValue::Float(value) => *value,
        other => panic!("{other:?} is no number"),
    }
}

#[test]
fn a_connection_is_made_or_is_not() {
    let served = Served::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    served.health().register("tcp", Check::tcp(address.to_string()).cache(SHORT)).unwrap();
    let report = served.wait_for_status(Probe::Ready, Status::Pass);
    let observed = report.checks[0].observed.clone().unwrap();
    assert_eq!((observed.measurement.as_str(), observed.unit.as_str()), ("responseTime", "ms"));
    assert!(number(&observed.value) >= 0.0);
    let (mut connection, _) = listener.accept().unwrap();
    assert_eq!(std::io::Read::read(&mut connection, &mut [0; 8]).unwrap(), 0, "it is closed at once");
    drop(listener);
    let report = served.wait_for_status(Probe::Ready, Status::Fail);
    assert!(report.reasons[0].starts_with("tcp: "), "{:?}", report.reasons);
    assert_eq!(report.checks[0].observed, None);
}

#[test]
#[cfg(unix)]
fn a_disk_has_room_or_has_not() {
    let served = Served::start();
    let folder = tempfile::tempdir().unwrap();
    served.health().register("room", Check::disk_space(folder.path(), 100.0)).unwrap();
    let report = served.wait_for_status(Probe::Ready, Status::Pass);
    let check = &report.checks[0];
    assert_eq!(check.component_type, ComponentType::System);
    let observed = check.observed.clone().unwrap();
    assert_eq!((observed.measurement.as_str(), observed.unit.as_str()), ("utilization", "percent"));
    let used = number(&observed.value);
    assert!((0.0..=100.0).contains(&used), "{used}");
    // The same by the shell, whose figure is a whole per cent that is rounded up; others write meanwhile.
    let output = std::process::Command::new("df").arg("-P").arg(folder.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let df: f64 = text.split_whitespace().rev().nth(1).unwrap().trim_end_matches('%').parse().unwrap();
    assert!((df - used).abs() <= 2.0, "{used} is not {df}");
    served.health().remove("room");

    // Every disk has more than none of it used.
    served.health().register("full", Check::disk_space("/", -1.0)).unwrap();
    let report = served.wait_for(Probe::Ready, |report| report.checks[0].time.is_some());
    assert!(report.reasons[0].ends_with(" % of / are used, and -1 % may be"), "{:?}", report.reasons);
    served.health().remove("full");

    let gone = folder.path().join("gone");
    served.health().register("gone", Check::disk_space(&gone, 100.0)).unwrap();
    let report = served.wait_for(Probe::Ready, |report| report.checks[0].time.is_some());
    assert_eq!(report.status, Status::Fail);
    assert!(report.reasons[0].contains(gone.to_str().unwrap()), "{:?}", report.reasons);
}

#[test]
fn there_is_memory_or_there_is_not() {
    let served = Served::start();
    served.health().register("enough", Check::memory(100.0).cache(SHORT)).unwrap();
    served.health().register("short", Check::memory(0.0).cache(SHORT)).unwrap();
    // On a busy machine a look may be late, which warns.
    let report = served.wait_for(Probe::Ready, |report| {
        report.checks.iter().map(|check| check.status).eq([Status::Pass, Status::Fail])
            && report.checks.iter().all(|check| check.observed.is_some())
    });
    let used = number(&report.checks[0].observed.as_ref().unwrap().value);
    assert!(used > 0.0 && used <= 100.0, "{used}");
}

/// As one that a kernel that hangs keeps: it must not be one with each run.
#[test]
#[cfg(target_os = "linux")]
fn one_thread_asks_for_memory_as_long_as_the_check_is_there() {
    use std::collections::HashSet;
    let served = Served::start();
    assert!(until(|| served::threads("vitals-machine") == 0), "those of other tests end by themselves");
    served.health().register("memory", Check::memory(100.0).cache(SHORT)).unwrap();
    let (mut runs, mut threads) = (HashSet::new(), HashSet::new());
    assert!(until(|| {
        runs.extend(served.check(Probe::Ready, "memory").time);
        threads.extend(served::threads_called("vitals-machine"));
        runs.len() >= 20
    }));
    assert_eq!(threads.len(), 1, "{threads:?}");
    assert!(served.health().remove("memory"));
    assert!(until(|| served::threads("vitals-machine") == 0));
}

#[test]
fn an_address_that_makes_no_sense_fails() {
    let served = Served::start();
    served.health().register("tcp", Check::tcp("no port")).unwrap();
    served.wait_for(Probe::Ready, |report| report.checks[0].time.is_some() && report.status == Status::Fail);
}

#[test]
fn a_runtime_that_stands_still_is_told_while_it_does_and_no_longer() {
    let served = Served::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    served.watch_runtime("orders", runtime.handle());
    let delay =
        Check::event_loop_delay(&served, Duration::from_millis(300)).kind(Kind::Liveness).cache(SHORT);
    served.health().register("delay", delay).unwrap();
    served.wait_for_status(Probe::Live, Status::Pass);
    let (release, released) = mpsc::channel::<()>();
    runtime.spawn(async move { released.recv().is_err() });
    // On a busy machine the whole process may stand still, too.
    let report = served.wait_for(Probe::Live, |report| {
        let told = "delay: the runtime orders has stood still by now for ";
        report.reasons.first().is_some_and(|reason| reason.starts_with(told))
    });
    assert_eq!(report.status, Status::Fail);
    let check = &report.checks[0];
    assert_eq!(check.component_type, ComponentType::System);
    let observed = check.observed.clone().unwrap();
    assert_eq!((observed.measurement.as_str(), observed.unit.as_str()), ("delay", "ms"));
    assert!(number(&observed.value) > 300.0);
    drop(release);
    served.wait_for_status(Probe::Live, Status::Pass);
}

#[test]
fn a_pause_between_two_runs_is_told_once() {
    let served = Served::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    served.watch_runtime("orders", runtime.handle());
    let max = Duration::from_millis(200);
    served.health().register("delay", Check::event_loop_delay(&served, max).cache(SHORT)).unwrap();
    served.wait_for_status(Probe::Ready, Status::Pass);
    // As if it had not run meanwhile: another check, which begins to look now.
    let late = Check::event_loop_delay(&served, max).cache(LONG);
    let counted = served.pauses().last().len();
    let is_over = |pause: &otel_vitals::runtime::Pause| pause.runtime.is_some() && pause.duration > max;
    // One during most of which a busy machine held up the whole process is none of the runtime's.
    assert!(until(|| {
        runtime.block_on(runtime.spawn(async { std::thread::sleep(Duration::from_millis(500)) })).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        served.pauses().last().iter().skip(counted).any(is_over)
    }));
    served.health().register("late", late).unwrap();
    let is_told = |report: &otel_vitals::health::Report| report.checks[1].time.is_some();
    let report = served.wait_for(Probe::Ready, is_told);
    let output = report.checks[1].output.clone().unwrap();
    assert!(output.contains(" stood still for "), "{output}");
    assert!(until(|| served.check(Probe::Ready, "delay").status == Status::Pass));
}

#[test]
fn where_nothing_watches_for_pauses_the_check_says_so() {
    let mut config = Config::default();
    config.metrics.pauses.enabled = false;
    let served = Served::on(SdkMeterProvider::default(), config);
    served.health().register("delay", Check::event_loop_delay(&served, LONG)).unwrap();
    let report = served.wait_for_status(Probe::Ready, Status::Warn);
    assert_eq!(report.reasons, ["delay: nothing watches for pauses: metrics.pauses is off"]);
}

#[test]
fn who_exports_elsewhere_or_nowhere_is_told() {
    let served = Served::start();
    served.health().register("export", Check::export(&served)).unwrap();
    let is_told = |report: &otel_vitals::health::Report| report.checks[0].time.is_some();
    let report = served.wait_for(Probe::Ready, is_told);
    assert_eq!(report.status, Status::Pass);
    assert_eq!(report.checks[0].output.as_deref(), Some("the application exports, on a provider of its own"));
    drop(served);

    let _alone = alone();
    let mut config = Config::default();
    config.metrics.exporters.clear();
    let vitals = Vitals::builder().config(config).start().unwrap();
    vitals.health().register("export", Check::export(&vitals)).unwrap();
    assert!(until(|| vitals.health().report(Probe::Ready).status == Status::Pass));
    let report = vitals.health().report(Probe::Ready);
    assert_eq!(report.checks[0].output.as_deref(), Some("nothing is exported"));
    vitals.shutdown().unwrap();
}

/// Nobody listens there, so that nothing arrives.
#[test]
#[cfg(feature = "http")]
fn an_export_that_does_not_arrive_warns_and_takes_nothing_down() {
    let _alone = alone();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut config = Config::default();
    config.metrics.interval = LONG;
    config.otlp.protocol = otel_vitals::Protocol::HttpProtobuf;
    config.otlp.endpoint = Some(format!("http://{nobody}").into());
    config.otlp.timeout = Duration::from_millis(500);
    let vitals = Vitals::builder().config(config).start().unwrap();
    vitals.health().register("export", Check::export(&vitals).cache(SHORT)).unwrap();
    assert!(until(|| vitals.health().report(Probe::Ready).status == Status::Pass));
    let report = vitals.health().report(Probe::Ready);
    assert_eq!(report.checks[0].output.as_deref(), Some("nothing has been exported yet"));
    assert!(vitals.flush().is_err());
    assert!(until(|| vitals.health().report(Probe::Ready).status == Status::Warn));
    let report = vitals.health().report(Probe::Ready);
    assert!(report.reasons[0].starts_with("export: metrics do not arrive: "), "{:?}", report.reasons);
    let observed = report.checks[0].observed.clone().unwrap();
    assert_eq!((observed.measurement.as_str(), observed.unit.as_str()), ("age", "s"));
    let _ = vitals.shutdown_within(Duration::ZERO);
}
