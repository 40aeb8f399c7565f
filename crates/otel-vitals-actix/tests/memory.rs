//! A million heartbeats leave nothing behind.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

mod wire;

use actix_web::App;
use otel_vitals_actix::routes;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;

#[global_allocator]
static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();

const HEARTBEATS: usize = 1_000_000;
/// So many clients, because one waits for the other side's acknowledgements most of the time.
const CLIENTS: usize = 40;
/// Requests that each sends before it reads the answers.
const AT_ONCE: usize = 500;
const REQUEST: &[u8] = b"GET /status/health HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn memory_is_flat_over_a_million_heartbeats() {
    let started = wire::vitals(|config| config.metrics.pauses.enabled = false);
    let (vitals, mounted) = (&started.vitals, routes(&started.vitals));
    let server = serve!(App::new().configure(mounted.clone()));
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::connect(server.address)).collect();
    ask(&mut clients, HEARTBEATS / 10);
    let before = vitals.memstats();
    ask(&mut clients, HEARTBEATS);
    let after = vitals.memstats();

    // How large the buffers of actix are depends on how much arrives at once: some hundred KiB, however many heartbeats there were.
    let grown = after.heap_alloc as i64 - before.heap_alloc as i64;
    assert!(grown < HEARTBEATS as i64, "{grown} bytes more, which is one a heartbeat");
    let kept = after.heap_objects as i64 - before.heap_objects as i64;
    assert!(kept < HEARTBEATS as i64 / 1_000, "{kept} blocks more, which is one in a thousand heartbeats");
    println!("{grown} bytes and {kept} blocks more");
    // What an answer allocates is no more than what actix does for one.
    let each = (after.mallocs - before.mallocs) as f64 / HEARTBEATS as f64;
    assert!(each < 12.0, "{each} allocations a heartbeat");
}

/// So many heartbeats in all.
fn ask(clients: &mut [Client], heartbeats: usize) {
    let each = heartbeats / clients.len();
    thread::scope(|scope| {
        for client in clients {
            scope.spawn(move || client.ask(each));
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
}
