//! What arrived, put into an order that can be read: metrics by name, their series, and how fast they rise.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{self as otlp, AggregationTemporality, number_data_point};
use prost::Message as _;
use std::collections::{BTreeMap, HashMap};

/// One export, ready to be shown.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Picture {
    /// Attributes of the resource.
    pub(crate) resource: BTreeMap<String, String>,
    /// How many exports have arrived, this one among them.
    pub(crate) exports: u64,
    /// Size of this one as protobuf, before compression (By).
    pub(crate) bytes: usize,
    /// Metrics by name.
    pub(crate) metrics: BTreeMap<String, Metric>,
}

/// One metric, of whatever scope.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Metric {
    pub(crate) unit: String,
    /// Its series, by their attributes.
    pub(crate) series: Vec<Series>,
}

/// One series of a metric.
#[derive(Debug, PartialEq)]
pub(crate) struct Series {
    /// The attributes as one text.
    pub(crate) attributes: String,
    pub(crate) value: Value,
    /// Rise per second, of counters and of the counts of histograms, as soon as two exports tell it.
    pub(crate) rate: Option<f64>,
}

/// What a point says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    /// A sum or a last value.
    Number(f64),
    /// A histogram: how many values it has seen, and their mean.
    Histogram { count: u64, mean: Option<f64> },
}

/// Takes exports in the order in which they arrive.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    exports: u64,
    /// Counters by metric and attributes, as they were in the last export.
    counters: HashMap<(String, String), Level>,
}

/// What a counter said, and when.
#[derive(Clone, Copy, Debug)]
struct Level {
    value: f64,
    nanoseconds: u64,
}

impl Arrivals {
    /// The next export.
    pub(crate) fn take(&mut self, export: &ExportMetricsServiceRequest) -> Picture {
        self.exports += 1;
        let mut picture =
            Picture { exports: self.exports, bytes: export.encoded_len(), ..Picture::default() };
        for resource_metrics in &export.resource_metrics {
            let resource = resource_metrics.resource.iter().flat_map(|resource| &resource.attributes);
            picture.resource.extend(resource.map(|pair| (pair.key.clone(), text(pair.value.as_ref()))));
            for metric in resource_metrics.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
                let shown = picture.metrics.entry(metric.name.clone()).or_default();
                shown.unit.clone_from(&metric.unit);
                shown.series.extend(points(metric).into_iter().map(|point| self.series(metric, point)));
                shown.series.sort_by(|a, b| a.attributes.cmp(&b.attributes));
            }
        }
        picture
    }

    fn series(&mut self, metric: &otlp::Metric, point: Point) -> Series {
        let rate = rises(metric).and_then(|temporality| match temporality {
            AggregationTemporality::Delta => {
                per_second(point.value.level(), point.end.checked_sub(point.start)?)
            }
            _ => self.rise(metric, &point),
        });
        Series { attributes: point.attributes, value: point.value, rate }
    }

    /// Rise per second of a cumulative counter since the last export; none when there was none or it started anew.
    fn rise(&mut self, metric: &otlp::Metric, point: &Point) -> Option<f64> {
        let now = Level { value: point.value.level(), nanoseconds: point.end };
        let before = self.counters.insert((metric.name.clone(), point.attributes.clone()), now)?;
        let rise = now.value - before.value;
        per_second(rise, now.nanoseconds.checked_sub(before.nanoseconds)?).filter(|rate| *rate >= 0.0)
    }
}

impl Value {
    /// What rises: the number itself, or how many values a histogram has seen.
    fn level(self) -> f64 {
        match self {
            Value::Number(number) => number,
            Value::Histogram { count, .. } => count as f64,
        }
    }
}

fn per_second(rise: f64, nanoseconds: u64) -> Option<f64> {
    (nanoseconds > 0).then(|| rise / (nanoseconds as f64 / 1e9))
}

/// The temporality of what rises; none for gauges and for sums that may fall.
fn rises(metric: &otlp::Metric) -> Option<AggregationTemporality> {
    let temporality = match metric.data.as_ref()? {
        Data::Sum(sum) if sum.is_monotonic => sum.aggregation_temporality,
        Data::Histogram(histogram) => histogram.aggregation_temporality,
        Data::ExponentialHistogram(histogram) => histogram.aggregation_temporality,
        _ => return None,
    };
    AggregationTemporality::try_from(temporality).ok()
}

/// A point of any kind of metric.
struct Point {
    attributes: String,
    value: Value,
    start: u64,
    end: u64,
}

fn points(metric: &otlp::Metric) -> Vec<Point> {
    /// The points of a histogram of either kind, whose types have the same fields and nothing else in common.
    macro_rules! distributions {
        ($histogram:expr) => {{
            let points = $histogram.data_points.iter().map(|point| Point {
                attributes: attributes(&point.attributes),
                value: distribution(point.count, point.sum),
                start: point.start_time_unix_nano,
                end: point.time_unix_nano,
            });
            points.collect()
        }};
    }
    match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.iter().filter_map(number).collect(),
        Some(Data::Sum(sum)) => sum.data_points.iter().filter_map(number).collect(),
        Some(Data::Histogram(histogram)) => distributions!(histogram),
        Some(Data::ExponentialHistogram(histogram)) => distributions!(histogram),
        Some(Data::Summary(_)) | None => Vec::new(),
    }
}

fn number(point: &otlp::NumberDataPoint) -> Option<Point> {
    let value = match point.value? {
        number_data_point::Value::AsDouble(value) => value,
        number_data_point::Value::AsInt(value) => value as f64,
    };
    Some(Point {
        attributes: attributes(&point.attributes),
        value: Value::Number(value),
        start: point.start_time_unix_nano,
        end: point.time_unix_nano,
    })
}

fn distribution(count: u64, sum: Option<f64>) -> Value {
    Value::Histogram { count, mean: sum.filter(|_| count > 0).map(|sum| sum / count as f64) }
}

/// `key=value` pairs in the order of their keys.
fn attributes(pairs: &[KeyValue]) -> String {
    let mut texts: Vec<String> =
        pairs.iter().map(|pair| format!("{}={}", pair.key, text(pair.value.as_ref()))).collect();
    texts.sort_unstable();
    texts.join(" ")
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => text.clone(),
        Some(Any::BoolValue(value)) => value.to_string(),
        Some(Any::IntValue(value)) => value.to_string(),
        Some(Any::DoubleValue(value)) => value.to_string(),
        Some(Any::ArrayValue(values)) => {
            let texts: Vec<String> = values.values.iter().map(|value| text(Some(value))).collect();
            format!("[{}]", texts.join(","))
        }
        Some(_) | None => String::new(),
    }
}

#[cfg(test)]
mod tests;
