//! Where a batch goes.

use opentelemetry_sdk::metrics::data::ResourceMetrics;
use std::time::{Duration, Instant};
use tokio::time;

use super::console::Console;
use super::otlp::Otlp;
use super::reader::{Failure, Outcome};
use super::self_metrics::{ExporterMetrics, SelfMetrics};
use crate::config::{Config, ExporterKind};
use crate::error::Error;

/// One destination, with what is known about how it fares.
pub(super) struct Exporter {
    destination: Destination,
    metrics: Option<ExporterMetrics>,
    failing: bool,
}

enum Destination {
    Otlp(Box<Otlp>),
    Console(Console),
}

impl Exporter {
    /// The exporters that `config` asks for. Must be called inside the runtime that they will run on.
    pub(super) fn all(config: &Config) -> Result<Vec<Self>, Error> {
        config.metrics.exporters.iter().map(|kind| Self::new(*kind, config)).collect()
    }

    fn new(kind: ExporterKind, config: &Config) -> Result<Self, Error> {
        let destination = match kind {
            ExporterKind::Otlp => Destination::Otlp(Box::new(Otlp::new(&config.otlp)?)),
            ExporterKind::Console => Destination::Console(Console),
        };
        Ok(Exporter { destination, metrics: None, failing: false })
    }

    /// The same exporter, whose exports are counted in `otel.sdk.exporter.*`.
    pub(super) fn measured(mut self, metrics: &SelfMetrics) -> Self {
        self.metrics = match &self.destination {
            Destination::Otlp(otlp) => Some(metrics.exporter(otlp.component(), otlp.server())),
            // The conventions name no component type for a console.
            Destination::Console(_) => None,
        };
        self
    }

    /// Does what takes longer than the start may.
    pub(super) fn prepare(&mut self) {
        match &mut self.destination {
            Destination::Otlp(otlp) => otlp.trust_system(),
            Destination::Console(_) => {}
        }
    }

    /// Exports `batch` within `limit`.
    pub(super) async fn export(&mut self, batch: &ResourceMetrics, limit: Duration) -> Outcome {
        let started = Instant::now();
        let in_flight = self.metrics.as_ref().map(|metrics| metrics.start(batch));
        let outcome = self.destination.export(batch, limit).await;
        if let Some(in_flight) = in_flight {
            in_flight.end(started.elapsed(), outcome.as_ref().err());
        }
        log(&self.destination, &mut self.failing, &outcome);
        outcome
    }

    pub(super) fn shutdown(&self) {
        match &self.destination {
            Destination::Otlp(otlp) => otlp.shutdown(),
            Destination::Console(_) => {}
        }
    }
}

impl Destination {
    async fn export(&mut self, batch: &ResourceMetrics, limit: Duration) -> Outcome {
        match self {
            Destination::Otlp(otlp) => {
                let limit = limit.min(otlp.timeout());
                let outcome = time::timeout(limit, otlp.export(batch)).await;
                let outcome = outcome.unwrap_or(Err(Failure::TimedOut(limit)));
                if let Err(Failure::TimedOut(_)) = outcome {
                    otlp.reconnect();
                }
                outcome
            }
            Destination::Console(console) => console.export(batch),
        }
    }

    fn name(&self) -> &str {
        match self {
            Destination::Otlp(otlp) => otlp.url(),
            Destination::Console(_) => "standard output",
        }
    }
}

/// A collector that is away for a night is two lines in the log, not one every interval.
fn log(destination: &Destination, failing: &mut bool, outcome: &Outcome) {
    match (outcome, *failing) {
        (Err(Failure::Interrupted), _) | (Ok(()), false) | (Err(_), true) => {}
        (Err(failure), false) => {
            *failing = true;
            tracing::warn!(target: "otel_vitals", endpoint = destination.name(), reason = %failure,
                "metrics do not arrive; export goes on every interval (logged once until it succeeds)");
        }
        (Ok(()), true) => {
            *failing = false;
            tracing::info!(target: "otel_vitals", endpoint = destination.name(), "metrics arrive again");
        }
    }
}
