//! Who is on this machine.
//!
//! The address of the connection says it, and nothing else does. Headers only ever take away: one that shows that somebody else is
//! behind the connection, or that a browser was made to believe that we are another host.

use actix_web::http::StatusCode;
use actix_web::http::header::{FORWARDED, HOST, HeaderMap, HeaderName, VIA};
use actix_web::http::uri::Authority;
use actix_web::{HttpRequest, HttpResponse};
use std::net::{IpAddr, Ipv6Addr};

use crate::answer;

const REMOTE: &str =
    "this is told to this machine only; monitor.security tells it to those who know a secret\n";
const NO_ADDRESS: &str = "this is told to this machine only, and the connection has no address; \
    monitor.security tells it to those who know a secret\n";
const PROXY: &str = "this is told to this machine only, and a proxy asks for somebody; \
    monitor.security tells it to those who know a secret\n";
const HOST_NAME: &str = "this is told to this machine only, under its own name or address; \
    monitor.security tells it to those who know a secret\n";

/// What proxies tell of whom they speak for, beside `x-forwarded-…`.
const OF_PROXIES: [HeaderName; 7] = [
    FORWARDED,
    VIA,
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-client-ip"),
    HeaderName::from_static("x-cluster-client-ip"),
    HeaderName::from_static("true-client-ip"),
    HeaderName::from_static("cf-connecting-ip"),
];

/// Lets those in who are on this machine.
pub(super) struct Local {
    /// What the machine calls itself.
    name: Option<String>,
}

impl Local {
    pub(super) fn new() -> Self {
        Local { name: host_name() }
    }

    /// What a request is answered that does not come from this machine; nothing when it does.
    pub(super) fn refuse(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let refusal = match request.peer_addr() {
            None => NO_ADDRESS,
            Some(peer) if !peer.ip().to_canonical().is_loopback() => REMOTE,
            Some(_) if is_forwarded(request.headers()) => PROXY,
            Some(_) if !self.is_meant(request) => HOST_NAME,
            Some(_) => return None,
        };
        Some(answer::text(StatusCode::FORBIDDEN, refusal))
    }

    /// Whether the one who asks knows whom. A page of somebody else's, whose name was made to lead here, has its own.
    fn is_meant(&self, request: &HttpRequest) -> bool {
        let mut hosts = request.headers().get_all(HOST);
        let header = match (hosts.next(), hosts.next()) {
            (None, _) => true,
            (Some(host), None) => host.to_str().is_ok_and(|host| self.is_own(host)),
            (Some(_), Some(_)) => false,
        };
        header && request.uri().authority().is_none_or(|authority| self.is_own(authority.as_str()))
    }

    /// Whether `host`, with or without a port, is an address or a name of this machine.
    fn is_own(&self, host: &str) -> bool {
        let Ok(authority) = Authority::try_from(host) else { return false };
        if authority.as_str().contains('@') {
            return false;
        }
        let host = authority.host();
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if address.map_or_else(|| host.parse::<IpAddr>().is_ok(), |host| host.parse::<Ipv6Addr>().is_ok()) {
            return true;
        }
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        host == "localhost" || host.ends_with(".localhost") || self.name.as_ref() == Some(&host)
    }
}

/// Whether a proxy speaks for somebody else.
fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| OF_PROXIES.contains(name) || name.as_str().starts_with("x-forwarded-"))
}

#[cfg(unix)]
fn host_name() -> Option<String> {
    let system = rustix::system::uname();
    let name = system.nodename().to_str().ok()?;
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}

#[cfg(not(unix))]
fn host_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok().map(|name| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use std::net::SocketAddr;

    fn local() -> Local {
        Local { name: Some("kitchen".to_owned()) }
    }

    fn from(peer: &str) -> TestRequest {
        TestRequest::default().peer_addr(peer.parse::<SocketAddr>().unwrap())
    }

    fn status(request: TestRequest) -> u16 {
        local().refuse(&request.to_http_request()).map_or(200, |refusal| refusal.status().as_u16())
    }

    #[test]
    fn the_address_of_the_connection_decides() {
        for peer in ["127.0.0.1:9", "127.8.9.1:9", "[::1]:9", "[::ffff:127.0.0.1]:9"] {
            assert_eq!(status(from(peer)), 200, "{peer}");
        }
        for peer in ["192.0.2.1:9", "[2001:db8::1]:9", "[::ffff:10.0.0.1]:9", "10.0.0.1:9", "0.0.0.0:9"] {
            assert_eq!(status(from(peer)), 403, "{peer}");
        }
        assert_eq!(status(TestRequest::default()), 403, "without an address");
    }

    #[test]
    fn headers_never_grant_and_those_of_proxies_take_away() {
        let headers = [
            ("Forwarded", "for=127.0.0.1"),
            ("X-Forwarded-For", "127.0.0.1"),
            ("X-Forwarded-Host", "localhost"),
            ("X-Forwarded-Anything", ""),
            ("X-Real-IP", "127.0.0.1"),
            ("Via", "1.1 proxy"),
            ("True-Client-IP", "127.0.0.1"),
        ];
        for header in headers {
            assert_eq!(status(from("192.0.2.1:9").insert_header(header)), 403, "{header:?}");
            assert_eq!(status(from("127.0.0.1:9").insert_header(header)), 403, "{header:?}");
        }
        assert_eq!(status(from("127.0.0.1:9").insert_header(("X-Request-Id", "1"))), 200);
    }

    #[test]
    fn a_name_that_was_made_to_lead_here_is_not_ours() {
        for host in [
            "localhost",
            "LOCALHOST:38000",
            "localhost.",
            "shop.localhost",
            "127.0.0.1",
            "127.0.0.1:1",
            "[::1]:38000",
            "[::1]",
            "10.1.2.3:80",
            "kitchen",
            "Kitchen:38000",
        ] {
            assert_eq!(status(from("127.0.0.1:9").insert_header((HOST, host))), 200, "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:38000",
            "localhost.evil.example",
            "notlocalhost",
            "127.0.0.1.evil.example",
            "localhost@evil.example",
            "evil.example@localhost",
            "",
            "[::1",
            "[kitchen]",
            "a b",
            "kitchen.evil",
        ] {
            assert_eq!(status(from("127.0.0.1:9").insert_header((HOST, host))), 403, "{host}");
        }
        let twice = from("127.0.0.1:9").append_header((HOST, "localhost")).append_header((HOST, "localhost"));
        assert_eq!(status(twice), 403);
        assert_eq!(status(from("127.0.0.1:9").uri("http://evil.example/debug/vars")), 403);
        assert_eq!(status(from("127.0.0.1:9").uri("http://localhost:1/debug/vars")), 200);
    }
}
