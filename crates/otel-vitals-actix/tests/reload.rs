//! Servers that end and begin again, with the same vitals and with others.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod wire;

use actix_web::App;
use otel_vitals::vars::Counter;
use otel_vitals_actix::{AdminServer, routes};
use std::net::TcpStream;
use wire::{get, until};

#[test]
fn a_server_can_be_stopped_and_another_started_with_the_same_vitals() {
    let started = wire::vitals(|config| config.monitor.debug = true);
    started.vitals.vars().publish("kept", Counter::new()).unwrap();
    let mounted = routes(&started.vitals);
    for _ in 0..3 {
        let mounted = mounted.clone();
        let server = serve!(App::new().configure(mounted.clone()));
        assert_eq!(get(server.address, "/status/health").text(), "OK");
        assert!(get(server.address, "/debug/vars").text().contains("\"kept\": 0"));
        until("both workers", || started.vitals.runtimes().len() == 2);
        assert_eq!(started.vitals.runtimes(), ["actix-worker-0", "actix-worker-1"]);
        let address = server.address;
        server.stop();
        assert!(TcpStream::connect(address).is_err());
        until("the end of the workers", || started.vitals.runtimes().is_empty());
    }
}

#[test]
fn vitals_that_are_started_again_obey_what_is_configured_then() {
    for (prefix, debug) in [("", true), ("/internal", false), ("/other", true)] {
        let started = wire::vitals(move |config| {
            config.monitor.prefix = prefix.to_owned();
            config.monitor.debug = debug;
        });
        let mounted = routes(&started.vitals);
        let server = serve!(App::new().configure(mounted.clone()));
        let admin = AdminServer::bind(&started.vitals, ([127, 0, 0, 1], 0).into()).unwrap();
        for address in [server.address, admin.address()] {
            assert_eq!(get(address, &format!("{prefix}/status/health")).status, 200);
            assert_eq!(get(address, &format!("{prefix}/debug/vars")).status, if debug { 200 } else { 404 });
            if !prefix.is_empty() {
                assert_eq!(get(address, "/status/health").status, 404);
            }
        }
        admin.stop();
    }
}

/// What is mounted may outlive the vitals that it was made of: it answers, with what was known last.
#[test]
fn routes_answer_after_the_vitals_have_been_shut_down() {
    let started = wire::vitals(|config| config.monitor.debug = true);
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    assert_eq!(get(server.address, "/status/ready").status, 200);
    started.vitals.shutdown().unwrap();
    assert_eq!(get(server.address, "/status/health").status, 200);
    assert_eq!(get(server.address, "/status/live").status, 200);
    assert_eq!(get(server.address, "/status/ready").status, 503);
    for path in ["/status/hardware/disk", "/status/hardware/ram", "/status/hardware/cpu", "/debug/vars"] {
        let answer = get(server.address, path);
        assert!(matches!(answer.status, 200 | 503), "{path}: {}", answer.status);
    }
}
