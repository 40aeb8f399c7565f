//! What the log says of the heartbeat at the start of a server.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod wire;

use actix_web::{App, HttpResponse, HttpServer, web};
use otel_vitals::Config;
use otel_vitals_actix::{AdminServer, routes};
use std::fmt::{Debug, Write as _};
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, Once, PoisonError};
use tracing::field::{Field, Visit};
use tracing::{Level, Metadata};
use wire::{Started, until, vitals};

/// What was logged, each line with its level.
static LOGGED: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Log;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "otel_vitals" && *metadata.level() <= Level::INFO
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LOGGED.lock().unwrap_or_else(PoisonError::into_inner).push(line.0);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// Starts vitals, and logs from here on; there is one log for all tests, which tell theirs apart by the address. What one before this has
/// logged, of a port that may be this one's now, is forgotten.
fn logging(change: impl FnOnce(&mut Config) + Send + 'static) -> Started {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Log).unwrap());
    let started = vitals(change);
    LOGGED.lock().unwrap_or_else(PoisonError::into_inner).clear();
    started
}

/// The lines that have `text`, which an address is.
fn logged(text: &str) -> Vec<String> {
    let logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    logged.iter().filter(|line| line.contains(text)).cloned().collect()
}

fn is_success(line: &str) -> bool {
    line.starts_with("INFO") && line.contains("the heartbeat answers")
}

/// Answers every request with `answer`, or with nothing; tells how many there were.
fn answering(answer: Option<&'static str>) -> (SocketAddr, impl Fn() -> usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 1_024];
            let _ = stream.read(&mut head);
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if let Some(answer) = answer {
                let _ = stream.write_all(answer.as_bytes());
            } else {
                open.push(stream);
            }
        }
    });
    (address, move || asked.load(std::sync::atomic::Ordering::Relaxed))
}

#[test]
fn a_server_of_two_workers_is_asked_once_and_again_when_it_is_started_again() {
    let is_asked = (0..5).any(|_| is_asked_once_and_again());
    assert!(is_asked, "somebody else has taken each port before it was bound again");
}

/// Not when somebody else has taken the port meanwhile.
fn is_asked_once_and_again() -> bool {
    let started = logging(|config| config.monitor.retry_count = 10);
    let of_app = started.vitals.clone();
    let server = serve!(App::new().configure(routes(&of_app)).configure(routes(&of_app)));
    let url = format!("http://{}/status/health", server.address);
    until("asked", || !logged(&url).is_empty());
    let (address, of_app) = (server.address, started.vitals.clone());
    assert_eq!(wire::get(address, "/status/health").text(), "OK", "on the other worker, too");
    server.stop();
    // Its workers may have a little to do yet.
    until("its end", || started.vitals.runtimes().is_empty());
    assert_eq!(logged(&url).len(), 1, "{:?}", logged(&url));

    let Ok(listener) = TcpListener::bind(address) else { return false };
    let server = wire::serve_on(listener, move |listener| {
        let server = HttpServer::new(move || App::new().configure(routes(&of_app)));
        Ok(server.workers(2).disable_signals().listen(listener)?.run())
    });
    until("asked again", || logged(&url).len() == 2);
    drop(server);
    assert_eq!(logged(&url).len(), 2, "{:?}", logged(&url));
    for line in logged(&url) {
        assert!(is_success(&line) && line.contains("tries="), "{line}");
    }
    true
}

#[test]
fn every_address_of_a_server_is_asked_and_one_that_means_all_on_loopback() {
    let started = logging(|config| {
        config.monitor.retry_count = 20;
        config.monitor.prefix = "/in".to_owned();
    });
    let mounted = routes(&started.vitals);
    let second = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = second.local_addr().unwrap().port();
    let server = wire::serve_at("127.0.0.1:0", move |listener| {
        let server = HttpServer::new(move || App::new().configure(mounted.clone())).workers(1);
        Ok(server.disable_signals().listen(listener)?.listen(second)?.run())
    });
    for address in [server.address.to_string(), format!("127.0.0.1:{port}")] {
        let url = format!("http://{address}/in/status/health");
        until("asked", || logged(&url).iter().any(|line| is_success(line)));
    }
}

#[test]
fn the_admin_server_is_asked_as_well() {
    let started = logging(|config| config.monitor.retry_count = 20);
    let admin = AdminServer::bind(&started.vitals, ([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("http://{}/status/health", admin.address());
    until("asked", || logged(&url).iter().any(|line| is_success(line)));
    admin.stop();
}

#[test]
fn what_never_answers_right_is_one_error_and_no_success() {
    let answers = [
        (
            Some("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
            "status 404; monitor.self_check",
        ),
        (
            Some("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
            "status 503",
        ),
        (
            Some("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
            "status 302",
        ),
        (
            Some("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nNOK"),
            "another body than OK",
        ),
        (
            Some("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nConnection: close\r\n\r\nOK"),
            "the last answer was: ",
        ),
        (Some("nonsense"), "the last answer was: "),
        (None, "timeout"),
    ];
    for (answer, told) in answers {
        // On a busy machine an answer may come after the second in which one waits for it.
        let is_told = (0..5).any(|_| error_of(answer).contains(told));
        assert!(is_told, "{told} for {answer:?}");
    }
}

/// What is logged of a heartbeat of which this is the answer.
fn error_of(answer: Option<&'static str>) -> String {
    let (address, asked) = answering(answer);
    let started = logging(move |config| {
        config.monitor.retry_count = 2;
        config.monitor.self_check = Some(format!("http://{address}/alive"));
    });
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let url = format!("http://{address}/alive");
    until("an error", || !logged(&url).is_empty());
    let lines = logged(&url);
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.starts_with("ERROR") && line.contains("2 times"), "{line}");
    // A try that has ended may not have been seen yet.
    until("the second try", || asked() >= 2);
    assert_eq!(asked(), 2);
    assert_eq!(wire::get(server.address, "/status/health").text(), "OK", "and the service goes on");
    line.clone()
}

#[test]
fn one_that_answers_later_is_a_success_with_the_number_of_tries() {
    let asked = web::Data::new(std::sync::atomic::AtomicUsize::new(0));
    let late = serve!(App::new().app_data(asked.clone()).route(
        "/late",
        web::get().to(|asked: web::Data<std::sync::atomic::AtomicUsize>| async move {
            let first = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            if first { HttpResponse::ServiceUnavailable().finish() } else { HttpResponse::Ok().body("OK") }
        })
    ));
    let url = format!("http://{}/late", late.address);
    let of_config = url.clone();
    let started = logging(move |config| {
        config.monitor.retry_count = 20;
        config.monitor.self_check = Some(of_config);
    });
    let mounted = routes(&started.vitals);
    // Below a scope, which nobody could know.
    let server = serve!(App::new().service(web::scope("/x").configure(mounted.clone())));
    until("asked", || !logged(&url).is_empty());
    let lines = logged(&url);
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let (_, tries) = line.split_once("tries=").unwrap();
    // More, where an answer came after the second in which one waits for it.
    assert!(is_success(line) && tries.trim().parse::<u32>().unwrap() >= 2, "{line}");
    drop(server);
}

#[test]
fn a_server_that_ends_is_not_asked_any_more_and_no_failure() {
    let (address, asked) =
        answering(Some("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
    let started = logging(move |config| {
        config.monitor.retry_count = 1_000;
        config.monitor.self_check = Some(format!("http://{address}/"));
    });
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    until("asked", || asked() > 0);
    assert!(threads().is_none_or(|threads| threads.contains(&"vitals-self-che".to_owned())));
    server.stop();
    until("no thread", || threads().is_none_or(|threads| !threads.contains(&"vitals-self-che".to_owned())));
    assert!(logged(&address.to_string()).is_empty());
}

/// The names of the threads of this process, of which the kernel keeps fifteen bytes, where it tells.
fn threads() -> Option<Vec<String>> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    Some(names.map(|name| name.trim_end().to_owned()).collect())
}

#[test]
fn nobody_is_asked_where_nobody_shall_be() {
    let changes: [fn(&mut otel_vitals::Config); 2] =
        [|config| config.monitor.retry_count = 0, |config| config.monitor.status = false];
    for change in changes {
        let started = logging(move |config| {
            config.monitor.retry_count = 1;
            change(config);
        });
        let mounted = routes(&started.vitals);
        let server = serve!(App::new().configure(mounted.clone()));
        let address = server.address;
        // It serves, so that all routes are mounted.
        wire::get(address, "/");
        server.stop();
        assert!(logged(&address.to_string()).is_empty());
    }
}

#[test]
fn below_a_scope_it_is_told_that_nobody_asks() {
    let started = logging(|config| config.monitor.retry_count = 1);
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().service(web::scope("/x").configure(mounted.clone())));
    until("told", || !logged("below a scope").is_empty());
    assert_eq!(wire::get(server.address, "/x/status/health").text(), "OK");
    assert!(logged(&server.address.to_string()).is_empty());
}
