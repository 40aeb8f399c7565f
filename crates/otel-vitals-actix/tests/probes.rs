//! The three probes over real connections.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod wire;

use actix_web::App;
use otel_vitals::health::{Check, ComponentType, Kind, Outcome, Probe, Status};
use otel_vitals_actix::routes;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use wire::{Answer, ask, get, until};

const PROBES: [&str; 3] = ["/status/live", "/status/ready", "/status/startup"];

fn body(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), "application/health+json");
    answer.assert_ours();
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn without_checks_they_pass_and_say_which_service_it_is() {
    let started = wire::vitals(|config| {
        config.service.name = Some("shop".to_owned());
        config.service.version = Some("1.2.3".to_owned());
    });
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    for probe in PROBES {
        let answer = get(server.address, probe);
        assert_eq!(answer.status, 200);
        let expected =
            json!({"status": "pass", "version": "1.2.3", "releaseId": "1.2.3", "serviceId": "shop"});
        assert_eq!(body(&answer), expected);

        let head = ask(server.address, "HEAD", probe, &[]);
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), answer.body.len().to_string());
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
            let refused = ask(server.address, method, probe, &[]);
            assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD"), "{method}");
            refused.assert_ours();
        }
    }
}

#[test]
fn a_check_is_told_with_all_that_it_says() {
    let started = wire::vitals(|_| {});
    let health = started.vitals.health();
    let queue = || async { Outcome::warn("the queue is long").observed("length", 1_200, "{message}") };
    health.register("queue", Check::new(queue).component(ComponentType::System)).unwrap();
    health.register("store", Check::new(|| async {}).component(ComponentType::Datastore)).unwrap();
    until("both checks", || {
        let report = health.report(Probe::Ready);
        report.checks.iter().all(|check| check.time.is_some())
    });
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let answer = get(server.address, "/status/ready");
    assert_eq!(answer.status, 200);
    let mut body = body(&answer);
    assert_eq!((&body["status"], &body["output"]), (&json!("warn"), &json!("queue: the queue is long")));

    let time = body["checks"]["queue:length"][0]["time"].take();
    assert!(time.as_str().is_some_and(|time| time.len() == 24 && time.ends_with('Z')), "{time}");
    assert_eq!(
        body["checks"]["queue:length"],
        json!([{
            "componentId": "queue", "componentType": "system", "kind": "readiness", "critical": true,
            "status": "warn", "observedValue": 1_200, "observedUnit": "{message}", "time": null,
            "output": "the queue is long",
        }])
    );
    let store = &body["checks"]["store:responseTime"][0];
    assert_eq!((&store["componentType"], &store["observedUnit"]), (&json!("datastore"), &json!("ms")));
    assert!(store["observedValue"].as_f64().is_some() && store.get("output").is_none(), "{store}");
    assert_eq!(
        self::body(&get(server.address, "/status/live")).get("checks"),
        None,
        "they are of another probe"
    );
}

#[test]
fn what_fails_is_503_with_the_reasons() {
    let started = wire::vitals(|_| {});
    let health = started.vitals.health();
    let fails = |why: &'static str| Check::new(move || async move { Err::<(), _>(why) });
    health.register("alive", fails("dead").kind(Kind::Liveness)).unwrap();
    health.register("db", fails("no route")).unwrap();
    health.register("cache", fails("cold").non_critical()).unwrap();
    health.register("migrations", fails("half").kind(Kind::Startup)).unwrap();
    let failed = |probe| health.report(probe).checks.iter().all(|check| check.time.is_some());
    until("all checks", || Probe::ALL.iter().copied().all(failed));
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    for (probe, reasons) in PROBES.into_iter().zip([["alive: dead"], ["db: no route"], ["migrations: half"]])
    {
        let answer = get(server.address, probe);
        let body = body(&answer);
        assert_eq!((answer.status, &body["status"]), (503, &json!("fail")), "{probe}");
        let output = body["output"].as_str().unwrap();
        assert!(reasons.iter().all(|reason| output.contains(reason)), "{probe}: {output}");
    }
    assert_eq!(get(server.address, "/status/health").status, 200, "the heartbeat asks nobody");
}

#[test]
fn readiness_fails_before_the_start_has_passed_and_from_the_beginning_of_the_end() {
    let started = wire::vitals(|_| {});
    let health = started.vitals.health();
    let tries = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&tries);
    let warm = move || {
        let tries = asked.fetch_add(1, Ordering::SeqCst);
        async move { if tries == 0 { Err("cold") } else { Ok(()) } }
    };
    health.register("warm", Check::new(warm).kind(Kind::Startup).cache(Duration::from_millis(50))).unwrap();
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let statuses = || PROBES.map(|probe| get(server.address, probe).status);
    until("the start", || {
        let [live, ready, startup] = statuses();
        assert_eq!(live, 200);
        // Readiness is asked first and may be the older answer of the two.
        assert!(ready == 503 || startup == 200, "ready before the start has passed");
        (ready, startup) == (200, 200)
    });
    assert!(tries.load(Ordering::SeqCst) >= 2);
    health.begin_shutdown();
    assert_eq!(statuses(), [200, 503, 200]);
    let ready = body(&get(server.address, "/status/ready"));
    assert_eq!(ready["output"], "shutting down");
    assert_eq!(health.report(Probe::Ready).status, Status::Fail);
}

#[test]
fn a_storm_of_probes_is_no_storm_of_checks() {
    let started = wire::vitals(|_| {});
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let check = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async {}
    };
    let check = Check::new(check).cache(Duration::from_secs(24 * 3600));
    started.vitals.health().register("counted", check).unwrap();
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    until("the first run", || get(server.address, "/status/ready").status == 200);
    for _ in 0..1_000 {
        assert_eq!(get(server.address, "/status/ready").status, 200);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1, "its answer holds for a day");
}
