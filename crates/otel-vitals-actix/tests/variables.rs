//! Published variables over real connections.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod wire;

use actix_web::App;
use otel_vitals::vars::Counter;
use otel_vitals_actix::routes;
use serde_json::{Value, json};
use std::sync::{Arc, Barrier};
use wire::{ask, get};

const VARS: &str = "/debug/vars";

#[test]
fn they_are_shown_as_expvar_shows_them() {
    let started = wire::vitals(|config| config.monitor.debug = true);
    let requests = Counter::new();
    requests.add(3);
    started.vitals.vars().publish("requests", requests).unwrap();
    started.vitals.vars().publish("bad", || -> u64 { panic!("on purpose") }).unwrap();
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let answer = get(server.address, VARS);
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json; charset=utf-8"));
    answer.assert_ours();
    assert!(answer.text().starts_with("{\n\"bad\": null,\n\"build\": {") && answer.text().ends_with("\n}\n"));
    let body: Value = serde_json::from_str(answer.text()).unwrap();
    assert_eq!((&body["requests"], &body["bad"]), (&json!(3), &Value::Null));
    for name in [
        "cmdline",
        "memstats",
        "os",
        "os_cores",
        "uptime_seconds",
        "rust_version",
        "tasks",
        "last_pause",
        "build",
    ] {
        assert!(body.get(name).is_some(), "{name}");
    }
    // Another look, of which numbers may have more digits.
    let head = ask(server.address, "HEAD", VARS, &[]);
    let length: usize = head.header("content-length").parse().unwrap();
    assert!(head.body.is_empty() && length.abs_diff(answer.body.len()) < 200, "{length}");
    assert_eq!(ask(server.address, "POST", VARS, &[]).status, 405);
}

#[test]
fn they_are_off_by_default() {
    let started = wire::vitals(|_| {});
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    assert_eq!(get(server.address, VARS).status, 404);
}

/// Four may look at once. Whoever waits for a closure that never returns is told so; the workers go on.
#[test]
fn a_closure_that_never_returns_holds_up_nobody_else() {
    let started = wire::vitals(|config| config.monitor.debug = true);
    let gate = Arc::new(Barrier::new(5));
    let closed = Arc::clone(&gate);
    started.vitals.vars().publish("stuck", move || closed.wait().is_leader()).unwrap();
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let address = server.address;
    let asking: Vec<_> = (0..6).map(|_| std::thread::spawn(move || get(address, VARS))).collect();
    for _ in 0..100 {
        assert_eq!(get(address, "/status/health").status, 200);
    }
    for asked in asking {
        let answer = asked.join().unwrap();
        assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
        answer.assert_ours();
    }
    // The four that are stuck go on when they can.
    gate.wait();
    assert!(started.vitals.vars().remove("stuck"));
    wire::until("an answer", || get(address, VARS).status == 200);
}
