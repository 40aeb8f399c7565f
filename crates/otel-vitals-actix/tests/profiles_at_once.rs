//! Profiles that are asked for at the same time, and by clients that go away.
#![cfg(all(unix, feature = "profiling"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod wire;

use actix_web::App;
use otel_vitals::{Config, Error, profiling};
use otel_vitals_actix::{AdminServer, routes};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;
use tokio::runtime::Builder;
use wire::{DEADLINE, get, until, vitals};

#[global_allocator]
static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const BUSY: &str = "a CPU profile is being taken already, and only one is at a time\n";

fn with_profiles(config: &mut Config) {
    config.monitor.pprof = true;
    config.profiling.max_duration = Duration::from_secs(600);
}

/// Asks, and returns when the answer has begun.
fn begin(address: SocketAddr, place: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(stream, "GET /debug/pprof/{place} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut begun = Vec::new();
    while !begun.windows(3).any(|bytes| bytes == [0x1f, 0x8b, 8]) {
        let mut more = [0; 512];
        let count = stream.read(&mut more).unwrap();
        assert_ne!(count, 0, "{}", String::from_utf8_lossy(&begun));
        begun.extend_from_slice(&more[..count]);
    }
    assert!(begun.starts_with(b"HTTP/1.1 200 OK\r\n"));
    stream
}

/// Closes the connection without a word of farewell.
fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
}

#[test]
fn a_second_cpu_profile_is_refused_at_once_whoever_takes_the_first() {
    let started = vitals(with_profiles);
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let runtime = Builder::new_current_thread().build().unwrap();
    let vitals = started.vitals.clone();
    let take = || vitals.record_cpu(None, Duration::from_secs(600), |profile| profile.pprof());

    let first = begin(server.address, "profile?seconds=600");
    for place in ["profile?seconds=1", "profile?seconds=1&hz=997"] {
        let second = get(server.address, &format!("/debug/pprof/{place}"));
        assert_eq!((second.assert_ours().status, second.text()), (409, BUSY));
        assert_eq!(second.header("x-go-pprof"), "1");
    }
    let error = runtime.block_on(take()).unwrap_err();
    assert!(matches!(error, Error::Profile(profiling::Error::Busy)), "{error:?}");
    assert_eq!(get(server.address, "/debug/pprof/heap").status, 200, "others are answered");
    drop(first);

    let mut ours = None;
    until("the first ends", || {
        ours = runtime.block_on(take()).ok();
        ours.is_some()
    });
    let second = get(server.address, "/debug/pprof/profile?seconds=1");
    assert_eq!((second.status, second.text()), (409, BUSY));
    let ours = ours.unwrap();
    ours.end();
    assert!(runtime.block_on(ours).is_ok());
    until("another can begin", || get(server.address, "/debug/pprof/profile?seconds=1").status == 200);
}

#[test]
fn a_profile_ends_when_its_client_has_gone() {
    let started = vitals(with_profiles);
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let admin = AdminServer::bind(&started.vitals, ANY).unwrap();
    for address in [server.address, admin.address()] {
        for leave in [drop, reset] {
            leave(begin(address, "profile?seconds=600"));
            until("the next can begin", || get(address, "/debug/pprof/profile?seconds=1").status == 200);
        }
    }
}

#[test]
fn a_client_that_only_says_no_more_still_gets_its_profile() {
    let started = vitals(with_profiles);
    let admin = AdminServer::bind(&started.vitals, ANY).unwrap();
    let mut stream = TcpStream::connect(admin.address()).unwrap();
    stream.write_all(b"GET /debug/pprof/profile?seconds=2 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let answer = wire::exchange(&mut stream, b"");
    let mut profile = Vec::new();
    flate2::read::GzDecoder::new(answer.body.as_slice()).read_to_end(&mut profile).unwrap();
    assert!(answer.status == 200 && !profile.is_empty());
}

#[test]
fn a_shutdown_does_not_wait_for_profiles_but_ends_them_with_what_they_have() {
    let started = vitals(with_profiles);
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let mut waiting = ["profile", "heap"].map(|name| begin(server.address, &format!("{name}?seconds=600")));
    started.vitals.health().begin_shutdown();
    for stream in &mut waiting {
        let mut rest = Vec::new();
        while !rest.ends_with(b"\r\n0\r\n\r\n") {
            let mut more = [0; 4096];
            let count = stream.read(&mut more).unwrap();
            assert_ne!(count, 0, "it was cut off");
            rest.extend_from_slice(&more[..count]);
        }
    }
    drop(waiting);
    let after = get(server.address, "/debug/pprof/profile?seconds=1");
    assert_eq!(after.status, 200, "what is asked for meanwhile is taken");
}

#[test]
fn no_more_than_two_differences_wait_at_a_time_and_those_end_with_their_clients() {
    let started = vitals(with_profiles);
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let waiting = ["heap", "allocs"].map(|name| begin(server.address, &format!("{name}?seconds=600")));
    let third = get(server.address, "/debug/pprof/heap?seconds=1");
    assert_eq!((third.assert_ours().status, third.header("x-go-pprof")), (503, "1"));
    assert!(third.header("retry-after").parse::<u32>().is_ok());
    assert_eq!(get(server.address, "/debug/pprof/heap").status, 200, "what does not wait is answered");
    drop(waiting);
    until("there is room again", || get(server.address, "/debug/pprof/heap?seconds=1").status == 200);
}

#[test]
fn who_asks_by_the_hundred_is_answered_or_told_to_come_later() {
    let started = vitals(with_profiles);
    let admin = AdminServer::bind(&started.vitals, ANY).unwrap();
    let address = admin.address();
    let asking: Vec<_> = (0..100)
        .map(|_| std::thread::spawn(move || get(address, "/debug/pprof/threadcreate").status))
        .collect();
    let statuses: Vec<_> = asking.into_iter().map(|asking| asking.join().unwrap()).collect();
    assert!(
        statuses.contains(&200) && statuses.iter().all(|status| matches!(status, 200 | 503)),
        "{statuses:?}"
    );
    until("later", || get(address, "/debug/pprof/threadcreate").status == 200);
}
