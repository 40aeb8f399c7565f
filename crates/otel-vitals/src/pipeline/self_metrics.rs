//! What the pipeline says of itself.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `otel.sdk.metric_reader.collection.duration` | monotonic clock around each collection | `otel.component.*`, `error.type` on failure |
//! | `otel.sdk.exporter.metric_data_point.exported` | points of each finished export | `otel.component.*`, `server.*`, `error.type` on failure |
//! | `otel.sdk.exporter.metric_data_point.inflight` | points of exports under way | `otel.component.*`, `server.*` |
//! | `otel.sdk.exporter.operation.duration` | monotonic clock around each export | `otel.component.*`, `server.*`, `error.type` on failure |

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, MeterProvider as _, UpDownCounter};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use std::time::Duration;

use super::reader::Failure;

/// From a local collection to an export that takes all of its time.
const BOUNDARIES: [f64; 11] = [1e-4, 2.5e-4, 1e-3, 2.5e-3, 1e-2, 2.5e-2, 1e-1, 2.5e-1, 1.0, 5.0, 10.0];

#[derive(Clone, Debug)]
pub(super) struct SelfMetrics {
    collections: Histogram<f64>,
    exported: Counter<u64>,
    in_flight: UpDownCounter<i64>,
    exports: Histogram<f64>,
    reader: [KeyValue; 2],
}

/// The metrics of one exporter.
#[derive(Debug)]
pub(super) struct ExporterMetrics {
    all: SelfMetrics,
    attributes: Vec<KeyValue>,
}

/// An export under way.
pub(super) struct InFlight<'a> {
    exporter: &'a ExporterMetrics,
    points: u64,
}

impl SelfMetrics {
    pub(super) fn new(provider: &SdkMeterProvider) -> Self {
        let meter = provider.meter_with_scope(crate::scope());
        SelfMetrics {
            collections: meter
                .f64_histogram("otel.sdk.metric_reader.collection.duration")
                .with_unit("s")
                .with_description("Time to collect all metrics once.")
                .with_boundaries(BOUNDARIES.to_vec())
                .build(),
            exported: meter
                .u64_counter("otel.sdk.exporter.metric_data_point.exported")
                .with_unit("{data_point}")
                .with_description("Data points whose export ended, by success or by failure.")
                .build(),
            in_flight: meter
                .i64_up_down_counter("otel.sdk.exporter.metric_data_point.inflight")
                .with_unit("{data_point}")
                .with_description("Data points given to the exporter whose export has not ended.")
                .build(),
            exports: meter
                .f64_histogram("otel.sdk.exporter.operation.duration")
                .with_unit("s")
                .with_description("Time to export one batch, retries included.")
                .with_boundaries(BOUNDARIES.to_vec())
                .build(),
            reader: component("periodic_metric_reader"),
        }
    }

    pub(super) fn exporter(&self, kind: &'static str, server: Option<(&str, u16)>) -> ExporterMetrics {
        let mut attributes = component(kind).to_vec();
        if let Some((address, port)) = server {
            attributes.push(KeyValue::new("server.address", address.to_owned()));
            attributes.push(KeyValue::new("server.port", i64::from(port)));
        }
        ExporterMetrics { all: self.clone(), attributes }
    }

    pub(super) fn collected(&self, took: Duration, failed: bool) {
        if failed {
            let [kind, name] = self.reader.clone();
            self.collections.record(took.as_secs_f64(), &[kind, name, KeyValue::new("error.type", "_OTHER")]);
        } else {
            self.collections.record(took.as_secs_f64(), &self.reader);
        }
    }
}

impl ExporterMetrics {
    pub(super) fn start(&self, batch: &ResourceMetrics) -> InFlight<'_> {
        let points = points(batch);
        self.all.in_flight.add(otel_vitals_core::signed(points), &self.attributes);
        InFlight { exporter: self, points }
    }
}

impl InFlight<'_> {
    pub(super) fn end(self, took: Duration, failure: Option<&Failure>) {
        let ExporterMetrics { all, attributes } = self.exporter;
        let record = |attributes: &[KeyValue]| {
            all.exported.add(self.points, attributes);
            all.exports.record(took.as_secs_f64(), attributes);
        };
        match failure {
            None => record(attributes),
            Some(failure) => {
                let mut attributes = attributes.clone();
                attributes.push(KeyValue::new("error.type", error_type(failure)));
                record(&attributes);
            }
        }
    }
}

impl Drop for InFlight<'_> {
    // Also when the export is interrupted.
    fn drop(&mut self) {
        self.exporter.all.in_flight.add(-otel_vitals_core::signed(self.points), &self.exporter.attributes);
    }
}

fn component(kind: &'static str) -> [KeyValue; 2] {
    [KeyValue::new("otel.component.type", kind), KeyValue::new("otel.component.name", format!("{kind}/0"))]
}

fn error_type(failure: &Failure) -> &'static str {
    match failure {
        Failure::TimedOut(_) => "timeout",
        Failure::Refused(_) | Failure::Interrupted => "_OTHER",
    }
}

fn points(batch: &ResourceMetrics) -> u64 {
    let metrics = batch.scope_metrics().flat_map(|scope| scope.metrics());
    let points = metrics.map(|metric| match metric.data() {
        AggregatedMetrics::F64(data) => points_of(data),
        AggregatedMetrics::U64(data) => points_of(data),
        AggregatedMetrics::I64(data) => points_of(data),
    });
    points.sum::<usize>() as u64
}

fn points_of<T>(data: &MetricData<T>) -> usize {
    match data {
        MetricData::Gauge(gauge) => gauge.data_points().count(),
        MetricData::Sum(sum) => sum.data_points().count(),
        MetricData::Histogram(histogram) => histogram.data_points().count(),
        MetricData::ExponentialHistogram(histogram) => histogram.data_points().count(),
    }
}
