//! Who is let in, over real connections.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod wire;

use actix_web::http::header::TryIntoHeaderValue;
use actix_web::{App, HttpServer};
use actix_web_httpauth::headers::authorization::Basic;
use otel_vitals::Config;
use otel_vitals_actix::routes;
use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;
use wire::{Answer, Serving, Started, ask, get, vitals};

const DEBUG: [&str; 5] =
    ["/debug/pprof", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/heap", "/debug/vars"];
const HARDWARE: [&str; 4] =
    ["/status/hardware/disk", "/status/hardware/ram", "/status/hardware/cpu", "/status/hardware/cpu_info"];

fn secured(change: impl FnOnce(&mut Config) + Send + 'static) -> (Started, Serving) {
    let started = vitals(|config| {
        (config.monitor.debug, config.monitor.pprof, config.monitor.security) = (true, true, true);
        let hash = wire::hash("correct horse");
        let users = [("admin", "secret"), ("jörg", "größe: 5€"), ("slow", hash.as_str())];
        config.monitor.security_user = users.into_iter().collect();
        config.monitor.security_token = ["token-1", "token-2"].into_iter().collect();
        change(config);
    });
    let of_app = started.vitals.clone();
    // Each worker asks for routes of its own, as applications do.
    let server = serve!(App::new().configure(routes(&of_app)));
    (started, server)
}

fn basic(user: &str, password: &str) -> String {
    let value = Basic::new(user.to_owned(), Some(password.to_owned())).try_into_value().unwrap();
    value.to_str().unwrap().to_owned()
}

fn with(server: &Serving, path: &str, authorization: &str) -> Answer {
    ask(server.address, "GET", path, &[("Authorization", authorization)])
}

#[test]
fn with_security_all_but_the_heartbeat_needs_a_secret() {
    let (_started, server) = secured(|_| {});
    for authorization in [None, Some(("Authorization", "nonsense"))] {
        let headers: Vec<_> = authorization.into_iter().collect();
        assert_eq!(ask(server.address, "GET", "/status/health", &headers).text(), "OK");
        for probe in ["/status/live", "/status/ready", "/status/startup"] {
            assert_eq!(ask(server.address, "GET", probe, &headers).status, 200, "{probe}");
        }
    }
    for path in DEBUG.into_iter().chain(HARDWARE) {
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            let answer = ask(server.address, method, path, &[]);
            assert_eq!(answer.assert_ours().status, 401, "{method} {path}");
            let challenges = ["Basic realm=\"otel-vitals\"", "Bearer realm=\"otel-vitals\""];
            assert_eq!(answer.all("www-authenticate"), challenges);
        }
    }
    let admin = ("Authorization", basic("admin", "secret"));
    for path in DEBUG.into_iter().chain(HARDWARE) {
        let answer = ask(server.address, "GET", path, &[(admin.0, &admin.1)]);
        // The disk of who tests this may be full.
        let expected: &[u16] = match path {
            "/debug/pprof/heap" => &[404],
            path if path.contains("hardware") => &[200, 503],
            _ => &[200],
        };
        assert!(expected.contains(&answer.assert_ours().status), "{path}: {}", answer.status);
    }
    let post = ask(server.address, "POST", "/debug/pprof/cmdline", &[(admin.0, &admin.1)]);
    assert_eq!((post.status, post.header("allow")), (405, "GET, HEAD"));
}

#[test]
fn whoever_knows_a_secret_is_let_in() {
    let (_started, server) = secured(|_| {});
    let right = [
        basic("admin", "secret"),
        basic("jörg", "größe: 5€"),
        basic("slow", "correct horse"),
        basic("slow", "correct horse"),
        "Bearer token-1".to_owned(),
        "bearer token-2".to_owned(),
        basic("admin", "secret").replace("Basic", "bAsIc"),
    ];
    for authorization in right {
        assert_eq!(with(&server, "/debug/pprof/", &authorization).status, 200, "{authorization}");
    }
}

#[test]
fn whoever_does_not_is_answered_the_same_whatever_is_wrong() {
    let wrong = [
        basic("admin", "Secret"),
        basic("admin", "secret "),
        basic("admin", ""),
        basic("admin", "größe: 5€"),
        basic("", "secret"),
        basic("", ""),
        basic("nobody", "secret"),
        basic("slow", "wrong"),
        basic("slow", &wire::hash("correct horse")),
        basic(&"a".repeat(2_000), "secret"),
        "Bearer token".to_owned(),
        "Bearer token-1,token-2".to_owned(),
        "Bearer ".to_owned(),
        "Bearer secret".to_owned(),
        "Basic".to_owned(),
        "Basic !".to_owned(),
        "Basic YWRtaW4".to_owned(),
        "Digest username=\"admin\"".to_owned(),
        format!("Bearer {}", "a".repeat(20_000)),
    ];
    // A server for each few, as long as a peer may fail.
    for some in wrong.chunks(9) {
        let (_started, server) = secured(|_| {});
        let nothing = get(server.address, "/debug/pprof/");
        for authorization in some {
            let answer = with(&server, "/debug/pprof/", authorization);
            assert_eq!(answer.status, 401, "{authorization}");
            assert_eq!(answer.body, nothing.body);
            assert_eq!(names(&answer), names(&nothing));
        }
    }
}

/// In no order: the server has none.
fn names(answer: &Answer) -> Vec<&str> {
    let mut names: Vec<_> = answer.headers.iter().map(|header| header.0.as_str()).collect();
    names.sort_unstable();
    names
}

#[test]
fn two_headers_are_none() {
    let (_started, server) = secured(|_| {});
    let admin = basic("admin", "secret");
    let twice = [("Authorization", admin.as_str()), ("Authorization", admin.as_str())];
    assert_eq!(ask(server.address, "GET", "/debug/pprof/", &twice).status, 401);
}

#[test]
fn who_fails_too_often_waits_on_every_worker_and_the_heartbeat_goes_on() {
    let (_started, server) = secured(|_| {});
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(with(&server, "/debug/pprof/", "Bearer wrong").status);
    }
    // One may have been forgiven meanwhile.
    assert_eq!(statuses[..10], [401; 10]);
    assert!(statuses[10..].contains(&429), "{statuses:?}");
    wire::until("another failure", || with(&server, "/debug/pprof/", "Bearer wrong").status == 429);
    let answer = with(&server, "/debug/pprof/", &basic("admin", "secret"));
    if answer.status == 429 {
        assert!(["1", "2"].contains(&answer.assert_ours().header("retry-after")));
    }
    assert_eq!(get(server.address, "/status/health").text(), "OK");
    wire::until("forgiven", || with(&server, "/debug/pprof/", &basic("admin", "secret")).status == 200);
}

/// One whose verification takes long enough to leave meanwhile.
fn slow_hash() -> String {
    use argon2::{Argon2, ParamsBuilder, PasswordHasher};
    let parameters = ParamsBuilder::new().m_cost(16_384).t_cost(2).p_cost(1).build().unwrap();
    let hashed = Argon2::from(parameters).hash_password_with_salt(b"correct horse", b"salt of the test");
    hashed.unwrap().to_string()
}

/// Whether a thread of this process verifies a password.
fn is_hashing() -> bool {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let mut names = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok());
    names.any(|name| name.trim_end() == "vitals-hash")
}

#[test]
fn who_resets_the_connection_before_he_is_answered_has_tried() {
    let (_started, server) = secured(|config| {
        config.monitor.security_user = [("slow", slow_hash().as_str())].into_iter().collect();
    });
    let wrong = basic("slow", "wrong");
    let head = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", server.address);
    // Ten failures, of which one is forgiven every two seconds.
    wire::until_within(3 * wire::DEADLINE, "throttled", || {
        let mut client = TcpStream::connect(server.address).unwrap();
        client.write_all(format!("{}\r\n", head("/status/health")).as_bytes()).unwrap();
        client.peek(&mut [0]).unwrap();
        client
            .write_all(format!("{}Authorization: {wrong}\r\n\r\n", head("/debug/vars")).as_bytes())
            .unwrap();
        // Until it is tried, which cannot be seen everywhere: what arrives together with the end of a connection is answered to its end.
        let mut looks = 0;
        while !is_hashing() && looks < 20 {
            std::thread::sleep(Duration::from_millis(5));
            looks += 1;
        }
        // The system resets a connection that ends with something unread, here the heartbeat.
        drop(client);
        wire::until("the end of it", || !is_hashing());
        // Who shows nothing does not fail, but waits as well.
        get(server.address, "/debug/vars").status == 429
    });
}

#[test]
fn without_security_debug_is_for_this_machine() {
    let started = vitals(|config| (config.monitor.debug, config.monitor.pprof) = (true, true));
    let mounted = routes(&started.vitals);
    let server = wire::serve_at("0.0.0.0:0", move |listener| {
        let server = HttpServer::new(move || App::new().configure(mounted.clone())).workers(1);
        Ok(server.disable_signals().listen(listener)?.run())
    });
    let here = SocketAddr::from(([127, 0, 0, 1], server.address.port()));
    for path in DEBUG.iter().chain(&HARDWARE) {
        assert_ne!(get(here, path).assert_ours().status, 403, "{path}");
    }
    let evil = format!("evil.example:{}", here.port());
    for header in [
        ("Host", evil.as_str()),
        ("X-Forwarded-For", "127.0.0.1"),
        ("Forwarded", "for=127.0.0.1"),
        ("X-Real-IP", "127.0.0.1"),
        ("Via", "1.1 localhost"),
    ] {
        for path in HARDWARE {
            assert_ne!(ask(here, "GET", path, &[header]).assert_ours().status, 403, "{header:?} {path}");
        }
        for path in DEBUG {
            let answer = ask(here, "GET", path, &[header]);
            assert_eq!(answer.assert_ours().status, 403, "{header:?} {path}");
            assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
            assert!(answer.text().contains("monitor.security") && answer.text().lines().count() == 1);
        }
        assert_eq!(ask(here, "GET", "/status/health", &[header]).text(), "OK");
    }
    // A peer with another address than loopback, if this machine has one.
    if let Some(address) = other_address() {
        let there = SocketAddr::new(address, here.port());
        let spoofed = [("X-Forwarded-For", "127.0.0.1"), ("Host", "localhost")];
        for headers in [&[][..], &spoofed] {
            assert_eq!(ask(there, "GET", "/debug/pprof/", headers).status, 403, "{there}");
            assert_eq!(ask(there, "GET", "/debug/vars", headers).status, 403, "{there}");
            assert_ne!(ask(there, "GET", "/status/hardware/cpu", headers).status, 403, "{there}");
        }
        assert_eq!(get(there, "/status/health").text(), "OK");
    }
}

/// The address of this machine that others would see.
fn other_address() -> Option<std::net::IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent.
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[test]
fn an_address_that_is_mapped_to_ipv6_is_on_this_machine_too() {
    // Where there is no IPv6 there is no such address.
    if std::net::TcpListener::bind("[::]:0").is_err() {
        return;
    }
    let started = vitals(|config| config.monitor.pprof = true);
    let mounted = routes(&started.vitals);
    let server = wire::serve_at("[::]:0", move |listener| {
        let server = HttpServer::new(move || App::new().configure(mounted.clone())).workers(1);
        Ok(server.disable_signals().listen(listener)?.run())
    });
    let mapped = SocketAddr::from(([127, 0, 0, 1], server.address.port()));
    assert_eq!(get(mapped, "/debug/pprof/").status, 200);
}

#[cfg(unix)]
#[test]
fn a_unix_socket_has_no_address_that_would_let_anybody_in() {
    let started = vitals(|config| config.monitor.pprof = true);
    let mounted = routes(&started.vitals);
    let path = std::env::temp_dir().join(format!("otel-vitals-gate-{}", std::process::id()));
    let of_server = path.clone();
    let _server = wire::serve_at("127.0.0.1:0", move |_| {
        let server = HttpServer::new(move || App::new().configure(mounted.clone())).workers(1);
        Ok(server.disable_signals().bind_uds(of_server)?.run())
    });
    wire::until("a socket", || std::os::unix::net::UnixStream::connect(&path).is_ok());
    let ask = |route: &str| {
        let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
        let request = format!("GET {route} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        wire::exchange(&mut stream, request.as_bytes())
    };
    assert_eq!(ask("/status/health").text(), "OK");
    let answer = ask("/debug/pprof/");
    assert_eq!(answer.assert_ours().status, 403);
    assert!(answer.text().contains("no address"), "{answer:?}");
    std::fs::remove_file(&path).unwrap();
}
