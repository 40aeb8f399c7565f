//! Where metrics are sent to.

use http::Uri;
use std::fmt;

use super::{OtlpConfig, Protocol};

/// Where metrics are sent to.
///
/// Text alone is a [`Base`](Endpoint::Base):
///
/// ```
/// use otel_vitals::Endpoint;
/// let endpoint: Endpoint = "http://collector:4318".into();
/// assert_eq!(endpoint, Endpoint::Base("http://collector:4318".to_owned()));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// The collector for every signal, as `OTEL_EXPORTER_OTLP_ENDPOINT` names it: over HTTP, metrics go to
    /// `/v1/metrics` below it.
    Base(String),
    /// Where exactly metrics go, as `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` names it: nothing is added.
    Exact(String),
}

impl From<String> for Endpoint {
    fn from(url: String) -> Self {
        Endpoint::Base(url)
    }
}

impl From<&str> for Endpoint {
    fn from(url: &str) -> Self {
        Endpoint::Base(url.to_owned())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Base(url) => f.debug_tuple("Base").field(&shown(url)).finish(),
            Endpoint::Exact(url) => f.debug_tuple("Exact").field(&shown(url)).finish(),
        }
    }
}

impl OtlpConfig {
    /// The URL that metrics are sent to: the endpoint with what its protocol adds, or the protocol's default,
    /// `http://localhost:4317` for gRPC and `http://localhost:4318/v1/metrics` for HTTP.
    #[must_use]
    pub fn url(&self) -> String {
        let http = self.is_http();
        match &self.endpoint {
            None if http => "http://localhost:4318/v1/metrics".to_owned(),
            None => "http://localhost:4317".to_owned(),
            Some(Endpoint::Base(url)) if http => format!("{}/v1/metrics", url.trim_end_matches('/')),
            Some(Endpoint::Base(url) | Endpoint::Exact(url)) if http || url.contains("://") => url.clone(),
            Some(Endpoint::Base(url) | Endpoint::Exact(url)) if self.insecure => format!("http://{url}"),
            Some(Endpoint::Base(url) | Endpoint::Exact(url)) => format!("https://{url}"),
        }
    }

    /// What the endpoint should have been, if it does not do.
    pub(super) fn check_url(&self) -> Result<(), String> {
        let (Some(Endpoint::Base(text)) | Some(Endpoint::Exact(text))) = &self.endpoint else {
            return Ok(());
        };
        if text.contains('@') {
            return Err("a URL without a user name or password, which belong into otlp.headers".to_owned());
        }
        if text.contains('#') || (matches!(self.endpoint, Some(Endpoint::Base(_))) && text.contains('?')) {
            return Err("a URL without a query or fragment".to_owned());
        }
        let example = || match self.is_http() {
            true => "a URL such as http://collector:4318".to_owned(),
            false => "a URL such as http://collector:4317, or host:port".to_owned(),
        };
        let url: Uri = self.url().parse().map_err(|_| example())?;
        let scheme_is_known = matches!(url.scheme_str(), Some("http" | "https"));
        let host_is_there = url.host().is_some_and(|host| !host.is_empty());
        if !scheme_is_known || !host_is_there {
            return Err(example());
        }
        if !port_is_valid(&url) {
            return Err("a port from 1 to 65535".to_owned());
        }
        if !self.is_http() && !matches!(url.path(), "" | "/") {
            return Err("a URL without a path, which gRPC has no use for".to_owned());
        }
        Ok(())
    }

    fn is_http(&self) -> bool {
        self.protocol != Protocol::Grpc
    }
}

/// `url` without what may be secret in it.
pub(super) fn shown(url: &str) -> String {
    let (url, query) = url.split_once('?').map_or((url, ""), |(url, _)| (url, "?<redacted>"));
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let separator = if scheme.is_empty() { "" } else { "://" };
    match rest.rsplit_once('@') {
        Some((_, rest)) => format!("{scheme}{separator}<redacted>@{rest}{query}"),
        None => format!("{url}{query}"),
    }
}

/// Whether `url` has a port that can be connected to, or none.
pub(super) fn port_is_valid(url: &Uri) -> bool {
    let Some(authority) = url.authority() else { return false };
    let after_host = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    match after_host.strip_prefix(':') {
        Some(port) => port.parse::<u16>().is_ok_and(|port| port > 0),
        None => after_host.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn otlp(protocol: Protocol, endpoint: impl Into<Endpoint>) -> OtlpConfig {
        OtlpConfig { protocol, endpoint: Some(endpoint.into()), ..OtlpConfig::default() }
    }

    fn exact(url: &str) -> Endpoint {
        Endpoint::Exact(url.to_owned())
    }

    #[test]
    fn the_default_is_that_of_the_protocol() {
        let url = |protocol| OtlpConfig { protocol, ..OtlpConfig::default() }.url();
        assert_eq!(url(Protocol::Grpc), "http://localhost:4317");
        assert_eq!(url(Protocol::HttpProtobuf), "http://localhost:4318/v1/metrics");
        assert_eq!(url(Protocol::HttpJson), "http://localhost:4318/v1/metrics");
    }

    #[test]
    fn http_adds_the_path_to_a_base_only() {
        let http = Protocol::HttpProtobuf;
        assert_eq!(otlp(http, "http://c:4318").url(), "http://c:4318/v1/metrics");
        assert_eq!(otlp(http, "https://c/otlp/").url(), "https://c/otlp/v1/metrics");
        assert_eq!(otlp(http, exact("https://c/in?k=v")).url(), "https://c/in?k=v");
        assert_eq!(otlp(http, exact("http://c:4318")).url(), "http://c:4318");
        assert_eq!(otlp(Protocol::Grpc, "http://c:4317").url(), "http://c:4317");
    }

    #[test]
    fn grpc_without_a_scheme_is_encrypted_unless_insecure() {
        let mut config = otlp(Protocol::Grpc, "c:4317");
        assert_eq!((config.url(), config.check_url()), ("https://c:4317".to_owned(), Ok(())));
        config.insecure = true;
        assert_eq!((config.url(), config.check_url()), ("http://c:4317".to_owned(), Ok(())));
        config.protocol = Protocol::HttpJson;
        assert_eq!(config.check_url(), Err("a URL such as http://collector:4318".to_owned()));
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        let grpc = "a URL such as http://collector:4317, or host:port";
        let port = "a port from 1 to 65535";
        let credentials = "a URL without a user name or password, which belong into otlp.headers";
        for (url, expected) in [
            ("ftp://c", grpc),
            ("http://", grpc),
            ("http:// c", grpc),
            ("unix:/x", port),
            ("http://:4317", grpc),
            ("http://[::1", grpc),
            ("http://c:", port),
            ("http://c:0", port),
            ("http://c:65536", port),
            ("http://c:http", port),
            ("http://u:p@c:1", credentials),
            ("http://c#f", "a URL without a query or fragment"),
            ("http://c?q", "a URL without a query or fragment"),
            ("http://c:4318/v1/metrics", "a URL without a path, which gRPC has no use for"),
        ] {
            assert_eq!(otlp(Protocol::Grpc, url).check_url(), Err(expected.to_owned()), "{url}");
        }
        for url in ["http://c", "HTTPS://c:443/", "http://[::1]:4317", "http://127.0.0.1:1", "localhost:4317"]
        {
            assert_eq!(otlp(Protocol::Grpc, url).check_url(), Ok(()), "{url}");
        }
    }

    #[test]
    fn secrets_in_a_url_are_not_shown() {
        assert_eq!(shown("http://c:4318/x"), "http://c:4318/x");
        assert_eq!(shown("https://c/in?token=s3cr3t"), "https://c/in?<redacted>");
        assert_eq!(shown("https://u:s3@cr3t@c"), "https://<redacted>@c");
        assert_eq!(format!("{:?}", exact("u:s3cr3t@c:1")), r#"Exact("<redacted>@c:1")"#);
    }

    proptest! {
        #[test]
        fn never_panics(url in "[htps:/@?#\\[\\]0-9a.]{0,24}", http in any::<bool>()) {
            let config = otlp(if http { Protocol::HttpJson } else { Protocol::Grpc }, url.as_str());
            let _ = (config.check_url(), shown(&url));
        }
    }
}
