//! Receivers that are silent, refuse, fail and hang up: no flush, shutdown or drop outlasts its bound.

use end_to_end::{Answer, Behaviour, Launch, Peer, Subject, closed_port};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::programs::{MAINS, PLAIN};

/// Set as the bound of a flush; far below the ten seconds of a single export, which stay as they are.
const FLUSH: Duration = Duration::from_secs(4);
/// The bound of a shutdown and of the drop of the last handle.
const SHUTDOWN: Duration = Duration::from_secs(5);
/// What a busy machine may add; less than a bound, so that waiting for two in a row is seen, and with one less than a single export.
const SLACK: Duration = Duration::from_millis(3_500);

#[test]
fn silent_over_grpc() {
    every_main(|launch| {
        let peer = Peer::start(Behaviour::Silent);
        (launch.grpc(peer.endpoint()), Some(peer))
    });
}

#[test]
fn silent_over_http() {
    every_main(|launch| {
        let peer = Peer::start(Behaviour::Silent);
        (launch.http(peer.endpoint()), Some(peer))
    });
}

#[test]
fn refusing() {
    every_main(|launch| (launch.grpc(closed_port()), None));
    one_main(&[()], |launch, ()| (launch.http(closed_port()), None));
}

#[test]
fn hanging_up() {
    let transports: [fn(Launch, String) -> Launch; 2] = [Launch::grpc, Launch::http];
    one_main(&transports, |launch, over| {
        let peer = Peer::start(Behaviour::HangsUp);
        (over(launch, peer.endpoint()), Some(peer))
    });
}

#[test]
fn failing_over_http() {
    let answers = [(500, None), (503, Some(1)), (503, Some(3600)), (429, Some(1)), (400, None)];
    one_main(&answers, |launch, &(status, retry_after)| {
        let peer = Peer::start(Behaviour::Http { status, retry_after });
        (launch.http(peer.endpoint()), Some(peer))
    });
}

#[test]
fn failing_over_grpc() {
    let (invalid_argument, resource_exhausted, unavailable) = (3, 8, 14);
    one_main(&[invalid_argument, resource_exhausted, unavailable], |launch, &status| {
        let peer = Peer::start(Behaviour::Grpc { status });
        (launch.grpc(peer.endpoint()), Some(peer))
    });
}

/// A machine that vanished without a word leaves a connection that looks alive for a quarter of an hour. Who took its
/// place is found with the next export.
#[test]
fn replaced_by_another() {
    let peer = Peer::start(Behaviour::Replaced);
    let launch = Launch::new(PLAIN).grpc(peer.endpoint()).env("OTEL_METRIC_EXPORT_INTERVAL", "3600000");
    let mut subject = launch.env("OTEL_EXPORTER_OTLP_TIMEOUT", "5000").start();
    let answer = subject.tell("flush");
    assert!(answer.is("Timeout") || answer.is("Export"), "{answer:?}");
    subject.tell("flush").ok();
    assert!(peer.connections() >= 2, "the one that took its place was not asked");
}

/// The application's own callback hangs, and with it every collection.
#[test]
fn a_callback_that_never_returns() {
    let bounded = |end| {
        let launch = Launch::new(PLAIN).grpc(closed_port());
        let mut subject = launch.env("OTEL_METRIC_EXPORT_TIMEOUT", FLUSH.as_millis().to_string()).start();
        subject.tell("hang").ok();
        let answer = subject.tell("flush");
        assert!(answer.is("Timeout"), "{answer:?}");
        assert!(answer.took <= FLUSH + SLACK, "a flush took {:?}", answer.took);
        let answer = subject.tell(end);
        assert!(answer.took <= SHUTDOWN + SLACK, "{end} took {:?}", answer.took);
        assert!(subject.finish().success());
    };
    thread::scope(|scope| {
        scope.spawn(|| bounded("shutdown"));
        scope.spawn(|| bounded("drop"));
    });
}

#[test]
fn an_error_says_why() {
    for launch in [Launch::new(PLAIN).grpc(closed_port()), Launch::new(PLAIN).http(closed_port())] {
        let answer = launch.start().tell("flush");
        let error = answer.error.unwrap_or_default();
        assert!(error.contains("Connection refused"), "{error:?}");
    }
}

/// A server that asks for time is asked again, and not before that time.
#[test]
fn asked_again_after_the_time_it_asked_for() {
    let peer = Peer::start(Behaviour::Http { status: 503, retry_after: Some(1) });
    let launch = Launch::new(PLAIN).http(peer.endpoint());
    let mut subject = launch.env("OTEL_METRIC_EXPORT_INTERVAL", "3600000").start();
    let answer = subject.tell("flush");
    assert!(answer.is("Export") || answer.is("Timeout"), "{answer:?}");
    assert!(peer.requests().len() >= 2, "asked {} times", peer.requests().len());
    assert!(answer.took >= Duration::from_secs(1), "asked again after {:?}", answer.took);
}

/// The program without a runtime, against each of `cases`, all at the same time.
fn one_main<Case: Sync>(cases: &[Case], to: impl Fn(Launch, &Case) -> (Launch, Option<Peer>) + Sync) {
    thread::scope(|scope| {
        for (case, end) in cases.iter().flat_map(|case| [(case, "shutdown"), (case, "drop")]) {
            let to = &to;
            scope.spawn(move || bounded(PLAIN, end, |launch| to(launch, case)));
        }
    });
}

/// Every program, and one of them that drops its handle, all at the same time.
fn every_main(to: impl Fn(Launch) -> (Launch, Option<Peer>) + Sync) {
    thread::scope(|scope| {
        for program in MAINS {
            let to = &to;
            scope.spawn(move || bounded(program, "shutdown", to));
        }
        scope.spawn(|| bounded(PLAIN, "drop", &to));
    });
}

/// `flush`, `end` and the end of the process all come in time, and the program itself notices nothing.
fn bounded(program: &str, end: &str, to: impl Fn(Launch) -> (Launch, Option<Peer>)) {
    let name = Path::new(program).file_name().unwrap().to_string_lossy();
    let (launch, _peer) =
        to(Launch::new(program).env("OTEL_METRIC_EXPORT_TIMEOUT", FLUSH.as_millis().to_string()));
    let mut subject = launch.start();
    subject.init().clone().ok();
    for _ in 0..2 {
        let answer = subject.tell("flush");
        assert!(answer.is("Export") || answer.is("Timeout"), "{name}: {answer:?}");
        assert!(answer.took <= FLUSH + SLACK, "{name}: a flush took {:?}", answer.took);
        subject.tell("count 1").ok();
    }
    let answer = subject.tell(end);
    assert!(answer.took <= SHUTDOWN + SLACK, "{name}: {end} took {:?}", answer.took);
    assert_ended(&mut subject, end, &answer, &name);
}

fn assert_ended(subject: &mut Subject, end: &str, answer: &Answer, name: &str) {
    match end {
        "shutdown" => assert!(answer.is("Export") || answer.is("Timeout"), "{name}: {answer:?}"),
        _ => assert_eq!(answer.error, None, "{name}: a drop fails"),
    }
    let status = subject.finish();
    assert!(status.success(), "{name} ended with {status}:\n{}", subject.output());
}
