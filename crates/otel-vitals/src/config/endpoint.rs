//! Where metrics are sent to.

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
#[derive(Clone, Debug, PartialEq, Eq)]
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

impl OtlpConfig {
    /// The URL that metrics are sent to: the endpoint with what its protocol adds, or the protocol's default,
    /// `http://localhost:4317` for gRPC and `http://localhost:4318/v1/metrics` for HTTP.
    #[must_use]
    pub fn url(&self) -> String {
        let http = self.protocol != Protocol::Grpc;
        match &self.endpoint {
            None if http => "http://localhost:4318/v1/metrics".to_owned(),
            None => "http://localhost:4317".to_owned(),
            Some(Endpoint::Base(url)) if http => format!("{}/v1/metrics", url.trim_end_matches('/')),
            Some(Endpoint::Base(url) | Endpoint::Exact(url)) if http || url.contains("://") => url.clone(),
            Some(Endpoint::Base(url) | Endpoint::Exact(url)) if self.insecure => format!("http://{url}"),
            Some(Endpoint::Base(url) | Endpoint::Exact(url)) => format!("https://{url}"),
        }
    }
}
