//! What stands for OTLP in a build without it: nothing that could be made.

use opentelemetry_sdk::metrics::data::ResourceMetrics;
use std::time::Duration;

use super::reader::Outcome;
use crate::config::OtlpConfig;
use crate::error::Error;

/// There is no value of it.
pub(super) enum Otlp {}

impl Otlp {
    pub(super) fn new(config: &OtlpConfig) -> Result<Self, Error> {
        let reason = "OTLP needs the feature `grpc` or `http` of otel-vitals".to_owned();
        Err(Error::Exporter { endpoint: config.url(), reason })
    }

    #[expect(clippy::unused_async, reason = "the same signature as with OTLP")]
    pub(super) async fn export(&self, _: &ResourceMetrics) -> Outcome {
        match *self {}
    }

    pub(super) fn timeout(&self) -> Duration {
        match *self {}
    }

    pub(super) fn trust_system(&mut self) {
        match *self {}
    }

    pub(super) fn reconnect(&mut self) {
        match *self {}
    }

    pub(super) fn shutdown(&self) {
        match *self {}
    }

    pub(super) fn component(&self) -> &'static str {
        match *self {}
    }

    pub(super) fn server(&self) -> Option<(&str, u16)> {
        match *self {}
    }

    pub(super) fn url(&self) -> &str {
        match *self {}
    }
}
