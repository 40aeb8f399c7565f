//! Receivers that do not do what they should.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::reserved::Reserved;

/// How a [`Peer`] behaves.
#[derive(Clone, Copy, Debug)]
pub enum Behaviour {
    /// Takes connections and everything that is sent, and never says a word.
    Silent,
    /// Is silent on the first connection, as a machine that vanished is, and answers gRPC calls on every later one.
    Replaced,
    /// Takes a connection, reads the beginning and hangs up.
    HangsUp,
    /// Answers every HTTP/1.1 request with this status, and with `Retry-After` of so many seconds where given.
    Http {
        /// The status.
        status: u16,
        /// Seconds.
        retry_after: Option<u32>,
    },
    /// Answers every gRPC call with this status code and an empty message.
    Grpc {
        /// The code, `0` for success.
        status: u8,
    },
}

/// A receiver on a port of its own, for as long as the value lives, that remembers what it was asked.
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    seen: Arc<Seen>,
}

/// The head of a request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Path.
    pub path: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, over HTTP/1.1.
    pub body: Vec<u8>,
}

#[derive(Debug, Default)]
struct Seen {
    closed: AtomicBool,
    connections: AtomicUsize,
    requests: Mutex<Vec<Request>>,
}

/// The endpoint of a port on which nobody listens.
#[must_use]
pub fn closed_port() -> String {
    let reserved = Reserved::new();
    let port = reserved.port();
    // For as long as the test program runs.
    std::mem::forget(reserved);
    format!("http://127.0.0.1:{port}")
}

impl Peer {
    /// Starts to listen.
    #[must_use]
    pub fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let seen = Arc::new(Seen::default());
        let peer = Peer { address, seen: Arc::clone(&seen) };
        thread::spawn(move || {
            for stream in listener.incoming() {
                if seen.closed.load(Ordering::Acquire) {
                    return;
                }
                let (Ok(stream), seen) = (stream, Arc::clone(&seen)) else { return };
                let before = seen.connections.fetch_add(1, Ordering::AcqRel);
                let behaviour = behaviour.of_connection(before);
                thread::spawn(move || behaviour.serve(stream, &seen));
            }
        });
        peer
    }

    /// The endpoint to send to.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often somebody connected.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::Acquire)
    }

    /// The requests so far. A silent peer and one that hangs up have none.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.seen.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.seen.closed.store(true, Ordering::Release);
        // Wakes the thread that waits for connections; those that serve one end with their client.
        drop(TcpStream::connect(self.address));
    }
}

impl Request {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Seen {
    fn request(&self, request: Request) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }
}

impl Behaviour {
    /// How the connection is served that came after so many others.
    fn of_connection(self, before: usize) -> Self {
        match self {
            Behaviour::Replaced if before == 0 => Behaviour::Silent,
            Behaviour::Replaced => Behaviour::Grpc { status: 0 },
            other => other,
        }
    }

    fn serve(self, mut stream: TcpStream, seen: &Seen) {
        match self {
            // Ends with the client's end of the connection.
            Behaviour::Silent | Behaviour::Replaced => drop(std::io::copy(&mut stream, &mut std::io::sink())),
            Behaviour::HangsUp => drop(stream.read(&mut [0; 64])),
            Behaviour::Http { status, retry_after } => {
                let mut answer = format!("HTTP/1.1 {status} As told\r\nContent-Length: 0\r\n");
                if let Some(seconds) = retry_after {
                    answer.push_str(&format!("Retry-After: {seconds}\r\n"));
                }
                answer.push_str("\r\n");
                let mut reader = BufReader::new(stream);
                while let Some(request) = http1(&mut reader) {
                    let last = request.header("connection") == Some("close");
                    seen.request(request);
                    if reader.get_mut().write_all(answer.as_bytes()).is_err() || last {
                        return;
                    }
                }
            }
            Behaviour::Grpc { status } => grpc(stream, status, seen),
        }
    }
}

/// The next HTTP/1.1 request; none at the end of the connection.
fn http1(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((key, value)) = line.split_once(':') else { break };
        headers.push((key.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { path, headers, body: Vec::new() };
    let length = request.header("content-length").map_or(Ok(0), str::parse).ok()?;
    request.body.resize(length, 0);
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

/// Answers every call of one HTTP/2 connection with `status` and, for success, an empty message.
fn grpc(stream: TcpStream, status: u8, seen: &Seen) {
    let serve = async {
        stream.set_nonblocking(true).ok()?;
        let stream = tokio::net::TcpStream::from_std(stream).ok()?;
        let mut connection = h2::server::handshake(stream).await.ok()?;
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let (head, body) = request.into_parts();
            let headers = head.headers.iter().map(|(key, value)| {
                (key.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            });
            seen.request(Request {
                path: head.uri.path().to_owned(),
                headers: headers.collect(),
                body: Vec::new(),
            });
            // The call's body is dropped unread: its window is given back at once, so that no call waits for it.
            drop(body);
            let answer = http::Response::builder().header("content-type", "application/grpc");
            if status == 0 {
                let mut stream = respond.send_response(answer.body(()).ok()?, false).ok()?;
                stream.send_data(bytes::Bytes::from_static(&[0; 5]), false).ok()?;
                let mut trailers = http::HeaderMap::new();
                trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
                stream.send_trailers(trailers).ok()?;
            } else {
                let answer =
                    answer.header("grpc-status", status.to_string()).header("grpc-message", "as told");
                respond.send_response(answer.body(()).ok()?, true).ok()?;
            }
        }
        Some(())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    runtime.expect("a runtime").block_on(serve);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web;

    #[test]
    fn an_answering_peer_answers_and_remembers() {
        let peer = Peer::start(Behaviour::Http { status: 503, retry_after: Some(1) });
        assert_eq!(web::get(peer.address.port(), "/v1/metrics"), Some((503, String::new())));
        assert_eq!(peer.requests()[0].path, "/v1/metrics");
        assert_eq!(peer.requests()[0].header("host"), Some("localhost"));
        assert_eq!(peer.connections(), 1);
    }

    #[test]
    fn a_peer_that_hangs_up_and_a_closed_port_give_nothing() {
        let peer = Peer::start(Behaviour::HangsUp);
        assert_eq!(web::get(peer.address.port(), "/"), None);
        let port = closed_port().rsplit(':').next().unwrap().parse().unwrap();
        assert_eq!(web::get(port, "/"), None);
    }
}
