//! `init`: at once, once, and as the environment says.

use end_to_end::{Behaviour, Launch, PATIENCE, Peer, closed_port, procfs, wait_until};
use std::fs::File;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::programs::{ACTIX, PLAIN, plain};

/// The contract: `init` does not wait for anything outside of the process. Whoever does waits for seconds; what `init` itself takes is
/// for `cargo bench -p benches --bench footprint` to say.
const AT_ONCE: Duration = Duration::from_secs(1);

#[test]
fn nobody_listens() {
    at_once(|launch| launch.grpc(closed_port()));
    at_once(|launch| launch.http(closed_port()));
}

#[test]
fn nobody_listens_with_tls() {
    at_once(|launch| launch.grpc(closed_port().replace("http:", "https:")));
    at_once(|launch| launch.http(closed_port().replace("http:", "https:")));
}

/// The authorities that the system trusts are many: they are read once `init` has returned. Here they are in a pipe, and whoever opens
/// that waits until somebody writes.
#[test]
fn authorities_of_the_system_are_not_waited_for() {
    for over in [Launch::grpc, Launch::http] {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("authorities.pem");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let launch = over(plain(), closed_port().replace("http:", "https:"));
        let subject = launch.env("SSL_CERT_FILE", pipe.to_string_lossy()).start();
        subject.init().clone().ok();
        let (opened, is_read) = mpsc::channel();
        thread::spawn(move || opened.send(File::create(pipe)));
        is_read.recv_timeout(PATIENCE).expect("somebody who reads the authorities").unwrap();
    }
}

#[test]
fn nobody_answers() {
    let peer = Peer::start(Behaviour::Silent);
    at_once(|launch| launch.grpc(peer.endpoint()));
    at_once(|launch| launch.http(peer.endpoint()));
}

#[test]
fn nobody_has_that_name() {
    at_once(|launch| launch.grpc("http://collector.invalid:4317"));
    at_once(|launch| launch.http("http://collector.invalid:4318"));
}

/// The best of a few fresh processes, because anything can delay one on a busy machine; no more are started than it
/// takes.
fn at_once(to: impl Fn(Launch) -> Launch) {
    for program in [PLAIN, ACTIX] {
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let launch = to(Launch::new(program)).env("OTEL_METRIC_EXPORT_INTERVAL", "3600000");
            best = best.min(launch.start().init().clone().ok().took);
            if best <= AT_ONCE {
                break;
            }
        }
        println!("{program}: init took {best:?} at best");
        assert!(best <= AT_ONCE, "init took {best:?} at best");
    }
}

#[test]
fn a_second_init_is_an_error() {
    let mut subject = plain().grpc(closed_port()).start();
    let answer = subject.tell("init");
    assert!(answer.is("AlreadyInitialized"), "{answer:?}");
    assert_eq!(answer.error.as_deref(), Some("otel-vitals is already running in this process"));
}

#[test]
fn switched_off() {
    // Without an exporter pauses are watched all the same, and the heap is sampled, for who asks in the program itself.
    for (key, value, threads) in [("OTEL_SDK_DISABLED", "true", 1), ("OTEL_METRICS_EXPORTER", "none", 3)] {
        let peer = Peer::start(Behaviour::Silent);
        let mut subject = plain().grpc(peer.endpoint()).env(key, value).start();
        subject.init().clone().ok();
        assert_eq!(procfs::threads(subject.pid()), threads, "{key}={value} starts threads");
        for command in ["count 1", "count-global 1", "flush", "shutdown", "flush"] {
            subject.tell(command).ok();
        }
        let watched = || (procfs::threads(subject.pid()) == 1).then_some(());
        wait_until("the watch to end", watched);
        assert!(subject.finish().success());
        assert_eq!(peer.connections(), 0, "{key}={value} connects");
    }
}

#[test]
fn to_the_console() {
    let peer = Peer::start(Behaviour::Silent);
    let mut subject = plain().grpc(peer.endpoint()).env("OTEL_METRICS_EXPORTER", "console").start();
    subject.tell("count 3").ok();
    subject.tell("flush").ok();
    subject.tell("shutdown").ok();
    subject.finish();
    let output = subject.output();
    for name in ["subject.count", "process.cpu.time", "system.memory.usage"] {
        assert!(output.contains(name), "no {name} on the console:\n{output}");
    }
    assert_eq!(peer.connections(), 0);
}

#[test]
fn to_the_console_and_a_collector() {
    let peer = Peer::start(Behaviour::Http { status: 200, retry_after: None });
    let mut subject = plain().http(peer.endpoint()).env("OTEL_METRICS_EXPORTER", "otlp,console").start();
    subject.tell("flush").ok();
    subject.tell("shutdown").ok();
    subject.finish();
    assert!(subject.output().contains("process.cpu.time"));
    assert!(!peer.requests().is_empty());
}

/// One exporter that fails does not take the other with it.
#[test]
fn to_the_console_while_the_collector_is_away() {
    let mut subject = plain()
        .http(closed_port())
        .env("OTEL_METRICS_EXPORTER", "otlp,console")
        .env("OTEL_METRIC_EXPORT_TIMEOUT", "1000")
        .start();
    let answer = subject.tell("flush");
    assert!(answer.is("Export") || answer.is("Timeout"), "{answer:?}");
    subject.finish();
    assert!(subject.output().contains("process.cpu.time"), "{}", subject.output());
}

#[test]
fn a_wrong_environment_starts_nothing() {
    let wrong = [
        ("OTEL_METRIC_EXPORT_INTERVAL", "soon"),
        ("OTEL_METRICS_EXPORTER", "carrier-pigeon"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "smoke-signals"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "not an address"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "sometimes"),
    ];
    for (key, value) in wrong {
        let mut subject = plain().grpc("https://localhost:1").env(key, value).start();
        let answer = subject.init().clone();
        assert!(answer.is("Config"), "{key}={value}: {answer:?}");
        let error = answer.error.unwrap();
        assert!(error.contains(key) && error.contains(value), "{error:?} does not say what is wrong");
        assert!(subject.finish().success());
    }
}

#[test]
fn a_wrong_file_starts_nothing() {
    let mut subject = plain().file("vitals.yaml", "metrics:\n  intervall: 10s\n").start();
    let answer = subject.init().clone();
    assert!(answer.is("Config"), "{answer:?}");
    let error = answer.error.unwrap();
    for part in ["vitals.yaml", "2", "intervall", "interval"] {
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
    assert!(subject.finish().success());
}
