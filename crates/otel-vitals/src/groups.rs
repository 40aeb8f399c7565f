//! What is measured, declared on a provider as the configuration says.

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use otel_vitals_core::{Collection, SourceContext};
use otel_vitals_runtime::{PauseMonitor, Runtimes};

use crate::config::{Config, Temporality};
use crate::delta;
use crate::error::Error;
use crate::health::{self, Health};

/// Declares every group that `config` turns on.
pub(crate) fn register(
    provider: &SdkMeterProvider,
    config: &Config,
    runtimes: &Runtimes,
    health: &Health,
    collection: &Collection,
    brought: bool,
) {
    let context = sources(provider, config, collection);
    let deltas = config.otlp.temporality == Temporality::Delta && !brought;
    let meter = |scope, since_start| match provider.meter_with_scope(scope) {
        meter if deltas => delta::meter(meter, since_start),
        meter => meter,
    };
    let process = meter(otel_vitals_runtime::scope(), true);
    otel_vitals_runtime::register(&process, &context, &config.metrics.process);
    otel_vitals_runtime::register_allocator(&process, &context, &config.metrics.allocator);
    otel_vitals_runtime::register_tokio(&process, &context, runtimes, &config.metrics.tokio);
    let host = meter(otel_vitals_host::scope(), false);
    otel_vitals_host::register(&host, &context, &config.metrics.host);
    if config.metrics.health {
        health::register(&meter(crate::scope(), true), &context, health.registry());
    }
}

/// Starts to watch for pauses, if `config` says so.
pub(crate) fn watch(
    provider: &SdkMeterProvider,
    config: &Config,
    runtimes: &Runtimes,
    collection: &Collection,
) -> Result<Option<PauseMonitor>, Error> {
    if config.disabled {
        return Ok(None);
    }
    // Neither histograms nor gauges need help to be read as deltas.
    let meter = provider.meter_with_scope(otel_vitals_runtime::scope());
    let context = sources(provider, config, collection);
    PauseMonitor::start(&meter, &context, runtimes, &config.metrics.pauses)
        .map_err(|source| Error::Start { what: "the thread that watches for pauses", source })
}

fn sources(provider: &SdkMeterProvider, config: &Config, collection: &Collection) -> SourceContext {
    let ours = provider.meter_with_scope(crate::scope());
    SourceContext::new(&ours, config.metrics.freshness).with_collection(collection.clone())
}
