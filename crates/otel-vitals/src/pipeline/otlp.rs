//! OTLP over gRPC or HTTP, built on `opentelemetry-otlp`.

use opentelemetry_otlp::{MetricExporter, WithExportConfig as _};
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter as _;
use otel_vitals_core::quietly;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::reader::{Failure, Outcome};
use crate::config::{Compression, OtlpConfig, Protocol};
use crate::error::Error;

pub(super) const USER_AGENT: &str = concat!("otel-vitals/", env!("CARGO_PKG_VERSION"));

/// The exporter and what it takes to build it again.
pub(super) struct Otlp {
    config: OtlpConfig,
    url: String,
    link: Link,
    exporter: MetricExporter,
}

/// What a connection is made of besides the configuration.
pub(super) struct Link {
    pub(super) endpoint: http::Uri,
    pub(super) roots: Roots,
    pub(super) cause: Cause,
}

/// Why the last request found nobody: over HTTP the exporter itself only says "network error".
#[derive(Clone, Debug, Default)]
pub(super) struct Cause(Arc<Mutex<Option<String>>>);

/// Whom an encrypted connection trusts where the configuration names no authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "only TLS looks"))]
pub(super) enum Roots {
    /// Nobody yet.
    NotYet,
    /// The system's authorities: hundreds of files, which take longer to read than the start may.
    System,
}

impl Otlp {
    /// An exporter to what `config` names. Connects at the first export. Must be called inside the runtime that it
    /// will run on, because its connection is a task there.
    pub(super) fn new(config: &OtlpConfig) -> Result<Self, Error> {
        let link = Link { endpoint: endpoint(config)?, roots: Roots::NotYet, cause: Cause::default() };
        let exporter = build(config, &link)?;
        Ok(Otlp { config: config.clone(), url: config.url(), link, exporter })
    }

    /// Reads the system's authorities, if the connection needs them. Whoever waits for the start waits no more.
    pub(super) fn trust_system(&mut self) {
        if self.link.is_encrypted() && self.config.certificate.is_none() {
            self.link.roots = Roots::System;
            self.reconnect();
        }
    }

    pub(super) async fn export(&self, batch: &ResourceMetrics) -> Outcome {
        self.exporter.export(batch).await.map_err(|error| match error {
            OTelSdkError::Timeout(limit) => Failure::TimedOut(limit),
            error => Failure::Refused(match self.link.cause.take() {
                Some(cause) => format!("{error}: {cause}"),
                None => error.to_string(),
            }),
        })
    }

    /// Bound of one export, retries included.
    pub(super) fn timeout(&self) -> Duration {
        self.config.timeout
    }

    /// Drops the connection; the next export makes a new one.
    ///
    /// A peer that vanished without a word keeps its TCP connection alive for a quarter of an hour; a new one finds
    /// its successor at once.
    pub(super) fn reconnect(&mut self) {
        match build(&self.config, &self.link) {
            Ok(exporter) => self.exporter = exporter,
            Err(error) => {
                quietly(|| tracing::warn!(target: "otel_vitals", %error, "the old connection is kept"));
            }
        }
    }

    pub(super) fn shutdown(&self) {
        // It only fails when its lock is poisoned, and then the connection goes with the runtime.
        let _ = self.exporter.shutdown();
    }

    /// The `otel.component.type` of the conventions.
    pub(super) fn component(&self) -> &'static str {
        match self.config.protocol {
            Protocol::Grpc => "otlp_grpc_metric_exporter",
            Protocol::HttpProtobuf => "otlp_http_metric_exporter",
            Protocol::HttpJson => "otlp_http_json_metric_exporter",
        }
    }

    pub(super) fn server(&self) -> Option<(&str, u16)> {
        let Link { endpoint, .. } = &self.link;
        let default = if self.link.is_encrypted() { 443 } else { 80 };
        // An IPv6 address is in brackets only where a port may follow.
        let host = endpoint.host()?.trim_start_matches('[').trim_end_matches(']');
        Some((host, endpoint.port_u16().unwrap_or(default)))
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Link {
    pub(super) fn is_encrypted(&self) -> bool {
        self.endpoint.scheme() == Some(&http::uri::Scheme::HTTPS)
    }
}

impl Cause {
    #[cfg(feature = "http")]
    pub(super) fn is(&self, error: &(dyn std::error::Error + 'static)) {
        *self.lock() = Some(in_full(error));
    }

    fn take(&self) -> Option<String> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        // Nothing panics while it holds the lock, and an Option is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn build(config: &OtlpConfig, link: &Link) -> Result<MetricExporter, Error> {
    match config.protocol {
        #[cfg(feature = "grpc")]
        Protocol::Grpc => grpc::build(config, link),
        #[cfg(feature = "http")]
        Protocol::HttpProtobuf => over_http(config, link, opentelemetry_otlp::Protocol::HttpBinary),
        #[cfg(feature = "http")]
        Protocol::HttpJson => over_http(config, link, opentelemetry_otlp::Protocol::HttpJson),
        #[cfg(not(all(feature = "grpc", feature = "http")))]
        other => {
            let reason = format!("{other:?} needs the feature `grpc` (for gRPC) or `http` of otel-vitals");
            Err(Error::Exporter { endpoint: link.endpoint.to_string(), reason })
        }
    }
}

#[cfg(feature = "http")]
fn over_http(
    config: &OtlpConfig,
    link: &Link,
    protocol: opentelemetry_otlp::Protocol,
) -> Result<MetricExporter, Error> {
    use opentelemetry_otlp::WithHttpConfig as _;

    let client = super::http_client::Client::new(config, link)?;
    let builder = MetricExporter::builder()
        .with_temporality(config.temporality.into())
        .with_http()
        .with_endpoint(link.endpoint.to_string())
        .with_protocol(protocol)
        .with_timeout(config.timeout)
        .with_http_client(client);
    let builder = match compression(config)? {
        Some(compression) => builder.with_compression(compression),
        None => builder,
    };
    builder.build().map_err(|error| refused(link, &error))
}

#[cfg(feature = "grpc")]
mod grpc {
    use super::*;
    use crate::pipeline::resolver::{self, Resolver};
    use hyper_util::client::legacy::connect::HttpConnector;
    use opentelemetry_otlp::WithTonicConfig as _;
    use tonic::metadata::MetadataMap;
    use tonic::transport::{Channel, Endpoint};

    const KEEP_ALIVE: Duration = Duration::from_secs(60);

    pub(super) fn build(config: &OtlpConfig, link: &Link) -> Result<MetricExporter, Error> {
        let headers = MetadataMap::from_headers(config.headers.to_map());
        let builder = MetricExporter::builder()
            .with_temporality(config.temporality.into())
            .with_tonic()
            .with_timeout(config.timeout)
            .with_channel(channel(config, link)?)
            // The exporter adds the headers of the environment by itself; ours already are what all layers agreed on.
            .with_interceptor(move |mut request: tonic::Request<()>| {
                *request.metadata_mut() = headers.clone();
                Ok(request)
            });
        let builder = match compression(config)? {
            Some(compression) => builder.with_compression(compression),
            None => builder,
        };
        builder.build().map_err(|error| refused(link, &error))
    }

    fn channel(config: &OtlpConfig, link: &Link) -> Result<Channel, Error> {
        // No `timeout`: the pipeline bounds every export itself, and must be the one to notice, see `reconnect`.
        let builder = Endpoint::from(link.endpoint.clone())
            .user_agent(USER_AGENT)
            .map_err(|error| refused(link, &error))?;
        let builder = if link.is_encrypted() { encrypted(builder, config, link)? } else { builder };
        Ok(builder.connect_with_connector_lazy(connector(config)))
    }

    /// Connections without TLS, which the endpoint adds where it is configured.
    fn connector(config: &OtlpConfig) -> HttpConnector<Resolver> {
        let mut http = resolver::connector(config.timeout);
        http.enforce_http(false);
        http.set_keepalive(Some(KEEP_ALIVE));
        http
    }

    #[cfg(not(feature = "tls"))]
    fn encrypted(_: Endpoint, _: &OtlpConfig, link: &Link) -> Result<Endpoint, Error> {
        Err(Error::Exporter { endpoint: link.endpoint.to_string(), reason: NO_TLS.to_owned() })
    }

    #[cfg(feature = "tls")]
    fn encrypted(builder: Endpoint, config: &OtlpConfig, link: &Link) -> Result<Endpoint, Error> {
        use tonic::transport::{Certificate, ClientTlsConfig, Identity};

        let mut tls = ClientTlsConfig::new();
        tls = match (config.read_certificate()?, link.roots) {
            (Some(pem), _) => tls.ca_certificate(Certificate::from_pem(pem)),
            (None, Roots::System) => tls.with_native_roots(),
            (None, Roots::NotYet) => tls,
        };
        if let Some((certificate, key)) = config.read_identity()? {
            tls = tls.identity(Identity::from_pem(certificate, key));
        }
        builder.tls_config(tls).map_err(|error| refused(link, &error))
    }
}

fn compression(config: &OtlpConfig) -> Result<Option<opentelemetry_otlp::Compression>, Error> {
    match config.compression {
        Compression::None => Ok(None),
        #[cfg(feature = "gzip")]
        Compression::Gzip => Ok(Some(opentelemetry_otlp::Compression::Gzip)),
        #[cfg(not(feature = "gzip"))]
        Compression::Gzip => {
            let reason = "compression needs the feature `gzip` of otel-vitals".to_owned();
            Err(Error::Exporter { endpoint: config.url(), reason })
        }
    }
}

/// Where to ship: what is configured, or the default of the protocol. An address without a scheme is encrypted
/// unless the configuration says `insecure`.
fn endpoint(config: &OtlpConfig) -> Result<http::Uri, Error> {
    let endpoint = config.url();
    endpoint.parse().map_err(|error| Error::Exporter { endpoint, reason: format!("not a URL: {error}") })
}

#[cfg(not(feature = "tls"))]
pub(super) const NO_TLS: &str = "an https endpoint needs the feature `tls` of otel-vitals";

fn refused(link: &Link, error: &(dyn std::error::Error + 'static)) -> Error {
    Error::Exporter { endpoint: link.endpoint.to_string(), reason: in_full(error) }
}

/// An error with everything that caused it, because the outermost often only says "transport error".
fn in_full(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        // Some say what caused them themselves.
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
