//! What probes are told of checks: by kind, criticality, and where the service is in its life.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod served;

use otel_vitals::health::{
    Check, ComponentType, Kind, MAX_CHECKS, ObservedValue, Outcome, Probe, RegisterError, Status,
};
use otel_vitals::{Config, Error, Vitals};
use served::{LONG, SHORT, Served, alone, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::SystemTime;

const NOT_YET: &str = "has not run yet";

/// A check that says what the switch says, again and again.
fn switched(switch: &Arc<AtomicBool>) -> Check {
    let switch = Arc::clone(switch);
    let ask = move || {
        let on = switch.load(Ordering::SeqCst);
        async move { if on { Ok(()) } else { Err("off") } }
    };
    Check::new(ask).cache(SHORT)
}

/// One that never answers.
fn silent() -> Check {
    Check::new(std::future::pending::<()>).timeout(LONG)
}

#[test]
fn without_checks_everything_passes() {
    let served = Served::start();
    for probe in Probe::ALL {
        let report = served.health().report(*probe);
        assert_eq!((report.status, report.reasons.len(), report.checks.len()), (Status::Pass, 0, 0));
    }
}

#[test]
fn a_check_is_told_with_what_it_observed() {
    let served = Served::start();
    let ask = || async { Ok::<_, String>(Outcome::warn("slow").observed("responseTime", 1.5, "ms")) };
    let before = SystemTime::now();
    served.health().register("store", Check::new(ask).component(ComponentType::Datastore)).unwrap();
    let report = served.wait_for_status(Probe::Ready, Status::Warn);
    assert_eq!(report.reasons, ["store: slow"]);
    let check = &report.checks[0];
    assert_eq!((check.name.as_str(), check.kind, check.critical), ("store", Kind::Readiness, true));
    assert_eq!((check.status, check.component_type), (Status::Warn, ComponentType::Datastore));
    assert_eq!(check.output.as_deref(), Some("slow"));
    let observed = check.observed.as_ref().unwrap();
    assert_eq!((observed.measurement.as_str(), observed.unit.as_str()), ("responseTime", "ms"));
    assert_eq!(observed.value, ObservedValue::Float(1.5));
    assert!(check.duration.is_some());
    assert!(check.time.unwrap() >= before && check.time.unwrap() <= SystemTime::now());
    for probe in [Probe::Live, Probe::Startup] {
        assert!(served.health().report(probe).checks.is_empty(), "it is of another kind");
    }
}

#[test]
fn what_has_not_run_yet_fails_readiness_and_start_and_spares_the_living() {
    let served = Served::start();
    for (kind, probe, status) in [
        (Kind::Liveness, Probe::Live, Status::Warn),
        (Kind::Readiness, Probe::Ready, Status::Fail),
        (Kind::Startup, Probe::Startup, Status::Fail),
    ] {
        served.health().register(kind.as_str(), silent().kind(kind)).unwrap();
        let report = served.health().report(probe);
        assert_eq!(report.status, status);
        assert_eq!(report.reasons, [format!("{kind}: {NOT_YET}")]);
        let check = &report.checks[0];
        assert_eq!((check.time, check.duration, &check.observed), (None, None, &None));
        assert!(served.health().remove(kind.as_str()));
    }
}

#[test]
fn only_what_is_critical_fails_the_probe() {
    let served = Served::start();
    let (vital, other) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    served.health().register("other", switched(&other).non_critical()).unwrap();
    served.health().register("vital", switched(&vital)).unwrap();
    // One that has not run yet warns, too.
    let report = served.wait_for(Probe::Ready, |report| report.reasons == ["other: off"]);
    assert_eq!(report.status, Status::Warn);
    assert_eq!(
        report.checks.iter().map(|check| check.status).collect::<Vec<_>>(),
        [Status::Fail, Status::Pass]
    );
    vital.store(false, Ordering::SeqCst);
    let report = served.wait_for_status(Probe::Ready, Status::Fail);
    assert_eq!(report.reasons, ["vital: off"], "the other is no reason to fail");
    vital.store(true, Ordering::SeqCst);
    other.store(true, Ordering::SeqCst);
    let report = served.wait_for_status(Probe::Ready, Status::Pass);
    assert!(report.reasons.is_empty());
}

#[test]
fn readiness_waits_for_a_start_which_is_passed_once() {
    let served = Served::start();
    let (started, runs) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (counted, switch) = (Arc::clone(&runs), Arc::clone(&started));
    let ask = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let on = switch.load(Ordering::SeqCst);
        async move { if on { Ok(()) } else { Err("no tables") } }
    };
    served.health().register("migrations", Check::new(ask).kind(Kind::Startup).cache(SHORT)).unwrap();
    served.wait_for(Probe::Startup, |report| report.reasons == ["migrations: no tables"]);
    let ready = served.health().report(Probe::Ready);
    assert_eq!(ready.reasons, ["startup has not passed: migrations: no tables"]);
    assert_eq!(ready.status, Status::Fail);
    assert_eq!(served.health().report(Probe::Live).status, Status::Pass);

    started.store(true, Ordering::SeqCst);
    served.wait_for_status(Probe::Startup, Status::Pass);
    assert_eq!(served.health().report(Probe::Ready).status, Status::Pass);
    let after = runs.load(Ordering::SeqCst);
    started.store(false, Ordering::SeqCst);
    // Others go on to run meanwhile.
    let others = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&others);
    let other = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready(())
    };
    served.health().register("other", Check::new(other).cache(SHORT)).unwrap();
    assert!(until(|| others.load(Ordering::SeqCst) > 10));
    assert_eq!(runs.load(Ordering::SeqCst), after);
    assert_eq!(served.health().report(Probe::Startup).status, Status::Pass);
}

#[test]
fn a_start_that_is_not_critical_holds_nothing_up() {
    let served = Served::start();
    let ask = || async { Err::<(), _>("cold") };
    served.health().register("cache", Check::new(ask).kind(Kind::Startup).non_critical()).unwrap();
    served.wait_for(Probe::Startup, |report| report.reasons == ["cache: cold"]);
    assert_eq!(served.health().report(Probe::Startup).status, Status::Warn);
    assert_eq!(served.health().report(Probe::Ready).status, Status::Pass);
}

#[test]
fn from_the_beginning_of_a_shutdown_the_service_is_not_ready_but_alive() {
    let served = Served::start();
    let on = Arc::new(AtomicBool::new(true));
    served.health().register("live", switched(&on).kind(Kind::Liveness)).unwrap();
    served.health().register("ready", switched(&on)).unwrap();
    served.wait_for_status(Probe::Ready, Status::Pass);
    served.wait_for_status(Probe::Live, Status::Pass);
    let health = served.health().clone();
    assert!(!health.is_shutting_down());
    health.begin_shutdown();
    assert!(served.health().is_shutting_down());
    let report = health.report(Probe::Ready);
    assert_eq!((report.status, report.reasons), (Status::Fail, vec!["shutting down".to_owned()]));
    assert_eq!(report.checks[0].status, Status::Pass);
    assert_eq!(health.report(Probe::Live).status, Status::Pass);
    assert_eq!(health.report(Probe::Startup).status, Status::Pass);
}

/// The last export is asked for under way whether the service is ready.
#[test]
fn a_shutdown_is_told_before_the_last_export() {
    use opentelemetry::metrics::MeterProvider as _;
    let pipeline = test_harness::InMemory::new();
    let served = Served::on(pipeline.provider().clone(), Config::default());
    served.health().register("ready", || async {}).unwrap();
    served.wait_for_status(Probe::Ready, Status::Pass);
    let (health, seen) = (served.health().clone(), Arc::new(AtomicBool::new(false)));
    let noted = Arc::clone(&seen);
    let callback = move |_: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
        let report = health.report(Probe::Ready);
        noted.store(report.reasons == ["shutting down"], Ordering::SeqCst);
    };
    pipeline.provider().meter("test").u64_observable_gauge("a").with_callback(callback).build();
    served.shutdown().unwrap();
    assert!(seen.load(Ordering::SeqCst));
}

#[test]
fn after_a_shutdown_the_last_answers_stand() {
    let served = Served::start();
    served.health().register("live", Check::new(|| async {}).kind(Kind::Liveness)).unwrap();
    served.wait_for_status(Probe::Live, Status::Pass);
    served.shutdown().unwrap();
    let report = served.health().report(Probe::Live);
    assert_eq!((report.status, report.checks.len()), (Status::Pass, 1));
    let error = served.health().register("late", || async {}).unwrap_err();
    assert!(matches!(error, RegisterError::Stopped), "{error}");
}

#[test]
fn a_name_is_there_and_is_there_once() {
    let served = Served::start();
    let health = served.health();
    for name in ["", "  "] {
        let error = health.register(name, || async {}).unwrap_err();
        assert!(matches!(error, RegisterError::EmptyName), "{error}");
    }
    health.register("store", || async {}).unwrap();
    let error = health.register("store", || async { Err::<(), _>("another") }).unwrap_err();
    assert_eq!(error.to_string(), r#"there is a health check "store" already"#);
    served.wait_for_status(Probe::Ready, Status::Pass);
    assert!(health.remove("store"));
    assert!(!health.remove("store"));
    assert!(health.report(Probe::Ready).checks.is_empty());
    health.register("store", || async { Err::<(), _>("another") }).unwrap();
    served.wait_for(Probe::Ready, |report| report.reasons == ["store: another"]);
}

#[test]
fn there_are_so_many_and_those_that_were_removed_and_hang_count() {
    let served = Served::start();
    let health = served.health();
    let running = Arc::new(AtomicUsize::new(0));
    for number in 0..MAX_CHECKS {
        let running = Arc::clone(&running);
        let ask = move || {
            running.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>()
        };
        health.register(number.to_string(), Check::new(ask).timeout(LONG)).unwrap();
    }
    assert!(until(|| running.load(Ordering::SeqCst) == MAX_CHECKS));
    for name in ["more", "0"] {
        // The place of one that was removed is free once it has answered, which this one never does.
        let error = health.register("more", || async {}).unwrap_err();
        assert!(matches!(error, RegisterError::TooMany { limit: MAX_CHECKS }), "{error}");
        health.remove(name);
    }
    assert_eq!(health.report(Probe::Ready).checks.len(), MAX_CHECKS - 1);
}

#[test]
fn checks_may_be_there_from_the_start_and_a_wrong_one_starts_nothing() {
    let _alone = alone();
    let builder = || {
        let mut config = Config::default();
        config.metrics.exporters.clear();
        Vitals::builder().config(config)
    };
    for names in [["a", "a"], ["a", ""]] {
        let builder = names.iter().fold(builder(), |builder, name| builder.health_check(*name, || async {}));
        let error = builder.start().unwrap_err();
        assert!(matches!(error, Error::HealthCheck(_)), "{error}");
    }
    // So that another may start.
    let vitals = builder().health_check("a", || async {}).health_check("b", || async {}).start().unwrap();
    assert!(until(|| vitals.health().report(Probe::Ready).status == Status::Pass));
    let names: Vec<_> =
        vitals.health().report(Probe::Ready).checks.into_iter().map(|check| check.name).collect();
    assert_eq!(names, ["a", "b"]);
    vitals.shutdown().unwrap();
}

#[test]
fn with_disabled_vitals_probes_are_answered_all_the_same() {
    let mut config = Config::default();
    config.disabled = true;
    let served = Served::on(opentelemetry_sdk::metrics::SdkMeterProvider::default(), config);
    served.health().register("store", || async { Err::<(), _>("away") }).unwrap();
    served.wait_for(Probe::Ready, |report| report.reasons == ["store: away"]);
}
