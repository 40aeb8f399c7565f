//! A client that asks one server as fast as it answers, over connections that stay open.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that cannot go on fails")]

use memchr::memmem;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// Open connections to one server.
pub struct Client {
    host: SocketAddr,
    connections: Vec<TcpStream>,
    runtime: Runtime,
}

/// What a while of asking came to.
#[derive(Default)]
pub struct Asked {
    /// From the request to the whole answer, one after the other.
    pub latencies: Vec<Duration>,
    /// How long it was asked.
    pub took: Duration,
    /// What the server spent on it, if somebody looked.
    pub cpu_time: Duration,
}

impl Asked {
    /// Answers a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    /// The latency that `share` of the answers do not exceed.
    #[must_use]
    pub fn quantile(&mut self, share: f64) -> Duration {
        self.latencies.sort_unstable();
        let at = (self.latencies.len() as f64 * share) as usize;
        self.latencies.get(at.min(self.latencies.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

impl Client {
    /// Opens `connections` to the server at `host`.
    ///
    /// # Panics
    /// When they cannot be opened.
    #[must_use]
    pub fn connect(host: SocketAddr, connections: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connections = runtime.block_on(async {
            let mut open = Vec::new();
            for _ in 0..connections {
                let connection = TcpStream::connect(host).await.unwrap();
                connection.set_nodelay(true).unwrap();
                open.push(connection);
            }
            open
        });
        Client { host, connections, runtime }
    }

    /// Asks for `path` on all connections for as long as `time`, with so many requests on their way on each.
    ///
    /// # Panics
    /// When the server answers with anything but 200.
    pub fn ask(&mut self, path: &str, time: Duration, at_once: usize) -> Asked {
        let request = self.request(path).repeat(at_once);
        let started = Instant::now();
        let end = started + time;
        let Client { connections, runtime, .. } = self;
        let latencies = runtime.block_on(async {
            let tasks = tokio::task::LocalSet::new();
            let asking: Vec<_> = std::mem::take(connections)
                .into_iter()
                .map(|mut connection| {
                    let request = request.clone();
                    tasks.spawn_local(async move {
                        let (mut latencies, mut buffer) = (Vec::new(), Vec::new());
                        while Instant::now() < end {
                            let sent = Instant::now();
                            connection.write_all(&request).await.unwrap();
                            buffer.clear();
                            let mut end = 0;
                            for _ in 0..at_once {
                                (_, end) = answer(&mut connection, &mut buffer, end).await;
                                latencies.push(sent.elapsed());
                            }
                        }
                        (connection, latencies)
                    })
                })
                .collect();
            tasks
                .run_until(async {
                    let mut all = Vec::new();
                    for asked in asking {
                        let (connection, latencies) = asked.await.unwrap();
                        connections.push(connection);
                        all.extend(latencies);
                    }
                    all
                })
                .await
        });
        Asked { latencies, took: started.elapsed(), cpu_time: Duration::ZERO }
    }

    /// The body of `path`, asked for once.
    ///
    /// # Panics
    /// When the server answers with anything but 200.
    pub fn get(&mut self, path: &str) -> String {
        let request = self.request(path);
        let Client { connections, runtime, .. } = self;
        let mut buffer = Vec::new();
        let body = runtime.block_on(exchange(&mut connections[0], &request, &mut buffer));
        String::from_utf8(buffer[body..].to_vec()).unwrap()
    }

    /// Asks for `path` so often, one request after the other.
    ///
    /// # Panics
    /// When the server answers with anything but 200.
    pub fn repeat(&mut self, path: &str, times: usize) {
        let request = self.request(path);
        let Client { connections, runtime, .. } = self;
        let mut buffer = Vec::new();
        runtime.block_on(async {
            for _ in 0..times {
                exchange(&mut connections[0], &request, &mut buffer).await;
            }
        });
    }

    fn request(&self, path: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host).into_bytes()
    }
}

/// Sends `request`, reads the answer into `buffer`, and tells where the body begins in it.
async fn exchange(connection: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> usize {
    connection.write_all(request).await.unwrap();
    buffer.clear();
    answer(connection, buffer, 0).await.0
}

/// Reads the answer that begins at `start` of `buffer`, and tells where its body begins and ends.
async fn answer(connection: &mut TcpStream, buffer: &mut Vec<u8>, start: usize) -> (usize, usize) {
    loop {
        let so_far = &buffer[start..];
        if let Some(head) = memmem::find(so_far, b"\r\n\r\n").map(|at| at + 4)
            && let Some(length) = length(&so_far[..head], &so_far[head..])
        {
            assert!(so_far.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(so_far));
            return (start + head, start + head + length);
        }
        assert_ne!(connection.read_buf(buffer).await.unwrap(), 0, "the server hung up");
    }
}

/// How long the body is, once it is all there: by its length where that is told, else by the end of the last chunk. What this takes
/// is time that the server does not have.
fn length(head: &[u8], body: &[u8]) -> Option<usize> {
    const NAMES: [&[u8]; 2] = [b"\r\ncontent-length: ", b"\r\nContent-Length: "];
    const END: &[u8] = b"\r\n0\r\n\r\n";
    let after = |name: &[u8]| memmem::find(head, name).map(|at| &head[at + name.len()..]);
    let Some(rest) = NAMES.into_iter().find_map(after) else {
        return memmem::find(body, END).map(|at| at + END.len());
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    (body.len() >= length).then_some(length)
}
