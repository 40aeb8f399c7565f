//! A million heartbeats leave nothing behind.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

mod wire;

use actix_web::{App, HttpServer};
use otel_vitals_actix::routes;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};
use wire::DEADLINE;

#[global_allocator]
static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();

const HEARTBEATS: usize = 1_000_000;
const LONG: Duration = Duration::from_secs(3_600);
/// So many clients, because one waits for the other side's acknowledgements most of the time.
const CLIENTS: usize = 40;
/// Requests that each sends before it reads the answers.
const AT_ONCE: usize = 500;
const REQUEST: &[u8] = b"GET /status/health HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn memory_is_flat_over_a_million_heartbeats() {
    let started = wire::vitals(|config| config.metrics.pauses.enabled = false);
    let (vitals, mounted) = (&started.vitals, routes(&started.vitals));
    let server = wire::serve_at("127.0.0.1:0", move |listener| {
        let server = HttpServer::new(move || App::new().configure(mounted.clone())).workers(2);
        // Clients may have to wait for a core longer than a server waits for clients.
        let server = server.keep_alive(LONG).client_request_timeout(LONG).disable_signals();
        Ok(server.shutdown_timeout(1).listen(listener)?.run())
    });
    ask(server.address, HEARTBEATS / 10);
    let before = vitals.memstats();
    ask(server.address, HEARTBEATS);
    // What a connection held is let go a moment after its end.
    let deadline = Instant::now() + DEADLINE;
    let (after, grown, kept) = loop {
        let after = vitals.memstats();
        let grown = after.heap_alloc as i64 - before.heap_alloc as i64;
        let kept = after.heap_objects as i64 - before.heap_objects as i64;
        let is_flat = grown < HEARTBEATS as i64 && kept < HEARTBEATS as i64 / 1_000;
        if is_flat || Instant::now() >= deadline {
            assert!(is_flat, "{grown} bytes in {kept} blocks are left of {HEARTBEATS} heartbeats");
            break (after, grown, kept);
        }
        thread::sleep(Duration::from_millis(5));
    };
    println!("{grown} bytes and {kept} blocks more");
    // What an answer allocates is no more than what actix does for one.
    let each = (after.mallocs - before.mallocs) as f64 / HEARTBEATS as f64;
    assert!(each < 12.0, "{each} allocations a heartbeat");
}

/// So many heartbeats in all, over connections that have ended then: what they hold depends on how much arrives at once.
fn ask(address: SocketAddr, heartbeats: usize) {
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(move || {
                let mut client = Client::connect(address);
                client.ask(heartbeats / CLIENTS);
                client.end();
            });
        }
    });
}

/// Counts answers by their length, which is the same for all: the date in them has one length as well.
struct Client {
    stream: TcpStream,
    requests: Vec<u8>,
    answers: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(REQUEST).unwrap();
        let mut answer = Vec::with_capacity(1024);
        while !answer.ends_with(b"\r\n\r\nOK") {
            let mut some = [0; 256];
            let read = stream.read(&mut some).unwrap();
            answer.extend_from_slice(&some[..read]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
        Client { stream, requests: REQUEST.repeat(AT_ONCE), answers: vec![0; answer.len() * AT_ONCE] }
    }

    fn ask(&mut self, heartbeats: usize) {
        for _ in 0..heartbeats / AT_ONCE {
            self.stream.write_all(&self.requests).unwrap();
            self.stream.read_exact(&mut self.answers).unwrap();
        }
        assert!(self.answers.ends_with(b"\r\n\r\nOK"));
    }

    /// Returns when the server has closed the connection, too.
    fn end(mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(self.stream.read(&mut [0]).unwrap(), 0);
    }
}
