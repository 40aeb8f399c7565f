//! Health as metrics.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod served;

use otel_vitals::Config;
use otel_vitals::health::{Check, Kind, Outcome, Probe, Status};
use served::{LONG, SHORT, Served, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use test_harness::{Collection, InMemory};

const CHECK: &str = "otel_vitals.health.check.status";
const PROBE: &str = "otel_vitals.health.probe.status";
const DURATION: &str = "otel_vitals.health.check.duration";

const FRESHNESS: Duration = Duration::from_millis(5);

fn served(pipeline: &InMemory) -> Served {
    let mut config = Config::default();
    config.metrics.freshness = FRESHNESS;
    Served::on(pipeline.provider().clone(), config)
}

/// Collects when what was read last is not fresh any more.
fn collect(pipeline: &InMemory) -> Collection {
    std::thread::sleep(2 * FRESHNESS);
    pipeline.collect()
}

/// The states of a series in which it is.
fn states(collection: &Collection, metric: &str, of: &[(&str, &str)]) -> Vec<&'static str> {
    let states = Status::ALL.iter().map(|status| status.as_str());
    let value = |state: &str| {
        let attributes: Vec<_> = of.iter().copied().chain([("otel_vitals.health.state", state)]).collect();
        collection.value(metric, &attributes)
    };
    assert!(states.clone().all(|state| matches!(value(state), Some(0.0 | 1.0))), "{metric} {of:?}");
    states.filter(|state| value(state) == Some(1.0)).collect()
}

fn check<'a>(name: &'a str, kind: &'a str) -> [(&'a str, &'a str); 2] {
    [("otel_vitals.health.check.name", name), ("otel_vitals.health.check.kind", kind)]
}

fn probe(name: &str) -> [(&str, &str); 1] {
    [("otel_vitals.health.probe.name", name)]
}

#[test]
fn where_nothing_is_checked_or_asked_nothing_is_told() {
    let pipeline = InMemory::new();
    let served = served(&pipeline);
    let _ = collect(&pipeline);
    let collection = collect(&pipeline);
    assert!(collection.metric(CHECK).is_none_or(|metric| metric.points.is_empty()));
    assert!(collection.metric(PROBE).is_none_or(|metric| metric.points.is_empty()));
    assert!(collection.metric(DURATION).is_none());
    let _ = served.health().report(Probe::Live);
    let collection = collect(&pipeline);
    for name in ["live", "ready", "startup"] {
        assert_eq!(states(&collection, PROBE, &probe(name)), ["pass"], "{name}");
    }
}

#[test]
fn each_is_in_one_state_which_is_that_of_the_report() {
    let pipeline = InMemory::new();
    let served = served(&pipeline);
    let health = served.health();
    let warns = || async { Outcome::warn("slow") };
    let fails = || async { Err::<(), _>("away") };
    health.register("a", Check::new(warns).kind(Kind::Liveness)).unwrap();
    health.register("b", Check::new(fails).non_critical()).unwrap();
    health.register("c", Check::new(|| async {}).kind(Kind::Startup)).unwrap();
    let is_told = |probe| health.report(probe).checks.iter().all(|check| check.time.is_some());
    assert!(until(|| Probe::ALL.iter().all(|probe| is_told(*probe))));
    let collection = collect(&pipeline);
    assert_eq!(states(&collection, CHECK, &check("a", "liveness")), ["warn"]);
    assert_eq!(states(&collection, CHECK, &check("b", "readiness")), ["fail"]);
    assert_eq!(states(&collection, CHECK, &check("c", "startup")), ["pass"]);
    assert_eq!(states(&collection, PROBE, &probe("live")), ["warn"]);
    assert_eq!(states(&collection, PROBE, &probe("ready")), ["warn"]);
    assert_eq!(states(&collection, PROBE, &probe("startup")), ["pass"]);
    health.begin_shutdown();
    assert_eq!(states(&collect(&pipeline), PROBE, &probe("ready")), ["fail"]);
    health.remove("b");
    let collection = collect(&pipeline);
    let names = |name: &str| {
        let points = &collection.metric(CHECK).unwrap().points;
        points.iter().filter(|point| point.attributes["otel_vitals.health.check.name"] == name).count()
    };
    assert_eq!((names("a"), names("b"), names("c")), (3, 0, 3));
}

#[test]
fn readiness_fails_in_metrics_too_until_the_start_has_passed() {
    let pipeline = InMemory::new();
    let served = served(&pipeline);
    let never = Check::new(std::future::pending::<()>).kind(Kind::Startup).timeout(LONG);
    served.health().register("c", never).unwrap();
    let collection = collect(&pipeline);
    for name in ["ready", "startup"] {
        assert_eq!(states(&collection, PROBE, &probe(name)), ["fail"], "{name}");
    }
    assert_eq!(states(&collection, PROBE, &probe("live")), ["pass"]);
}

#[test]
fn each_run_is_one_duration() {
    let pipeline = InMemory::new();
    let served = served(&pipeline);
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let ask = move || {
        let run = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            if run > 5 {
                std::future::pending::<()>().await;
            }
        }
    };
    served.health().register("b", Check::new(ask).cache(SHORT).timeout(LONG)).unwrap();
    assert!(until(|| runs.load(Ordering::SeqCst) == 7));
    let collection = collect(&pipeline);
    let metric = collection.metric(DURATION).unwrap();
    assert_eq!((metric.unit.as_str(), metric.points.len()), ("s", 1));
    let point = &metric.points[0];
    assert_eq!(point.count, Some(6));
    assert!(point.value > 0.0);
    let of = check("b", "readiness").map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(point.attributes, of.into_iter().collect());
}

#[test]
fn switched_off_there_is_nothing_of_it() {
    let pipeline = InMemory::new();
    let mut config = Config::default();
    config.metrics.health = false;
    let served = Served::on(pipeline.provider().clone(), config);
    served.health().register("b", || async {}).unwrap();
    served.wait_for_status(Probe::Ready, Status::Pass);
    let collection = collect(&pipeline);
    assert!(collection.metrics.iter().all(|metric| !metric.name.starts_with("otel_vitals.health.")));
}
