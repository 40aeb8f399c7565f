//! What the tests of every crate share: a metrics pipeline in memory, read back as plain values.
//!
//! ```
//! use test_harness::InMemory;
//!
//! let pipeline = InMemory::new();
//! pipeline.meter("test").u64_counter("requests").build().add(3, &[]);
//! assert_eq!(pipeline.collect().value("requests", &[]), Some(3.0));
//! ```
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

pub mod builds;
#[cfg(target_os = "linux")]
pub mod cgroup;
pub mod go;
pub mod pprof;

use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry::{Array, InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, ExponentialHistogramDataPoint, HistogramDataPoint, Metric as SdkMetric, MetricData,
};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use std::collections::BTreeMap;
use std::time::Duration;

/// A provider whose collections are kept in memory; it collects only when asked.
#[derive(Debug)]
pub struct InMemory {
    provider: SdkMeterProvider,
    exporter: InMemoryMetricExporter,
}

/// Everything that one collection gave.
#[derive(Debug, Default)]
pub struct Collection {
    /// The metrics, as the SDK ordered them.
    pub metrics: Vec<Metric>,
}

/// One metric of a collection.
#[derive(Debug)]
pub struct Metric {
    /// Name of the instrumentation scope.
    pub scope: String,
    /// Version of the instrumentation scope.
    pub scope_version: Option<String>,
    /// Schema URL of the instrumentation scope.
    pub schema_url: Option<String>,
    /// Name of the metric.
    pub name: String,
    /// Unit, as declared.
    pub unit: String,
    /// Description, as declared.
    pub description: String,
    /// Kind of instrument, as far as the data tells.
    pub instrument: Instrument,
    /// Whether values are integers.
    pub integer: bool,
    /// The series.
    pub points: Vec<Point>,
}

/// Kinds of instrument that collected data tell apart; written as the conventions write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instrument {
    /// A monotonic sum.
    Counter,
    /// A sum that may fall.
    UpDownCounter,
    /// A last value.
    Gauge,
    /// A histogram.
    Histogram,
}

/// One series of a metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// Attributes, values as text.
    pub attributes: BTreeMap<String, String>,
    /// Types of the attributes' values, as the conventions write them (`string`, `int`, `double`, `boolean`,
    /// `string[]` …).
    pub types: BTreeMap<String, String>,
    /// The value; of a histogram, the sum.
    pub value: f64,
    /// Of a histogram, how many values it has seen.
    pub count: Option<u64>,
    /// Of one with explicit boundaries, how many in each bucket, with its upper bound.
    pub buckets: Vec<(f64, u64)>,
}

impl Default for InMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl InMemory {
    /// A new, empty pipeline.
    #[must_use]
    pub fn new() -> Self {
        let exporter = InMemoryMetricExporter::default();
        let reader =
            PeriodicReader::builder(exporter.clone()).with_interval(Duration::from_secs(86_400)).build();
        InMemory { provider: SdkMeterProvider::builder().with_reader(reader).build(), exporter }
    }

    /// The provider.
    #[must_use]
    pub fn provider(&self) -> &SdkMeterProvider {
        &self.provider
    }

    /// A meter of a scope that is only a name.
    #[must_use]
    pub fn meter(&self, scope: &'static str) -> Meter {
        self.provider.meter_with_scope(InstrumentationScope::builder(scope).build())
    }

    /// Collects once, now.
    #[must_use]
    pub fn collect(&self) -> Collection {
        self.exporter.reset();
        self.provider.force_flush().expect("a pipeline in memory collects");
        let batches =
            self.exporter.get_finished_metrics().expect("a pipeline in memory keeps what it collects");
        let mut metrics = Vec::new();
        for scope in batches.iter().flat_map(|batch| batch.scope_metrics()) {
            metrics.extend(scope.metrics().map(|metric| Metric::new(scope.scope(), metric)));
        }
        Collection { metrics }
    }
}

impl Collection {
    /// The metric called `name`.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// The value of the series of `name` that has exactly these attributes.
    #[must_use]
    pub fn value(&self, name: &str, attributes: &[(&str, &str)]) -> Option<f64> {
        let wanted: BTreeMap<String, String> =
            attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let point = self.metric(name)?.points.iter().find(|point| point.attributes == wanted)?;
        Some(point.value)
    }

    /// The series of `name` of which `attribute` is `value`.
    #[must_use]
    pub fn point(&self, name: &str, attribute: &str, value: &str) -> Option<&Point> {
        let points = &self.metric(name)?.points;
        points.iter().find(|point| point.attributes.get(attribute).is_some_and(|found| found == value))
    }

    /// The sum of all series of `name`; none when there is no series.
    #[must_use]
    pub fn sum(&self, name: &str) -> Option<f64> {
        self.metric(name).map(|metric| metric.points.iter().map(|point| point.value).sum())
    }

    /// The names of all metrics, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.metrics.iter().map(|metric| metric.name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

impl Metric {
    fn new(scope: &InstrumentationScope, metric: &SdkMetric) -> Self {
        let (instrument, integer, points) = match metric.data() {
            AggregatedMetrics::F64(data) => (instrument(data), false, points(data, |value| value)),
            AggregatedMetrics::U64(data) => (instrument(data), true, points(data, |value| value as f64)),
            AggregatedMetrics::I64(data) => (instrument(data), true, points(data, |value| value as f64)),
        };
        Metric {
            scope: scope.name().to_owned(),
            scope_version: scope.version().map(str::to_owned),
            schema_url: scope.schema_url().map(str::to_owned),
            name: metric.name().to_owned(),
            unit: metric.unit().to_owned(),
            description: metric.description().to_owned(),
            instrument,
            integer,
            points,
        }
    }
}

fn instrument<T>(data: &MetricData<T>) -> Instrument {
    match data {
        MetricData::Gauge(_) => Instrument::Gauge,
        MetricData::Sum(sum) if sum.is_monotonic() => Instrument::Counter,
        MetricData::Sum(_) => Instrument::UpDownCounter,
        MetricData::Histogram(_) | MetricData::ExponentialHistogram(_) => Instrument::Histogram,
    }
}

fn points<T: Copy>(data: &MetricData<T>, value: impl Fn(T) -> f64) -> Vec<Point> {
    match data {
        MetricData::Gauge(gauge) => {
            gauge.data_points().map(|point| Point::new(point.attributes(), value(point.value()))).collect()
        }
        MetricData::Sum(sum) => {
            sum.data_points().map(|point| Point::new(point.attributes(), value(point.value()))).collect()
        }
        MetricData::Histogram(histogram) => {
            let distribution = |point: &HistogramDataPoint<T>| {
                let bounds = point.bounds().chain([f64::INFINITY]);
                Point {
                    count: Some(point.count()),
                    buckets: bounds.zip(point.bucket_counts()).collect(),
                    ..Point::new(point.attributes(), value(point.sum()))
                }
            };
            histogram.data_points().map(distribution).collect()
        }
        MetricData::ExponentialHistogram(histogram) => {
            let distribution = |point: &ExponentialHistogramDataPoint<T>| Point {
                count: Some(point.count() as u64),
                ..Point::new(point.attributes(), value(point.sum()))
            };
            histogram.data_points().map(distribution).collect()
        }
    }
}

impl Point {
    fn new<'a>(attributes: impl Iterator<Item = &'a KeyValue>, value: f64) -> Self {
        let mut point = Point { value, ..Point::default() };
        for pair in attributes {
            point.attributes.insert(pair.key.to_string(), pair.value.to_string());
            point.types.insert(pair.key.to_string(), type_of(&pair.value).to_owned());
        }
        point
    }
}

impl std::fmt::Display for Instrument {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Instrument::Counter => "counter",
            Instrument::UpDownCounter => "updowncounter",
            Instrument::Gauge => "gauge",
            Instrument::Histogram => "histogram",
        })
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::I64(_) => "int",
        Value::F64(_) => "double",
        Value::String(_) => "string",
        Value::Array(Array::Bool(_)) => "boolean[]",
        Value::Array(Array::I64(_)) => "int[]",
        Value::Array(Array::F64(_)) => "double[]",
        Value::Array(Array::String(_)) => "string[]",
        _ => "any",
    }
}
