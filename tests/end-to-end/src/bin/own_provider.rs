//! A program that has a provider already, and wants our metrics on it.
//!
//! The command `seen` collects and says the names of all metrics.
#![allow(clippy::expect_used, reason = "a subject that cannot go on ends, and its test says so")]

use end_to_end::script;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use std::collections::BTreeSet;

fn main() {
    let exporter = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(exporter.clone()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    let start = || otel_vitals::Vitals::builder().meter_provider(provider.clone()).start();
    let Some(vitals) = script::start(start) else { return };
    script::obey_with(vitals, |command| {
        (command == "seen").then(|| {
            provider.force_flush().expect("memory takes everything");
            names(&exporter).into_iter().collect()
        })
    });
}

fn names(exporter: &InMemoryMetricExporter) -> BTreeSet<String> {
    let batches = exporter.get_finished_metrics().expect("memory keeps everything");
    let scopes = batches.iter().flat_map(|batch| batch.scope_metrics());
    scopes.flat_map(|scope| scope.metrics()).map(|metric| metric.name().to_owned()).collect()
}
