//! As much of an HTTP client as the load and the tests need: one connection, kept open, one request at a time.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);
/// More than the service ever answers.
const MOST: usize = 64 << 20;

/// A connection to the service.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
    line: String,
    body: Vec<u8>,
}

/// What the service answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// HTTP's status.
    pub status: u16,
    /// What came after the headers.
    pub body: &'a [u8],
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// Those of the system.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let stream = BufReader::new(stream);
        Ok(Client { stream, request: Vec::new(), line: String::new(), body: Vec::new() })
    }

    /// Sends a request and waits for the answer.
    ///
    /// # Errors
    /// Those of the system, and [`io::ErrorKind::InvalidData`] where the answer is no HTTP, or none that this
    /// client knows.
    pub fn request(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<Answer<'_>> {
        self.request.clear();
        write!(
            self.request,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )?;
        self.request.extend_from_slice(body);
        self.stream.get_mut().write_all(&self.request)?;

        let status = self.line()?.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| invalid("no status"))?;
        let mut length = 0;
        while let Some((name, value)) = self.line()?.split_once(':') {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(|_| invalid("a length that is no number"))?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(invalid("a body without a length"));
            }
        }
        if length > MOST {
            return Err(invalid("a body that is too long"));
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body)?;
        Ok(Answer { status, body: &self.body })
    }

    /// The next line without its end; empty at the end of the headers.
    fn line(&mut self) -> io::Result<&str> {
        self.line.clear();
        if self.stream.by_ref().take(64 << 10).read_line(&mut self.line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(self.line.trim_end())
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
