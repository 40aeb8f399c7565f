//! Configuration: what to measure, how often, and where to send it.
//!
//! Later wins: the defaults, a YAML file, the `OTEL_*` and `VITALS_*` environment, code. Every key and every
//! variable is described in `docs/configuration.md`.

mod certificates;
mod check;
mod draft;
mod endpoint;
pub(crate) mod environment;
mod file;
mod headers;
mod monitor;
mod phc;
mod profiling;
mod reference;
mod route;
mod schema;
mod secrets;
mod value;
mod yaml;

pub(crate) use draft::Scope;
pub use endpoint::Endpoint;
pub use headers::Headers;
pub use monitor::{AdminConfig, HardwareRoutes, MonitorConfig, Threshold, Thresholds, Tokens, Users};
pub use profiling::{CpuProfileConfig, HeapProfileConfig, HeapSource, ProfilingConfig};

use otel_vitals_core::quietly;
use otel_vitals_host::HostOptions;
use otel_vitals_runtime::{AllocatorOptions, PauseOptions, ProcessOptions, TokioOptions};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{ConfigError, Found, Origin, Problem};
use draft::Draft;
use environment::{CONFIG_FILE, Environment};

/// The file that is read when nobody names one and it is there.
const DEFAULT_FILE: &str = "vitals.yaml";

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
    /// What is told over HTTP, and to whom.
    pub monitor: MonitorConfig,
    /// How profiles are taken.
    pub profiling: ProfilingConfig,
}

impl Config {
    /// The configuration of this process: the file that `VITALS_CONFIG` names, or else `vitals.yaml` in the current
    /// folder when it is there, and the environment over it.
    ///
    /// # Errors
    /// [`ConfigError`] for the first thing that is wrong with either.
    pub fn load() -> Result<Self, ConfigError> {
        Self::load_file(None)
    }

    /// As [`load`](Config::load), with `file`, which must be there, instead of the file that would be found.
    ///
    /// # Errors
    /// [`ConfigError`] for the first thing that is wrong with the file or the environment.
    pub fn load_file(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::load_from(file, std::env::vars_os())
    }

    /// As [`load_file`](Config::load_file), with `variables` as the whole environment.
    ///
    /// ```
    /// use std::time::Duration;
    /// let variables = [("OTEL_METRIC_EXPORT_INTERVAL", "5000"), ("VITALS_METRICS_HOST_DISK", "false")];
    /// let config = otel_vitals::Config::load_from(None, variables)?;
    /// assert_eq!(config.metrics.interval, Duration::from_secs(5));
    /// assert!(!config.metrics.host.disk.enabled);
    /// # Ok::<(), otel_vitals::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] for the first thing that is wrong with the file or the variables.
    pub fn load_from<N, V>(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, ConfigError>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        Self::load_for(Scope::Everything, file, variables)
    }

    /// As [`load_from`](Config::load_from), where only what is in `scope` must be right.
    pub(crate) fn load_for<N, V>(
        scope: Scope,
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, ConfigError>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let environment = Environment::new(variables);
        let config = Self::layered(scope, file, Path::new(DEFAULT_FILE), &environment)?;
        for (variable, nearest) in environment.ignored() {
            quietly(|| {
                tracing::warn!(target: "otel_vitals", variable, nearest, "an environment variable that nothing reads");
            });
        }
        Ok(config)
    }

    /// The defaults, the file, and the environment over it.
    fn layered(
        scope: Scope,
        file: Option<&Path>,
        default_file: &Path,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let mut draft = Draft::new(scope);
        if let Some((path, named_by)) = choose_file(file, default_file, environment) {
            let text = file::text(&path).map_err(|error| {
                let found = Found::File { path: path.clone(), reason: format!("cannot be read: {error}") };
                let problem = Problem::Wrong { found, expected: "a configuration file".to_owned() };
                ConfigError::new(named_by, None, problem)
            })?;
            file::apply(&path, &text, environment, &mut draft)?;
        }
        environment.apply(&mut draft)?;
        environment.refuse_unknown()?;
        draft.validate()?;
        Ok(draft.config)
    }
}

/// The file to read and who names it. The default file need not be there, but when it is it must be readable.
fn choose_file(
    file: Option<&Path>,
    default_file: &Path,
    environment: &Environment,
) -> Option<(PathBuf, Origin)> {
    if let Some(file) = file {
        return Some((file.to_owned(), Origin::Code));
    }
    if let Some(file) = environment.get(CONFIG_FILE) {
        return Some((file.into(), Origin::Variable(CONFIG_FILE.to_owned())));
    }
    let there = std::fs::symlink_metadata(default_file).is_ok();
    let origin = Origin::File { path: default_file.to_owned(), line: None };
    there.then(|| (default_file.to_owned(), origin))
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
    /// Bound of one collection with its export, and of a flush.
    pub timeout: Duration,
    /// How long a source that has been read serves all its instruments before it is read again, within a collection; on
    /// a provider that the application brought, also from one collection to the next.
    pub freshness: Duration,
    /// `process.*`.
    pub process: ProcessOptions,
    /// `rust.memory.*` and `rust.allocator.*`, where the global allocator is an [`alloc::Counting`](crate::alloc::Counting).
    pub allocator: AllocatorOptions,
    /// `tokio.*` of the runtimes that are watched.
    pub tokio: TokioOptions,
    /// Stalls of the process and of its runtimes.
    pub pauses: PauseOptions,
    /// `otel_vitals.health.*`, where health checks or probes are used.
    pub health: bool,
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
            allocator: AllocatorOptions::default(),
            tokio: TokioOptions::default(),
            pauses: PauseOptions::default(),
            health: true,
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
    #[cfg_attr(any(feature = "grpc", not(feature = "http")), default)]
    Grpc,
    /// `http/protobuf`; the default of a build that leaves gRPC out.
    #[cfg_attr(all(feature = "http", not(feature = "grpc")), default)]
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

#[cfg(test)]
mod tests;
