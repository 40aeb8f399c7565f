//! The workers of the application are stuck, a check hangs, and two hundred clients probe.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

mod wire;

use actix_web::{App, HttpResponse, web};
use otel_vitals::health::{Check, Kind};
use otel_vitals_actix::{AdminServer, routes};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Barrier, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Of a server of `serve!`.
const WORKERS: usize = 2;
const CLIENTS: usize = 200;
/// Within which the admin server answers: those that it must not wait for never end.
const AT_ONCE: Duration = Duration::from_secs(5);

#[test]
fn probes_are_answered_while_the_workers_are_stuck_and_a_check_hangs() {
    let started = wire::vitals(|_| {});
    let vitals = &started.vitals;
    let (asked, asking) = mpsc::channel();
    let hangs = move || {
        let _ = asked.send(());
        std::future::pending::<()>()
    };
    let hangs = Check::new(hangs).kind(Kind::Liveness).timeout(Duration::from_secs(3600));
    vitals.health().register("hangs", hangs).unwrap();
    vitals
        .health()
        .register("blocks", Check::new(|| async { thread::sleep(Duration::from_secs(3600)) }))
        .unwrap();
    let admin = AdminServer::bind(vitals, ([127, 0, 0, 1], 0).into()).unwrap();
    let gate = Arc::new(Gate::default());
    let (mounted, waiting) = (routes(vitals), Arc::clone(&gate));
    let server = serve!({
        let gate = Arc::clone(&waiting);
        let stuck = move || {
            gate.wait();
            std::future::ready(HttpResponse::Ok())
        };
        App::new().configure(mounted.clone()).route("/stuck", web::get().to(stuck))
    });
    let application = server.address;
    let stuck: Vec<_> = (0..WORKERS).map(|_| ask_to_be_stuck(application)).collect();
    gate.wait_for(WORKERS);
    asking.recv_timeout(wire::DEADLINE).unwrap();

    // The application's own routes are stuck with it.
    let mut stream = TcpStream::connect(application).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    stream.write_all(b"GET /status/health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(stream.read(&mut [0; 1]).is_err(), "no worker is stuck");

    let slowest = slowest_of(admin.address());
    println!("the slowest of {CLIENTS} probes took {slowest:?}");
    assert!(slowest <= AT_ONCE, "the slowest of {CLIENTS} probes took {slowest:?}");

    gate.open();
    drop(stuck);
    admin.stop();
}

/// How long the slowest of so many clients, who all ask at once, waited for an answer.
fn slowest_of(address: SocketAddr) -> Duration {
    const PATHS: [&str; 3] = ["/status/health", "/status/live", "/status/ready"];
    let ready = Arc::new(Barrier::new(CLIENTS));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let ready = Arc::clone(&ready);
            thread::spawn(move || {
                let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
                stream.get_ref().set_read_timeout(Some(wire::DEADLINE)).unwrap();
                ready.wait();
                let started = Instant::now();
                let path = PATHS[client % PATHS.len()];
                write!(stream.get_mut(), "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
                let mut status = String::new();
                stream.read_line(&mut status).unwrap();
                let took = started.elapsed();
                // The check that has not answered yet is none that failed, but readiness waits for it.
                let expected = if path == "/status/ready" { "HTTP/1.1 503 " } else { "HTTP/1.1 200 " };
                assert!(status.starts_with(expected), "{path}: {status}");
                took
            })
        })
        .collect();
    clients.into_iter().map(|client| client.join().unwrap()).max().unwrap()
}

/// Connections are given to the workers in turns.
fn ask_to_be_stuck(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    stream
}

/// What the workers wait at.
#[derive(Default)]
struct Gate {
    state: Mutex<(usize, bool)>,
    changed: Condvar,
}

impl Gate {
    fn wait(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |(_, open)| !*open).unwrap());
    }

    fn wait_for(&self, waiting: usize) {
        let state = self.state.lock().unwrap();
        let deadline = Duration::from_secs(30);
        let (state, _) = self.changed.wait_timeout_while(state, deadline, |(now, _)| *now < waiting).unwrap();
        assert_eq!(state.0, waiting, "workers that are stuck");
    }

    fn open(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
}
