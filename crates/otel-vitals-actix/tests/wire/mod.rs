//! A server of the test on a thread of its own, and a client that writes what it is told, byte by byte.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and each uses what it needs"
)]

use actix_web::dev::{Server, ServerHandle};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use otel_vitals::{Config, Vitals};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bound of everything that is waited for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Vitals, of which a process has one set at a time, and the tests of one file so one after another.
pub(crate) struct Started {
    pub(crate) vitals: Vitals,
    _alone: MutexGuard<'static, ()>,
}

/// Starts vitals with the defaults and this change. Nobody asks for heartbeats unless the change says so.
pub(crate) fn vitals(change: impl FnOnce(&mut Config) + Send + 'static) -> Started {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let builder = Vitals::builder().config(Config::default()).meter_provider(SdkMeterProvider::default());
    let quiet = |config: &mut Config| config.monitor.retry_count = 0;
    Started { vitals: builder.configure(quiet).configure(change).start().unwrap(), _alone: alone }
}

impl Drop for Started {
    // Routes may hold theirs a little longer.
    fn drop(&mut self) {
        self.vitals.shutdown().unwrap();
    }
}

/// A server that runs until it is dropped.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

/// Serves what `build` makes of a listener on `address`.
pub(crate) fn serve_at(
    address: &str,
    build: impl FnOnce(TcpListener) -> std::io::Result<Server> + Send + 'static,
) -> Serving {
    serve_on(TcpListener::bind(address).unwrap(), build)
}

/// Serves what `build` makes of `listener`.
pub(crate) fn serve_on(
    listener: TcpListener,
    build: impl FnOnce(TcpListener) -> std::io::Result<Server> + Send + 'static,
) -> Serving {
    let address = listener.local_addr().unwrap();
    let (started, start) = channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server = build(listener).unwrap();
            started.send(server.handle()).unwrap();
            server.await.unwrap();
        });
    });
    Serving { address, handle: start.recv_timeout(DEADLINE).unwrap(), thread: Some(thread) }
}

/// Serves an application, which is built anew for each of two workers.
#[macro_export]
macro_rules! serve {
    ($app:expr) => {
        $crate::wire::serve_at("127.0.0.1:0", move |listener| {
            let server = actix_web::HttpServer::new(move || $app).workers(2).disable_signals();
            Ok(server.shutdown_timeout(1).listen(listener)?.run())
        })
    };
}

impl Serving {
    /// Stops it, and returns when it has.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.end();
    }
}

/// A hash of argon2 that is quickly made.
pub(crate) fn hash(password: &str) -> String {
    use argon2::{Argon2, ParamsBuilder, PasswordHasher};
    let parameters = ParamsBuilder::new().m_cost(64).t_cost(1).p_cost(1).build().unwrap();
    let hashed = Argon2::from(parameters).hash_password_with_salt(password.as_bytes(), b"salt of the test");
    hashed.unwrap().to_string()
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// With names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The header of this name, which there must be once.
    pub(crate) fn header(&self, name: &str) -> &str {
        let [one] = self.all(name)[..] else { panic!("{name}: {self:?}") };
        one
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|header| header.0 == name).map(|header| header.1.as_str()).collect()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// What every response of ours has.
    #[track_caller]
    pub(crate) fn assert_ours(&self) -> &Self {
        assert_eq!(self.all("cache-control"), ["no-store"], "{self:?}");
        assert_eq!(self.all("x-content-type-options"), ["nosniff"], "{self:?}");
        self
    }
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, "GET", path, &[])
}

/// Asks on a connection of its own.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|header| header.0.eq_ignore_ascii_case("host")) {
        head.push_str(&format!("Host: {address}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    raw(address, format!("{head}\r\n").as_bytes())
}

/// Writes these bytes and reads to the end.
pub(crate) fn raw(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    exchange(&mut stream, bytes)
}

pub(crate) fn exchange<S: Read + Write>(stream: &mut S, bytes: &[u8]) -> Answer {
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // One that closes before it has read everything resets the connection after its answer.
    let _ = stream.read_to_end(&mut answer);
    parse(&answer)
}

fn parse(answer: &[u8]) -> Answer {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(answer)));
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let mut answer = Answer { status, headers, body: answer[end + 4..].to_vec() };
    if answer.all("transfer-encoding") == ["chunked"] {
        answer.body = joined(&answer.body);
    }
    answer
}

/// The chunks of a body, as many as there are whole ones.
pub(crate) fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = chunks.windows(2).position(|window| window == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&chunks[..end]).unwrap(), 16).unwrap();
        let Some(chunk) = chunks.get(end + 2..end + 2 + length) else { break };
        body.extend_from_slice(chunk);
        chunks = chunks.get(end + 4 + length..).unwrap_or_default();
    }
    body
}

/// Waits until `met`.
#[track_caller]
pub(crate) fn until(what: &str, met: impl FnMut() -> bool) {
    until_within(DEADLINE, what, met);
}

/// Waits until `met`, for what takes longer.
#[track_caller]
pub(crate) fn until_within(bound: Duration, what: &str, mut met: impl FnMut() -> bool) {
    let deadline = Instant::now() + bound;
    while !met() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
