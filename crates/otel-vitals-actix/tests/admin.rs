//! The server that answers while the service does not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod wire;

use actix_web::{App, web};
use otel_vitals_actix::{AdminError, AdminServer, routes};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Barrier};
use std::time::Duration;
use wire::{DEADLINE, ask, get, until, vitals};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn refuses(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err()
}

#[test]
fn it_has_the_routes_until_it_is_stopped_or_dropped() {
    let started = vitals(|config| config.monitor.pprof = true);
    for stop in [true, false] {
        let admin = AdminServer::bind(&started.vitals, ANY).unwrap();
        let address = admin.address();
        assert_eq!(get(address, "/status/health").assert_ours().text(), "OK");
        assert_eq!(get(address, "/debug/pprof/").status, 200);
        assert_eq!(get(address, "/none").status, 404);
        assert!(started.vitals.runtimes().is_empty(), "it is none of the service's");
        if stop {
            admin.stop()
        } else {
            drop(admin)
        }
        assert!(refuses(address));
    }
}

#[test]
fn it_is_where_the_configuration_says() {
    let started = vitals(|config| config.monitor.admin.address = ANY);
    let admin = AdminServer::start(&started.vitals).unwrap();
    assert!(admin.address().ip().is_loopback());
    assert_eq!(get(admin.address(), "/status/health").text(), "OK");
}

#[test]
fn an_address_that_is_taken_is_an_error_that_names_it() {
    let taken = TcpListener::bind(ANY).unwrap();
    let address = taken.local_addr().unwrap();
    let started = vitals(move |config| config.monitor.admin.address = address);
    let error = AdminServer::start(&started.vitals).unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    let AdminError::Bind { address: told, source, .. } = error else { panic!("{error:?}") };
    assert_eq!((told, source.kind()), (address, std::io::ErrorKind::AddrInUse));
}

#[test]
fn it_answers_while_all_workers_of_the_service_are_stuck() {
    let started = vitals(|_| {});
    let mounted = routes(&started.vitals);
    let (stuck, free) = (Arc::new(Barrier::new(3)), Arc::new(Barrier::new(3)));
    let of_app = (Arc::clone(&stuck), Arc::clone(&free));
    let server = serve!({
        let (stuck, free) = of_app.clone();
        let block = move || {
            let (stuck, free) = (Arc::clone(&stuck), Arc::clone(&free));
            async move {
                // Without an await: the worker stands still.
                stuck.wait();
                free.wait();
                "free"
            }
        };
        App::new().configure(mounted.clone()).route("/block", web::get().to(block))
    });
    let admin = AdminServer::bind(&started.vitals, ANY).unwrap();
    let address = server.address;
    // Connections go to the workers in turn.
    let blocked: Vec<_> = (0..2).map(|_| std::thread::spawn(move || get(address, "/block"))).collect();
    stuck.wait();
    let mut unanswered = TcpStream::connect(address).unwrap();
    unanswered.write_all(b"GET /status/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    for _ in 0..50 {
        assert_eq!(get(admin.address(), "/status/health").text(), "OK");
    }
    unanswered.set_nonblocking(true).unwrap();
    assert!(unanswered.read(&mut [0]).is_err(), "the service answers nothing");
    free.wait();
    for blocked in blocked {
        assert_eq!(blocked.join().unwrap().text(), "free");
    }
}

#[test]
fn it_starts_in_any_runtime() {
    let started = vitals(|_| {});
    let vitals = started.vitals.clone();
    let ask = move || {
        let admin = AdminServer::bind(&vitals, ANY).unwrap();
        let answer = get(admin.address(), "/status/health");
        admin.stop();
        answer.text().to_owned()
    };
    let of_tokio = ask.clone();
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(tokio.block_on(async move { of_tokio() }), "OK");
    assert_eq!(actix_web::rt::System::new().block_on(async move { ask() }), "OK");
}

/// As many as may look at once.
#[test]
fn variables_that_never_return_lock_nobody_out() {
    let gate = Arc::new(Barrier::new(5));
    let closed = Arc::clone(&gate);
    let hash = wire::hash("password");
    let started = vitals(move |config| {
        config.monitor.debug = true;
        config.monitor.security = true;
        config.monitor.security_user = [("hashed", &hash), ("other", &hash)].into_iter().collect();
    });
    started.vitals.vars().publish("stuck", move || closed.wait().is_leader()).unwrap();
    let admin = AdminServer::bind(&started.vitals, ANY).unwrap();
    let address = admin.address();
    let as_hashed = [("Authorization", "Basic aGFzaGVkOnBhc3N3b3Jk")];
    let asking: Vec<_> = (0..4)
        .map(|_| std::thread::spawn(move || ask(address, "GET", "/debug/vars", &as_hashed).status))
        .collect();
    for asked in asking {
        assert_eq!(asked.join().unwrap(), 503);
    }
    // One of another name than what is remembered.
    let as_other = [("Authorization", "Basic b3RoZXI6cGFzc3dvcmQ=")];
    let answer = ask(address, "GET", "/status/hardware/ram", &as_other);
    // Whatever is told of the memory of who tests this; who is locked out is told nothing of it.
    assert!(matches!(answer.status, 200 | 503), "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8", "{answer:?}");
    gate.wait();
    admin.stop();
}

/// A body in chunks that has no end, as a `GET` and as a `POST`, and one that is announced and does not come.
#[test]
fn who_never_ends_a_body_does_not_hold_connections() {
    const BODIES: [&str; 2] =
        ["Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "Content-Length: 10\r\n\r\nhello"];
    let started = vitals(|config| config.monitor.debug = true);
    let admin = AdminServer::bind(&started.vitals, ANY).unwrap();
    let mut endless = Vec::new();
    for path in ["/status/health", "/status/ready", "/debug/vars", "/nothing"] {
        for method in ["GET", "POST"] {
            for body in BODIES {
                let mut stream = TcpStream::connect(admin.address()).unwrap();
                write!(stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{body}").unwrap();
                endless.push(stream);
            }
        }
    }
    // Half of them go on to send, a little at a time.
    let mut turn = 0;
    until("all are gone", || {
        turn += 1;
        endless.retain_mut(|stream| {
            stream.set_nonblocking(true).unwrap();
            turn += 1;
            if turn % 2 == 0 {
                let _ = stream.write(b"1\r\na\r\n");
            }
            loop {
                match stream.read(&mut [0; 4096]) {
                    Ok(0) => return false,
                    Ok(_) => {}
                    Err(error) => return error.kind() == ErrorKind::WouldBlock,
                }
            }
        });
        endless.is_empty()
    });
    admin.stop();
}

#[test]
fn who_holds_connections_and_says_nothing_does_not_hold_them_for_ever() {
    let started = vitals(|_| {});
    let admin = AdminServer::bind(&started.vitals, ANY).unwrap();
    let address = admin.address();
    let mut silent: Vec<_> = (0..300).map(|_| TcpStream::connect(address).unwrap()).collect();
    for (index, stream) in silent.iter_mut().enumerate() {
        if index % 2 == 0 {
            stream.write_all(b"GET /status/health HTTP/1.1\r\nX-Slow: ").unwrap();
        }
    }
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE + Duration::from_secs(20))).unwrap();
    let ask = b"GET /status/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert_eq!(wire::exchange(&mut stream, ask).text(), "OK", "as soon as some of them are gone");
    until("all are gone", || {
        silent.retain_mut(|stream| {
            stream.set_nonblocking(true).unwrap();
            !matches!(stream.read(&mut [0; 512]), Ok(0))
        });
        silent.is_empty()
    });
    admin.stop();
}
