//! Configuration: what to measure, how often, and where to send it.
//!
//! Later wins: the defaults, a YAML file, the `OTEL_*` and `VITALS_*` environment, code. Every key and every
//! variable is described in `docs/configuration.md`.

mod endpoint;
mod headers;

pub use endpoint::Endpoint;
pub use headers::Headers;

use std::path::PathBuf;
use std::time::Duration;

use otel_vitals_host::HostOptions;
use otel_vitals_runtime::ProcessOptions;

/// What to measure, how often, and where to send it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Nothing is measured and nothing sent (`OTEL_SDK_DISABLED`).
    pub disabled: bool,
    /// Which service this is.
    pub service: ServiceConfig,
    /// What else to say of it.
    pub resource: ResourceConfig,
    /// What to measure and how often.
    pub metrics: MetricsConfig,
    /// Where and how to send it over OTLP.
    pub otlp: OtlpConfig,
}

/// Which service this is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceConfig {
    /// `service.name`; without it `unknown_service:` and the name of the executable.
    pub name: Option<String>,
    /// `service.namespace`: what several services belong to.
    pub namespace: Option<String>,
    /// `service.version`.
    pub version: Option<String>,
    /// `service.instance.id`; without it a random one, new with every start.
    pub instance_id: Option<String>,
}

/// What else to say of the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceConfig {
    /// Resource attributes. They win over what is detected; of two with one name the later wins.
    pub attributes: Vec<(String, String)>,
}

/// What to measure and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetricsConfig {
    /// Where collections go; an empty list is nowhere.
    pub exporters: Vec<ExporterKind>,
    /// Time from one collection to the next.
    pub interval: Duration,
    /// Bound of one collection with its export, and of a flush and a shutdown.
    pub timeout: Duration,
    /// How long a source that has been read serves all its instruments before it is read again.
    pub freshness: Duration,
    /// `process.*`.
    pub process: ProcessOptions,
    /// `system.*` and `linux.*`.
    pub host: HostOptions,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        MetricsConfig {
            exporters: vec![ExporterKind::Otlp],
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(30),
            freshness: Duration::from_millis(100),
            process: ProcessOptions::default(),
            host: HostOptions::default(),
        }
    }
}

/// A place that collections go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExporterKind {
    /// An OpenTelemetry collector or backend, see [`OtlpConfig`].
    Otlp,
    /// Standard output.
    Console,
}

/// Where and how to send metrics over OTLP.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OtlpConfig {
    /// Where to; without it the default of the protocol, see [`OtlpConfig::url`].
    pub endpoint: Option<Endpoint>,
    /// How the request travels.
    pub protocol: Protocol,
    /// Sent with every request. Values are never printed.
    pub headers: Headers,
    /// Bound of one request, retries included.
    pub timeout: Duration,
    /// Compression of the request.
    pub compression: Compression,
    /// PEM file with the certificate authorities that the server's certificate is checked against, instead of the
    /// system's.
    pub certificate: Option<PathBuf>,
    /// PEM file with the certificate that we show to the server.
    pub client_certificate: Option<PathBuf>,
    /// PEM file with the private key of `client_certificate`.
    pub client_key: Option<PathBuf>,
    /// Send without TLS when a gRPC endpoint does not say `http://` or `https://`.
    pub insecure: bool,
    /// What a counter's value counts from.
    pub temporality: Temporality,
}

impl Default for OtlpConfig {
    fn default() -> Self {
        OtlpConfig {
            endpoint: None,
            protocol: Protocol::default(),
            headers: Headers::default(),
            timeout: Duration::from_secs(10),
            compression: Compression::default(),
            certificate: None,
            client_certificate: None,
            client_key: None,
            insecure: false,
            temporality: Temporality::default(),
        }
    }
}

/// How an OTLP request travels.
///
/// The OpenTelemetry specification recommends `http/protobuf` as the default and allows `grpc`. Ours is gRPC: it is
/// the port that every collector opens first, one connection stays open, and the server can push back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// `grpc`.
    #[default]
    Grpc,
    /// `http/protobuf`.
    HttpProtobuf,
    /// `http/json`.
    HttpJson,
}

/// Compression of an OTLP request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// None at all.
    #[default]
    None,
    /// gzip.
    Gzip,
}

/// What the value of a counter or histogram counts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Temporality {
    /// From the start: a lost export loses nothing.
    #[default]
    Cumulative,
    /// From the last collection, for counters and histograms; up-down counters stay cumulative.
    Delta,
    /// As delta for synchronous counters and histograms; observable counters stay cumulative, so that the SDK
    /// need not remember their last values.
    LowMemory,
}

impl From<Temporality> for opentelemetry_sdk::metrics::Temporality {
    fn from(temporality: Temporality) -> Self {
        match temporality {
            Temporality::Cumulative => Self::Cumulative,
            Temporality::Delta => Self::Delta,
            Temporality::LowMemory => Self::LowMemory,
        }
    }
}
