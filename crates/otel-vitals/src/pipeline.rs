//! The export pipeline: one named thread that collects and ships, whatever the application's runtime does.
//!
//! The SDK's own periodic reader exports on a plain thread, where the gRPC exporter finds no runtime, and its flush
//! waits without limit. This pipeline owns its thread and a current-thread tokio runtime on it: exports go on while
//! the application's workers are stuck, `flush` and `shutdown` may be called from inside any runtime, and every
//! wait has a bound. See `docs/adr/0002-own-export-pipeline.md`.

mod console;
mod exporter;
#[cfg(feature = "http")]
mod http_client;
mod last_export;
#[cfg(any(feature = "grpc", feature = "http"))]
mod otlp;
#[cfg(not(any(feature = "grpc", feature = "http")))]
#[path = "pipeline/no_otlp.rs"]
mod otlp;
mod reader;
#[cfg(any(feature = "grpc", feature = "http"))]
mod resolver;
mod self_metrics;
#[cfg(all(feature = "http", feature = "tls"))]
mod tls;
mod worker;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{Instrument, InstrumentKind, SdkMeterProvider, Stream};
use otel_vitals_core::Collection;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::error::Error;
use exporter::Exporter;
use reader::Reader;
use worker::{Stop, Worker};

pub(crate) use last_export::LastExport;
pub(crate) use reader::Control;

const THREAD: &str = "otel-vitals";

/// Builds a provider with `resource` and starts the thread that exports what it collects, as `config` says.
///
/// Nothing is sent and no connection is made before the first interval is over.
///
/// `collection` begins anew with everything that is collected.
pub(crate) fn start(
    config: &Config,
    resource: Resource,
    collection: Collection,
) -> Result<(SdkMeterProvider, Control), Error> {
    let (control, requests) = Control::new();
    let reader = Reader::new(config.otlp.temporality.into(), control.clone(), config.metrics.timeout);
    let many = Many {
        cores: config.metrics.host.cpu.per_core || config.metrics.host.cpu.frequency,
        workers: config.metrics.tokio.per_worker,
    };
    let provider = SdkMeterProvider::builder()
        .with_resource(resource)
        .with_reader(reader.clone())
        .with_view(move |instrument| series_limit(instrument, many))
        .build();

    let (started, outcome) = mpsc::sync_channel(1);
    let stop = Stop::new(control.clone());
    let (settings, meter_provider, worker_control) = (config.clone(), provider.clone(), control.clone());
    std::thread::Builder::new()
        .name(THREAD.to_owned())
        .spawn(move || {
            let _suppressed = opentelemetry::Context::enter_telemetry_suppressed_scope();
            let _stop = stop;
            worker_control.is_worker();
            let runtime = match runtime() {
                Ok(runtime) => runtime,
                Err(error) => return drop(started.send(Err(error))),
            };
            let exporters = {
                let _inside = runtime.enter();
                match Exporter::all(&settings) {
                    Ok(exporters) => exporters,
                    Err(error) => return drop(started.send(Err(error))),
                }
            };
            let last = worker_control.last_export().clone();
            let worker =
                Worker::new(&settings, reader, collection, exporters, requests, last, &meter_provider);
            // The worker must not keep the provider alive: its reader only knows the pipeline weakly.
            drop(meter_provider);
            if started.send(Ok(())).is_ok() {
                runtime.block_on(worker.run());
            }
            // Whatever a connection has left behind must not keep this thread.
            runtime.shutdown_background();
        })
        .map_err(|source| Error::Start { what: "the export thread", source })?;

    match outcome.recv() {
        Ok(started) => started.map(|()| (provider, control)),
        Err(mpsc::RecvError) => Err(Error::Stopped),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Nothing of ours blocks there; what a library might must not pile up.
        .max_blocking_threads(2)
        .thread_keep_alive(Duration::from_secs(1))
        .thread_name(THREAD)
        .build()
        .map_err(|source| Error::Start { what: "the runtime of the export thread", source })
}

/// What may have a series of its own.
#[derive(Clone, Copy)]
struct Many {
    cores: bool,
    workers: bool,
}

/// The SDK makes room for 2,001 series an instrument, about 132 KiB, and drops what is beyond. What only ever has a
/// handful needs less; one a runtime is some hundred with actix on a large machine, of which blocking threads have two. Seven
/// modes of a thousand processors need more, and so do the workers of all runtimes and the buckets of poll times. Per-device
/// metrics, and whatever is not ours, keep the SDK's limit.
fn series_limit(instrument: &Instrument, many: Many) -> Option<Stream> {
    const FEW: usize = 100;
    const RUNTIMES: usize = 1_000;
    const MANY: usize = 16 << 10;
    if !instrument.scope().name().starts_with("otel-vitals") {
        return None;
    }
    let kept = matches!(
        instrument.kind(),
        InstrumentKind::Counter | InstrumentKind::UpDownCounter | InstrumentKind::Histogram
    );
    let limit = match instrument.name() {
        name if name.starts_with("tokio.task.poll_time.") => MANY,
        name if many.workers && name.starts_with("tokio.worker.") => MANY,
        name if name.starts_with("tokio.") => RUNTIMES,
        name if kept || name.starts_with("process.") => FEW,
        name if many.cores && name.starts_with("system.cpu.") => MANY,
        _ => return None,
    };
    Stream::builder().with_cardinality_limit(limit).build().ok()
}

/// The moment that is `limit` from now; of a limit that no clock can count, one that nobody lives to see.
fn deadline(limit: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    let now = Instant::now();
    now.checked_add(limit).unwrap_or_else(|| now + FAR)
}

/// What is left of the time until `deadline`.
fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

#[cfg(test)]
#[cfg(feature = "http")]
mod tests;
