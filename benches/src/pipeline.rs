//! The SDK around a group: instruments, aggregation, and a reader that collects when asked.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter, MeterProvider as _};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, Histogram, Metric, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, InstrumentKind, ManualReader, PeriodicReader, Pipeline, SdkMeterProvider,
    Temporality,
};
use std::borrow::Cow;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::instrument::{About, Build, build};

/// A provider that is collected by whoever asks, on the thread that asks.
pub struct Direct {
    provider: SdkMeterProvider,
    reader: Shared,
    batch: ResourceMetrics,
}

/// A provider with the SDK's periodic reader, whose thread collects, and its in-memory exporter. It collects only
/// when flushed.
pub struct Periodic {
    provider: SdkMeterProvider,
    exporter: InMemoryMetricExporter,
}

#[derive(Clone, Debug)]
struct Shared(Arc<ManualReader>);

impl Default for Direct {
    fn default() -> Self {
        let reader = Shared(Arc::new(ManualReader::builder().build()));
        let provider = SdkMeterProvider::builder().with_reader(reader.clone()).build();
        Direct { provider, reader, batch: ResourceMetrics::default() }
    }
}

impl Direct {
    /// The provider.
    #[must_use]
    pub fn provider(&self) -> &SdkMeterProvider {
        &self.provider
    }

    /// Collects once.
    #[allow(clippy::expect_used, reason = "a bench that cannot go on fails")]
    pub fn collect(&mut self) -> &ResourceMetrics {
        self.reader.collect(&mut self.batch).expect("nobody shuts this pipeline down");
        &self.batch
    }

    /// What was collected last.
    #[must_use]
    pub fn into_batch(self) -> ResourceMetrics {
        self.batch
    }
}

impl Default for Periodic {
    fn default() -> Self {
        let exporter = InMemoryMetricExporter::default();
        let reader =
            PeriodicReader::builder(exporter.clone()).with_interval(Duration::from_secs(86_400)).build();
        Periodic { provider: SdkMeterProvider::builder().with_reader(reader).build(), exporter }
    }
}

impl Periodic {
    /// The provider.
    #[must_use]
    pub fn provider(&self) -> &SdkMeterProvider {
        &self.provider
    }

    /// Collects and exports once.
    #[allow(clippy::expect_used, reason = "a bench that cannot go on fails")]
    pub fn flush(&self) {
        self.provider.force_flush().expect("memory takes every export");
        self.exporter.reset();
    }
}

impl MetricReader for Shared {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, batch: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(batch)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}

/// Builds on `provider` what `batch` has: as many instruments of the same kinds, with the same series, whose callbacks
/// read nothing. What collecting these costs is the SDK's share.
pub fn replay(batch: &ResourceMetrics, provider: &SdkMeterProvider) {
    for scope in batch.scope_metrics() {
        let meter = provider.meter_with_scope(scope.scope().clone());
        for metric in scope.metrics() {
            match metric.data() {
                AggregatedMetrics::U64(data) => Kinds::U64.replay(metric, data, &meter),
                AggregatedMetrics::I64(data) => Kinds::I64.replay(metric, data, &meter),
                AggregatedMetrics::F64(data) => Kinds::F64.replay(metric, data, &meter),
            }
        }
    }
}

/// The observable instruments whose values are `N`; none where the API has no such instrument.
struct Kinds<N> {
    counter: Option<Build<N>>,
    up_down_counter: Option<Build<N>>,
    gauge: Build<N>,
}

impl Kinds<u64> {
    const U64: Self = Kinds {
        counter: Some(build!(u64_observable_counter)),
        up_down_counter: None,
        gauge: build!(u64_observable_gauge),
    };
}

impl Kinds<i64> {
    const I64: Self = Kinds {
        counter: None,
        up_down_counter: Some(build!(i64_observable_up_down_counter)),
        gauge: build!(i64_observable_gauge),
    };
}

impl Kinds<f64> {
    const F64: Self = Kinds {
        counter: Some(build!(f64_observable_counter)),
        up_down_counter: Some(build!(f64_observable_up_down_counter)),
        gauge: build!(f64_observable_gauge),
    };
}

impl<N: Copy + Send + Sync + 'static> Kinds<N> {
    fn replay(&self, metric: &Metric, data: &MetricData<N>, meter: &Meter) {
        let about = About {
            name: forever(metric.name()),
            unit: forever(metric.unit()),
            description: forever(metric.description()),
        };
        let (build, series) = match data {
            MetricData::Gauge(gauge) => {
                let points = gauge.data_points().map(|point| (point.value(), owned(point.attributes())));
                (Some(self.gauge), points.collect::<Vec<_>>())
            }
            MetricData::Sum(sum) => {
                let points = sum.data_points().map(|point| (point.value(), owned(point.attributes())));
                let build = if sum.is_monotonic() { self.counter } else { self.up_down_counter };
                (build, points.collect())
            }
            MetricData::Histogram(histogram) => return replay_histogram(about, histogram, meter),
            MetricData::ExponentialHistogram(_) => (None, Vec::new()),
        };
        if let Some(build) = build {
            let observe = move |instrument: &dyn AsyncInstrument<N>| {
                series.iter().for_each(|(value, attributes)| instrument.observe(*value, attributes));
            };
            build(meter, about, Box::new(observe));
        }
    }
}

/// Histograms are recorded when something happens, so that a collection only finds their series.
fn replay_histogram<N>(about: About, histogram: &Histogram<N>, meter: &Meter) {
    let bounds = histogram.data_points().next().map(|point| point.bounds().collect());
    let instrument = meter
        .f64_histogram(about.name)
        .with_unit(about.unit)
        .with_boundaries(bounds.unwrap_or_default())
        .build();
    for point in histogram.data_points() {
        instrument.record(0.0, &owned(point.attributes()));
    }
}

/// `text` as a literal is, which the SDK copies for nothing.
fn forever(text: &str) -> Cow<'static, str> {
    Cow::Borrowed(Box::leak(text.to_owned().into_boxed_str()))
}

fn owned<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> Vec<KeyValue> {
    attributes.cloned().collect()
}

/// How many metrics and how many series a collection has.
#[must_use]
pub fn size(batch: &ResourceMetrics) -> (usize, usize) {
    let metrics = batch.scope_metrics().flat_map(|scope| scope.metrics());
    metrics.fold((0, 0), |(metrics, series), metric| (metrics + 1, series + points(metric)))
}

fn points(metric: &Metric) -> usize {
    fn count<T>(data: &MetricData<T>) -> usize {
        match data {
            MetricData::Gauge(gauge) => gauge.data_points().count(),
            MetricData::Sum(sum) => sum.data_points().count(),
            MetricData::Histogram(histogram) => histogram.data_points().count(),
            MetricData::ExponentialHistogram(histogram) => histogram.data_points().count(),
        }
    }
    match metric.data() {
        AggregatedMetrics::F64(data) => count(data),
        AggregatedMetrics::U64(data) => count(data),
        AggregatedMetrics::I64(data) => count(data),
    }
}
