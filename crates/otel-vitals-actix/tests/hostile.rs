//! What no client should send: ten thousand requests that are wrong in some way, and connections that never get to the end.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

#[path = "hostile/fuzz.rs"]
mod fuzz;
mod wire;

use actix_web::{App, web};
use otel_vitals::{Config, Users};
use otel_vitals_actix::routes;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fuzz::Fuzz;

/// Requests in all, by as many clients at once.
const REQUESTS: usize = 10_000;
const CLIENTS: usize = 10;

static PANICS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn nothing_that_a_client_sends_is_an_error_of_ours() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        hook(panic);
    }));
    for secure in [false, true] {
        let started = wire::vitals(move |config| configure(config, secure));
        let mounted = routes(&started.vitals);
        let server = serve!({
            let below = web::scope("/under").configure(mounted.clone());
            App::new().configure(mounted.clone()).service(below)
        });
        let held = unfinished(server.address);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let address = server.address;
                thread::spawn(move || hostile(address, client as u64 + 1, REQUESTS / CLIENTS / 2))
            })
            .collect();
        let answers: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
        // Most of what is wrong is answered all the same, some of it by a closed connection.
        assert!(answers > REQUESTS / 5, "{answers}");
        assert_eq!(
            statuses(server.address, b"GET /status/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            [200]
        );
        drop(held);
        server.stop();
    }
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
}

fn configure(config: &mut Config, secure: bool) {
    config.monitor.debug = true;
    config.monitor.pprof = true;
    // A profile takes no longer, whatever is asked.
    config.profiling.max_duration = Duration::from_secs(1);
    config.monitor.security = secure;
    config.monitor.security_user = [("admin", "secret")].into_iter().collect::<Users>();
}

/// Sends so many requests, and tells how many answers there were.
fn hostile(address: SocketAddr, seed: u64, requests: usize) -> usize {
    let mut fuzz = Fuzz::new(seed);
    let mut answers = 0;
    for _ in 0..requests {
        let request = fuzz.request();
        let statuses = statuses(address, &request);
        answers += statuses.len();
        for status in statuses {
            let shown = String::from_utf8_lossy(&request[..request.len().min(400)]).into_owned();
            assert!(status < 500 || status == 503, "{status} to {shown:?}");
        }
    }
    answers
}

/// Sends `bytes` over a connection of their own and reads to its end: the statuses of all answers.
fn statuses(address: SocketAddr, bytes: &[u8]) -> Vec<u16> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // The server may have had enough before it has read all.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            panic!("no end of the answer to {:?}", String::from_utf8_lossy(bytes))
        }
        _ => {}
    }
    let text = String::from_utf8_lossy(&answer);
    text.split("HTTP/1.").skip(1).filter_map(|rest| rest.get(2..5)?.parse().ok()).collect()
}

/// Connections that have sent half of a request, its head or its body, and send no more.
fn unfinished(address: SocketAddr) -> Vec<TcpStream> {
    const HALVES: [&[u8]; 3] = [
        b"GET /status/health HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /status/ready HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"GET /debug/vars HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello",
    ];
    (0..100)
        .map(|index| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(HALVES[index % HALVES.len()]).unwrap();
            stream
        })
        .collect()
}
