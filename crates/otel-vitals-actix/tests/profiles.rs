//! Profiles over HTTP, as Go answers them and as Go's tools ask.
#![cfg(feature = "profiling")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod wire;

use actix_web::App;
use actix_web::middleware::Compress;
use flate2::read::GzDecoder;
use otel_vitals::Config;
use otel_vitals_actix::{AdminServer, routes};
use std::io::Read as _;
use std::net::SocketAddr;
use std::time::Duration;
use wire::{Answer, ask, get, raw, vitals};

#[global_allocator]
static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();

const SNAPSHOTS: [&str; 7] = ["heap", "allocs", "threadcreate", "tasks", "goroutine", "block", "mutex"];
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn with_profiles(config: &mut Config) {
    config.monitor.pprof = true;
}

fn of(address: SocketAddr, place: &str) -> Answer {
    get(address, &format!("/debug/pprof/{place}"))
}

/// What is in the file, which is read to its end with its checksum.
fn unzipped(answer: &Answer) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut decoder = GzDecoder::new(answer.body.as_slice());
    decoder.read_to_end(&mut bytes).unwrap_or_else(|error| panic!("{error}: {:?}", answer.headers));
    assert!(decoder.into_inner().is_empty(), "and nothing behind it");
    bytes
}

#[track_caller]
fn assert_profile(answer: &Answer, name: &str) {
    assert_eq!(answer.assert_ours().status, 200, "{name}: {:?}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("content-type"), "application/octet-stream");
    assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"{name}\""));
    assert_eq!(answer.header("content-encoding"), "identity");
    assert!(!unzipped(answer).is_empty(), "{name}");
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, text: &str) {
    assert_eq!((answer.assert_ours().status, answer.text()), (status, format!("{text}\n").as_str()));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.header("x-go-pprof"), "1");
}

#[test]
fn each_is_answered_as_go_answers_it() {
    let started = vitals(with_profiles);
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    assert_profile(&of(server.address, "profile?seconds=1"), "profile");
    for name in SNAPSHOTS {
        assert_profile(&of(server.address, name), name);
        assert_profile(&of(server.address, &format!("{name}?debug=0&gc=1&seconds=")), name);
        let text = of(server.address, &format!("{name}?debug=1&gc=1"));
        assert_eq!(text.assert_ours().header("content-type"), "text/plain; charset=utf-8");
        assert!(text.status == 200 && text.text().contains("profile"), "{name}: {}", text.text());
        assert!(text.all("content-disposition").is_empty() && text.all("x-go-pprof").is_empty());
    }
    for name in ["heap", "block"] {
        let difference = of(server.address, &format!("{name}?seconds=1"));
        assert_profile(&difference, &format!("{name}-delta"));
    }
    let old = b"GET /debug/pprof/heap?seconds=1 HTTP/1.0\r\n\r\n";
    assert_profile(&raw(server.address, old), "heap-delta");
}

#[test]
fn what_is_asked_wrongly_is_refused_in_the_words_of_go() {
    let started = vitals(|config| {
        with_profiles(config);
        config.profiling.max_duration = Duration::from_secs(5);
    });
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let longer = "6 seconds are more than profiling.max_duration, which is 5s";
    let invalid = "invalid value for \"seconds\" - must be a positive integer";
    let incompatible = "seconds and debug params are incompatible";
    let frequency = "invalid value for \"hz\" - must be from 1 to 1000";
    for (place, text) in [
        ("profile?seconds=6", longer),
        ("heap?seconds=6", longer),
        ("mutex?seconds=0", invalid),
        ("heap?seconds=x", invalid),
        ("goroutine?seconds=1&debug=1", incompatible),
        ("profile?seconds=1&hz=1001", frequency),
    ] {
        assert_refused(&of(server.address, place), 400, text);
        let head = ask(server.address, "HEAD", &format!("/debug/pprof/{place}"), &[]);
        assert_eq!((head.status, head.header("x-go-pprof")), (400, "1"), "{place}");
    }
}

#[test]
fn a_head_has_the_headers_and_takes_no_profile() {
    let started = vitals(with_profiles);
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    for (place, name) in [
        ("profile?seconds=60", "profile"),
        ("heap", "heap"),
        ("allocs?seconds=60", "allocs-delta"),
        ("goroutine", "goroutine"),
    ] {
        // Twice: the first would be in the way of the second.
        for _ in 0..2 {
            let head = ask(server.address, "HEAD", &format!("/debug/pprof/{place}"), &[]);
            assert_eq!((head.assert_ours().status, head.body.len()), (200, 0), "{place}");
            assert_eq!(head.header("content-disposition"), format!("attachment; filename=\"{name}\""));
            assert!(head.all("content-length").is_empty(), "nobody knows how long it would be");
        }
    }
    let text = ask(server.address, "HEAD", "/debug/pprof/heap?debug=1", &[]);
    assert_eq!((text.status, text.body.len()), (200, 0));
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
}

#[test]
fn symbols_are_asked_for_by_get_and_post() {
    let started = vitals(with_profiles);
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let address = symbols_are_asked_for_by_get_and_post as fn() as usize + 1;
    let asked = format!("{address:#x}+0x1");
    let posted = |body: &str| {
        let length = body.len();
        let head = "POST /debug/pprof/symbol HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
        raw(server.address, format!("{head}Content-Length: {length}\r\n\r\n{body}").as_bytes())
    };
    for answer in [of(server.address, &format!("symbol?{asked}")), posted(&asked)] {
        assert_eq!(answer.assert_ours().status, 200);
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert!(answer.text().starts_with("num_symbols: 1\n"), "{}", answer.text());
        let name = "profiles::symbols_are_asked_for_by_get_and_post";
        assert!(answer.text().contains(&format!("{address:#x} {name}")), "{}", answer.text());
    }
    assert_eq!(posted("").text(), "num_symbols: 1\n");
    let most = 64 << 10;
    assert_eq!(posted(&"+".repeat(most)).status, 200);
    let more = posted(&"+".repeat(most + 1));
    assert_refused(&more, 413, "no more than 64 KiB are read at a time");
    let head = "POST /debug/pprof/symbol HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    let broken = raw(server.address, format!("{head}Transfer-Encoding: chunked\r\n\r\nx\r\n").as_bytes());
    assert_refused(&broken, 400, "the body cannot be read");
    let put = ask(server.address, "PUT", "/debug/pprof/symbol", &[]);
    assert_refused(&put, 405, "only GET, HEAD and POST are answered here");
    assert_eq!(put.header("allow"), "GET, HEAD, POST");
    for place in ["", "/heap", "/profile", "/symbol/"] {
        let answer = ask(server.address, "POST", &format!("/debug/pprof{place}"), &[("Content-Length", "0")]);
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"), "{place}");
        assert_eq!(answer.header("x-go-pprof"), "1", "{place}");
    }
}

#[test]
fn what_compresses_leaves_them_as_they_are() {
    let started = vitals(with_profiles);
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().wrap(Compress::default()).configure(mounted.clone()));
    let gzip = [("Accept-Encoding", "gzip")];
    for (place, name) in [("threadcreate", "threadcreate"), ("profile?seconds=1", "profile")] {
        assert_profile(&ask(server.address, "GET", &format!("/debug/pprof/{place}"), &gzip), name);
    }
    let index = ask(server.address, "GET", "/debug/pprof/", &gzip);
    assert_eq!(index.header("content-encoding"), "gzip", "it does compress");
}

#[test]
fn they_are_behind_the_gate_below_the_prefix_and_on_the_admin_server() {
    let started = vitals(|config| {
        with_profiles(config);
        config.monitor.prefix = "/in".to_owned();
        config.monitor.security = true;
        config.monitor.security_token = ["s3cr3t"].into_iter().collect();
    });
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let admin = AdminServer::bind(&started.vitals, ANY).unwrap();
    let known = [("Authorization", "Bearer s3cr3t")];
    for address in [server.address, admin.address()] {
        for place in ["heap", "profile?seconds=1", "symbol?0x1", "nothing"] {
            assert_eq!(get(address, &format!("/in/debug/pprof/{place}")).status, 401, "{place}");
            assert_eq!(ask(address, "POST", &format!("/in/debug/pprof/{place}"), &[]).status, 401, "{place}");
            assert_eq!(get(address, &format!("/debug/pprof/{place}")).status, 404, "{place}");
        }
        assert_profile(&ask(address, "GET", "/in/debug/pprof/heap", &known), "heap");
        assert_profile(&ask(address, "GET", "/in/debug/pprof/profile?seconds=1", &known), "profile");
        // Who has failed too often is answered nothing more.
        assert_eq!(ask(address, "GET", "/in/debug/pprof/symbol?0x1", &known).status, 200);
    }
}

#[test]
fn without_the_switch_there_are_none() {
    let started = vitals(|_| {});
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    for place in SNAPSHOTS.iter().chain(&["profile", "symbol", "flamegraph", "cmdline"]) {
        assert_eq!(of(server.address, place).status, 404, "{place}");
    }
}

#[test]
fn the_index_says_what_there_is_with_links_that_answer() {
    let started = vitals(|config| {
        with_profiles(config);
        config.profiling.max_duration = Duration::from_secs(1);
    });
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let index = get(server.address, "/debug/pprof/");
    let links: Vec<_> =
        index.text().split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    for name in SNAPSHOTS.iter().chain(&["profile", "symbol", "cmdline"]) {
        assert!(links.contains(&format!("/debug/pprof/{name}").as_str()), "{name}: {links:?}");
    }
    for link in links.iter().filter(|link| !link.contains("seconds=")) {
        assert_eq!(ask(server.address, "HEAD", &link.replace("&#38;", "&"), &[]).status, 200, "{link}");
    }
    assert!(index.text().contains("A profile takes 1s at most"));
}

#[cfg(feature = "flamegraph")]
#[test]
fn a_flame_graph_is_a_picture_of_cpu_time_or_the_heap() {
    let started = vitals(with_profiles);
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    for (place, title) in [
        ("flamegraph?seconds=1", "CPU time"),
        ("flamegraph?profile=heap", "Heap"),
        ("flamegraph?profile=allocs", "Allocations"),
        ("flamegraph?profile=heap&seconds=1", "Growth of the heap"),
        ("flamegraph?profile=allocs&seconds=1", "New allocations"),
    ] {
        let answer = of(server.address, place);
        assert_eq!(answer.assert_ours().status, 200, "{place}");
        assert_eq!(answer.header("content-type"), "image/svg+xml");
        assert_eq!(answer.header("content-encoding"), "identity");
        let text = answer.text();
        assert!(text.starts_with("<?xml ") && text.matches("<?xml ").count() == 1, "{place}");
        assert!(text.contains("<svg ") && text.trim_end().ends_with("</svg>"), "{place}");
        assert!(text.contains(&format!(">{title}<")), "{place}: {text}");
    }
    let wrong = "invalid value for \"seconds\" - must be a positive integer";
    assert_refused(&of(server.address, "flamegraph?profile=heap&seconds=0"), 400, wrong);
    let wrong = "invalid value for \"profile\" - must be cpu, heap or allocs";
    assert_refused(&of(server.address, "flamegraph?profile=threads"), 400, wrong);
}

#[cfg(not(feature = "flamegraph"))]
#[test]
fn without_the_feature_a_flame_graph_says_what_it_would_take() {
    let started = vitals(with_profiles);
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let text = "this program is built without the feature flamegraph of otel-vitals-actix";
    assert_refused(&of(server.address, "flamegraph?seconds=1"), 404, text);
}
