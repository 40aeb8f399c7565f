//! Requests that are wrong in some way, the same ones in every run.

/// Makes them.
pub(crate) struct Fuzz {
    state: u64,
}

const PATHS: [&str; 22] = [
    "/",
    "/status/health",
    "/status/live",
    "/status/ready",
    "/status/startup",
    "/status/hardware/disk",
    "/status/hardware/ram",
    "/status/hardware/cpu",
    "/status/hardware/cpu_info",
    "/debug/vars",
    "/debug/pprof",
    "/debug/pprof/",
    "/debug/pprof/cmdline",
    "/under/status/health",
    "/under/debug/vars",
    "/debug/pprof/heap",
    "/debug/pprof/allocs",
    "/debug/pprof/threadcreate",
    "/debug/pprof/goroutine",
    "/debug/pprof/symbol",
    "/debug/pprof/flamegraph",
    "/debug/pprof/profile",
];
/// What the debug routes understand, and what looks like it.
const QUERIES: [&str; 20] = [
    "seconds=1",
    "seconds=0",
    "seconds=-1",
    "seconds=1.5",
    "seconds=99999999999999999999",
    "seconds=1&seconds=2",
    "seconds=%31",
    "seconds=%ff%",
    "seconds=1&debug=1",
    "debug=1",
    "debug=2&gc=1",
    "debug=18446744073709551616",
    "hz=1000&seconds=1",
    "hz=0",
    "hz=4294967296",
    "profile=heap",
    "profile=..%2f..",
    "0x0+0xffffffffffffffff+0x1",
    "+++0x+zz+-1",
    "=&&==&%00=%00",
];
const METHODS: [&str; 12] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "BREW", "G\u{0}T",
];
const VERSIONS: [&str; 6] = ["HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/9", ""];
const NAMES: [&str; 18] = [
    "Host",
    "Authorization",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Expect",
    "X-Forwarded-For",
    "Forwarded",
    "X-Real-IP",
    "Cookie",
    "Accept",
    "Upgrade",
    "Range",
    "If-None-Match",
    "Content-Type",
    "Te",
    "Via",
    "X Y",
];
const VALUES: [&str; 24] = [
    "x",
    "",
    "0",
    "-1",
    "18446744073709551616",
    "chunked",
    "close",
    "keep-alive",
    "upgrade",
    "h2c",
    "100-continue",
    "Basic",
    "Basic YWRtaW46c2VjcmV0",
    "Basic YWRtaW4=",
    "Basic ====",
    "Basic \u{ff}",
    "Bearer",
    "Bearer x",
    "Digest a=b",
    "127.0.0.1",
    "for=127.0.0.1",
    "localhost",
    "\u{0}",
    "bytes=0-",
];

impl Fuzz {
    pub(crate) fn new(seed: u64) -> Self {
        Fuzz { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    /// One request, or several in a row, or nothing that is one.
    pub(crate) fn request(&mut self) -> Vec<u8> {
        match self.below(20) {
            0 => self.bytes(400),
            1 => (0..self.below(20)).flat_map(|_| self.plain()).collect(),
            2 => self.oversized(),
            3 => {
                let mut cut = self.odd();
                cut.truncate(self.below(cut.len() + 1));
                cut
            }
            4 => {
                let mut bent = self.odd();
                for _ in 0..=self.below(8) {
                    let at = self.below(bent.len());
                    bent[at] = self.next() as u8;
                }
                bent
            }
            _ => self.odd(),
        }
    }

    fn plain(&mut self) -> Vec<u8> {
        // Without those that take their time.
        let path = self.one_of(&PATHS[..PATHS.len() - 2]);
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
    }

    fn odd(&mut self) -> Vec<u8> {
        let (method, path, version) = (self.one_of(&METHODS), self.path(), self.one_of(&VERSIONS));
        let mut request = format!("{method} {path} {version}\r\n");
        for _ in 0..self.below(8) {
            let (name, value) = (self.one_of(&NAMES), self.one_of(&VALUES));
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        let mut request = request.into_bytes();
        if self.below(4) == 0 {
            request.extend(self.bytes(300));
        }
        request
    }

    fn path(&mut self) -> String {
        let path = self.one_of(&PATHS);
        match self.below(14) {
            0 => format!("{path}/"),
            1 => format!("{path}/../{path}"),
            2 => format!("{path}?{}", "a=b&".repeat(self.below(200))),
            3 => format!("{path}%2f..%00%ff%zz"),
            4 => path.to_uppercase(),
            5 => format!("/{path}"),
            6 => format!("http://elsewhere{path}"),
            7 => "*".to_owned(),
            8 => format!("{path}{}", "ü/".repeat(self.below(50))),
            9..=12 => format!("{path}?{}", self.one_of(&QUERIES)),
            _ => path.to_owned(),
        }
    }

    /// More than anybody has use for.
    fn oversized(&mut self) -> Vec<u8> {
        let path = self.one_of(&PATHS);
        let much = 1 << (10 + self.below(11));
        match self.below(4) {
            0 => format!("GET {path}?{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(much)).into_bytes(),
            1 => format!(
                "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {}\r\n\r\n",
                "QUFB".repeat(much / 4)
            )
            .into_bytes(),
            2 => format!("GET {path} HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-Many: x\r\n".repeat(much / 11))
                .into_bytes(),
            _ => {
                let mut request =
                    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {much}\r\n\r\n").into_bytes();
                request.resize(request.len() + much, b'a');
                request
            }
        }
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.next() as u8).collect()
    }

    fn one_of(&mut self, of: &[&'static str]) -> &'static str {
        of[self.below(of.len())]
    }

    /// Below `most`; zero where that is none.
    fn below(&mut self, most: usize) -> usize {
        (self.next() % most.max(1) as u64) as usize
    }

    /// xorshift64*.
    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}
