//! One call in `main` gives a Rust service process and host metrics over OTLP.

mod config;
mod error;

pub use config::{
    Compression, Config, Endpoint, ExporterKind, Headers, MetricsConfig, OtlpConfig, Protocol,
    ResourceConfig, ServiceConfig, Temporality,
};
pub use error::{ConfigError, Error};
