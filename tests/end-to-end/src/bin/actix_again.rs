//! An actix service that starts and stops its server when told: under actix's own runtime, or with `UNDER_TOKIO` set under
//! tokio's multi-threaded one, where actix-server makes its workers in another way.
//!
//! | command | what it does | value of the answer |
//! | --- | --- | --- |
//! | `serve N` | starts a server with N workers | its port |
//! | `stop` | stops it, and waits until it has | |
//! | `runtimes` | | the names of the runtimes that are watched |
//!
//! `GET /work` computes for 50 ms on the worker, and leaves a task there that never ends.
#![allow(clippy::expect_used, reason = "a subject that cannot go on ends, and its test says so")]

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, rt, web};
use end_to_end::script;
use otel_vitals::Vitals;
use serde_json::Value;
use std::io;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

/// Asks the runtime's thread to do something.
enum Ask {
    Serve(usize, mpsc::Sender<u16>),
    Stop(mpsc::Sender<()>),
}

fn main() {
    if std::env::var_os("UNDER_TOKIO").is_some() {
        let builder = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        builder.expect("a runtime").block_on(run());
    } else {
        rt::System::new().block_on(run());
    }
}

async fn run() {
    let Some(vitals) = script::start(otel_vitals::init) else { return };
    let (asks, asked) = unbounded_channel();
    let watched = vitals.clone();
    let of_workers = vitals.clone();
    // The commands block a thread of their own, and not this runtime, which servers need.
    let script = std::thread::spawn(move || {
        script::obey_with(vitals, |command| {
            let command = command.split_once(' ').unwrap_or((command, "0"));
            match command {
                ("serve", workers) => {
                    let (answer, port) = mpsc::channel();
                    asks.send(Ask::Serve(workers.parse().expect("a number"), answer)).ok()?;
                    port.recv().ok().map(Value::from)
                }
                ("stop", _) => {
                    let (answer, stopped) = mpsc::channel();
                    asks.send(Ask::Stop(answer)).ok()?;
                    stopped.recv().ok().map(|()| Value::Null)
                }
                ("runtimes", _) => Some(watched.runtimes().into()),
                _ => None,
            }
        })
    });
    obey(asked, of_workers).await;
    if let Ok(Some(vitals)) = script.join() {
        let _ = vitals.shutdown();
    }
}

async fn obey(mut asked: UnboundedReceiver<Ask>, vitals: Vitals) {
    let mut running = None;
    while let Some(ask) = asked.recv().await {
        match ask {
            Ask::Serve(workers, answer) => {
                let (port, server) = serve(workers, vitals.clone()).expect("a server");
                running = Some(server);
                let _ = answer.send(port);
            }
            Ask::Stop(answer) => {
                if let Some((handle, server)) = running.take() {
                    handle.stop(true).await;
                    server.await.expect("a server that ends").expect("a server that ends well");
                }
                let _ = answer.send(());
            }
        }
    }
}

/// What stops a server, and what tells its end.
type Server = (ServerHandle, JoinHandle<io::Result<()>>);

/// A server and its port.
fn serve(workers: usize, vitals: Vitals) -> io::Result<(u16, Server)> {
    let server = HttpServer::new(move || {
        vitals.watch_worker("actix-worker");
        App::new().route("/work", web::get().to(work))
    });
    let server = server.workers(workers).disable_signals().bind(("127.0.0.1", 0))?;
    let port = server.addrs().first().map_or(0, std::net::SocketAddr::port);
    let server = server.run();
    let handle = server.handle();
    Ok((port, (handle, tokio::spawn(server))))
}

async fn work() -> HttpResponse {
    tokio::spawn(std::future::pending::<()>());
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(50) {
        std::hint::spin_loop();
    }
    HttpResponse::Ok().body("worked")
}
