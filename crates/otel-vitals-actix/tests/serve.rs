//! In which order a server ends. The server is in a process of its own, because signals are for a whole process.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test that cannot go on fails")]

mod wire;

use actix_web::{App, HttpServer, web};
use otel_vitals_actix::{routes, serve};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Lines};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use wire::{DEADLINE, get, until};

/// Set in the process that serves: how many milliseconds it drains.
const DRAIN: &str = "OTEL_VITALS_TEST_DRAIN";

/// Not a test of its own: what the process that serves does.
#[test]
fn the_process_that_serves() {
    let Ok(drain) = std::env::var(DRAIN) else { return };
    let drain = Duration::from_millis(drain.parse().unwrap());
    let started = wire::vitals(move |config| config.monitor.drain = drain);
    let mounted = routes(&started.vitals);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let health = started.vitals.health().clone();
    let app = move || {
        let health = health.clone();
        let is_ready = move || {
            let ends = health.is_shutting_down();
            async move { if ends { "ends" } else { "goes on" } }
        };
        App::new()
            .configure(mounted.clone())
            .route("/slow", web::get().to(slow))
            .route("/shutdown", web::get().to(is_ready))
    };
    let ended = actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(app).workers(1).shutdown_timeout(20).disable_signals();
        let server = server.listen(listener).unwrap().run();
        println!("\nserves {address}");
        serve(server, &started.vitals).await
    });
    println!("\nended {}", ended.is_ok());
}

async fn slow() -> &'static str {
    println!("\nbegun");
    actix_web::rt::time::sleep(Duration::from_millis(500)).await;
    "slow"
}

struct Service {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
}

impl Service {
    /// Serves, and drains for as long.
    fn start(drain: Duration) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_process_that_serves", "--nocapture", "--test-threads=1"])
            .env(DRAIN, drain.as_millis().to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = told(&mut lines, "serves ").parse().unwrap();
        let service = Service { process, lines, address };
        // It listens to signals as soon as it answers.
        assert_eq!(get(address, "/status/health").text(), "OK");
        service
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Waits for the end, which must be a good one.
    #[track_caller]
    fn ended(mut self) {
        assert_eq!(told(&mut self.lines, "ended "), "true");
        until("the end of the process", || self.process.try_wait().unwrap().is_some());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The rest of the next line that begins so.
#[track_caller]
fn told(lines: &mut Lines<BufReader<ChildStdout>>, beginning: &str) -> String {
    let mut rest =
        lines.map(|line| line.unwrap()).filter_map(|line| line.strip_prefix(beginning).map(str::to_owned));
    rest.next().unwrap_or_else(|| panic!("it ended before it said {beginning:?}"))
}

const LONG: Duration = Duration::from_secs(600);

#[test]
fn it_goes_on_to_serve_while_it_drains_and_ends_then() {
    const DRAINS: Duration = Duration::from_secs(5);
    let service = Service::start(DRAINS);
    assert_eq!(get(service.address, "/shutdown").text(), "goes on");
    let since = Instant::now();
    service.signal(Signal::TERM);
    until("readiness fails", || get(service.address, "/shutdown").text() == "ends");
    // Far from its end, which a busy machine may see late.
    while since.elapsed() < DRAINS / 5 {
        assert_eq!(get(service.address, "/status/health").text(), "OK");
    }
    service.ended();
    assert!(since.elapsed() >= DRAINS, "not before that");
}

#[test]
fn what_is_being_answered_is_answered() {
    let mut service = Service::start(Duration::ZERO);
    let address = service.address;
    let slow = std::thread::spawn(move || get(address, "/slow"));
    told(&mut service.lines, "begun");
    service.signal(Signal::TERM);
    assert_eq!(slow.join().unwrap().text(), "slow");
    service.ended();
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for second in [Signal::TERM, Signal::INT] {
        let service = Service::start(LONG);
        service.signal(Signal::TERM);
        // Until the first was seen they would be one.
        until("the first was seen", || get(service.address, "/shutdown").text() == "ends");
        service.signal(second);
        let since = Instant::now();
        service.ended();
        assert!(since.elapsed() < DEADLINE);
    }
}

#[test]
fn an_interrupt_ends_it_at_once() {
    let service = Service::start(LONG);
    service.signal(Signal::INT);
    let since = Instant::now();
    service.ended();
    assert!(since.elapsed() < DEADLINE);
}

#[test]
fn what_else_ends_the_server_ends_it_too() {
    let started = wire::vitals(|_| {});
    let mounted = routes(&started.vitals);
    actix_web::rt::System::new().block_on(async {
        let server =
            HttpServer::new(move || App::new().configure(mounted.clone())).workers(1).disable_signals();
        let server = server.bind(("127.0.0.1", 0)).unwrap().run();
        let handle = server.handle();
        actix_web::rt::spawn(async move { handle.stop(true).await });
        serve(server, &started.vitals).await.unwrap();
    });
}
