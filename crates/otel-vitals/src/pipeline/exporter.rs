//! Where a batch goes.

use opentelemetry_sdk::metrics::data::ResourceMetrics;
use otel_vitals_core::quietly;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
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
                let outcome = time::timeout(limit, unpanicked(otlp.export(batch))).await;
                let outcome = outcome.unwrap_or(Err(Failure::TimedOut(limit)));
                // What failed may be the connection itself, or a certificate that has been renewed since it was made.
                if outcome.is_err() {
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

/// What `export` comes to; a panic on its way, in whatever library, is a failure like another.
async fn unpanicked(export: impl Future<Output = Outcome>) -> Outcome {
    let mut export = pin!(export);
    let polled = poll_fn(|context| {
        let poll = catch_unwind(AssertUnwindSafe(|| export.as_mut().poll(context)));
        poll.unwrap_or_else(|_| Poll::Ready(Err(Failure::Refused("the exporter panicked".to_owned()))))
    });
    polled.await
}

/// A collector that is away for a night is two lines in the log, not one every interval.
fn log(destination: &Destination, failing: &mut bool, outcome: &Outcome) {
    match (outcome, *failing) {
        (Err(Failure::Interrupted), _) | (Ok(()), false) | (Err(_), true) => {}
        (Err(failure), false) => {
            *failing = true;
            quietly(|| {
                tracing::warn!(target: "otel_vitals", endpoint = destination.name(), reason = %failure,
                    "metrics do not arrive; export goes on every interval (logged once until it succeeds)");
            });
        }
        (Ok(()), true) => {
            *failing = false;
            quietly(|| {
                tracing::info!(target: "otel_vitals", endpoint = destination.name(), "metrics arrive again");
            });
        }
    }
}
