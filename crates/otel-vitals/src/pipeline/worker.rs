//! The thread's loop: wait, collect, export, until asked to stop.

use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader as _;
use otel_vitals_core::{Collection, quietly};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{self, MissedTickBehavior};

use super::exporter::Exporter;
use super::last_export::LastExport;
use super::reader::{Control, Failure, Outcome, Reader, Requests};
use super::self_metrics::SelfMetrics;
use super::{deadline, remaining};
use crate::config::Config;

pub(super) struct Worker {
    interval: Duration,
    /// Bound of one collection and export.
    timeout: Duration,
    reader: Reader,
    collection: Collection,
    exporters: Vec<Exporter>,
    requests: Requests,
    last: LastExport,
    metrics: SelfMetrics,
    /// Whether the last collection failed, which is logged once.
    failing: bool,
    /// Refilled by every collection.
    batch: ResourceMetrics,
}

/// What made the worker wake up.
enum Wake {
    Tick,
    Flush(mpsc::SyncSender<Outcome>),
    Stop(Instant),
}

/// Reports the end of the thread when it is dropped, which a panic does too, so that nobody waits in vain.
pub(super) struct Stop {
    control: Control,
}

impl Stop {
    pub(super) fn new(control: Control) -> Self {
        Stop { control }
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.control.stopped(Err(Failure::Refused("the export thread ended early".to_owned())));
    }
}

impl Worker {
    pub(super) fn new(
        config: &Config,
        reader: Reader,
        collection: Collection,
        exporters: Vec<Exporter>,
        requests: Requests,
        last: LastExport,
        provider: &SdkMeterProvider,
    ) -> Self {
        let metrics = SelfMetrics::new(provider);
        Worker {
            interval: config.metrics.interval,
            timeout: config.metrics.timeout,
            exporters: exporters.into_iter().map(|exporter| exporter.measured(&metrics)).collect(),
            reader,
            collection,
            requests,
            last,
            metrics,
            failing: false,
            batch: ResourceMetrics::default(),
        }
    }

    pub(super) async fn run(mut self) {
        self.exporters.iter_mut().for_each(Exporter::prepare);
        let mut ticks = time::interval_at(time::Instant::now() + self.interval, self.interval);
        // After an export that took longer than an interval, the next one is a whole interval away.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            match self.wake(&mut ticks).await {
                Wake::Tick => drop(self.export(self.timeout).await),
                Wake::Flush(reply) => self.flush(reply).await,
                Wake::Stop(deadline) => break self.stop(deadline).await,
            }
        }
    }

    async fn wake(&mut self, ticks: &mut time::Interval) -> Wake {
        let Requests { flush, stop } = &mut self.requests;
        tokio::select! {
            biased;
            deadline = asked(stop) => Wake::Stop(deadline),
            Some(reply) = flush.recv() => Wake::Flush(reply),
            _ = ticks.tick() => Wake::Tick,
        }
    }

    /// One export answers everybody who is waiting for a flush by now.
    async fn flush(&mut self, first: mpsc::SyncSender<Outcome>) {
        let mut replies = vec![first];
        while let Ok(reply) = self.requests.flush.try_recv() {
            replies.push(reply);
        }
        let outcome = self.export(self.timeout).await;
        for reply in replies {
            // Who asked may have stopped waiting.
            let _ = reply.try_send(outcome.clone());
        }
    }

    async fn stop(mut self, deadline: Instant) {
        let outcome = match self.collect() {
            Ok(()) => ship(&mut self.exporters, &self.batch, remaining(deadline)).await,
            Err(failure) => Err(failure),
        };
        self.last.set(&outcome);
        self.reader.close();
        for exporter in &self.exporters {
            exporter.shutdown();
        }
        self.reader.stopped(outcome);
    }

    /// Collects and exports within `limit`, or until a shutdown needs what is left of its own time.
    async fn export(&mut self, limit: Duration) -> Outcome {
        let outcome = self.collect_and_ship(limit).await;
        self.last.set(&outcome);
        outcome
    }

    async fn collect_and_ship(&mut self, limit: Duration) -> Outcome {
        let deadline = deadline(limit);
        self.collect()?;
        let shipped = ship(&mut self.exporters, &self.batch, remaining(deadline));
        tokio::select! {
            outcome = shipped => outcome,
            () = curtailed(&mut self.requests.stop) => Err(Failure::Interrupted),
        }
    }

    fn collect(&mut self) -> Outcome {
        let started = Instant::now();
        self.collection.begin();
        // Our callbacks are guarded; the application's own are not, and the SDK runs them here.
        let collected = catch_unwind(AssertUnwindSafe(|| self.reader.collect(&mut self.batch)));
        self.collection.end();
        let failure = match collected {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("the SDK could not collect: {error}")),
            Err(_) => {
                Some("an instrument's callback panicked; the SDK collects no more after that".to_owned())
            }
        };
        self.metrics.collected(started.elapsed(), failure.is_some());
        let failed_before = std::mem::replace(&mut self.failing, failure.is_some());
        let Some(reason) = failure else { return Ok(()) };
        // After a panic the SDK only says that it cannot collect: the first reason is the one that tells.
        if !failed_before {
            quietly(
                || tracing::error!(target: "otel_vitals", reason, "metrics could not be collected (logged once until they can)"),
            );
        }
        Err(Failure::Refused(reason))
    }
}

/// Gives the batch to every exporter; one that fails costs only its own.
async fn ship(exporters: &mut [Exporter], batch: &ResourceMetrics, limit: Duration) -> Outcome {
    let deadline = deadline(limit);
    let mut outcome = Ok(());
    for exporter in exporters {
        let shipped = exporter.export(batch, remaining(deadline)).await;
        outcome = outcome.and(shipped);
    }
    outcome
}

/// Waits until a shutdown is asked for; returns when it must be over.
async fn asked(stop: &mut watch::Receiver<Option<Instant>>) -> Instant {
    match stop.wait_for(Option::is_some).await {
        Ok(deadline) => deadline.unwrap_or_else(Instant::now),
        // Every handle and the provider are gone: nobody can ask any more, and nobody waits.
        Err(_) => Instant::now() + Duration::from_secs(1),
    }
}

/// Waits until a shutdown is asked for and half of its time is over, which leaves the other half for the last export.
async fn curtailed(stop: &mut watch::Receiver<Option<Instant>>) {
    let deadline = asked(stop).await;
    time::sleep(remaining(deadline) / 2).await;
}
