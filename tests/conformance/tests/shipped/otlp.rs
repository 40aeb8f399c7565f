//! OTLP messages as the plain values that the checks take.

use conformance::resource::Attributes;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{
    Metric as OtlpMetric, NumberDataPoint, ResourceMetrics, metric::Data, number_data_point,
};
use test_harness::{Collection, Instrument, Metric, Point};

/// The metrics of one export.
pub(crate) fn collection(batch: &ResourceMetrics) -> Collection {
    let metrics = batch.scope_metrics.iter().flat_map(|scope| {
        let metrics = scope.metrics.iter();
        metrics.map(|metric| self::metric(metric, scope.scope.as_ref().unwrap(), &scope.schema_url))
    });
    Collection { metrics: metrics.collect() }
}

/// The attributes of its resource.
pub(crate) fn resource(batch: &ResourceMetrics) -> Attributes {
    let attributes = &batch.resource.as_ref().unwrap().attributes;
    attributes.iter().map(|pair| (pair.key.clone(), value(pair))).collect()
}

fn metric(metric: &OtlpMetric, scope: &InstrumentationScope, schema_url: &str) -> Metric {
    let (instrument, integer, points) = match metric.data.as_ref().unwrap() {
        Data::Gauge(gauge) => {
            (Instrument::Gauge, is_integer(&gauge.data_points), numbers(&gauge.data_points))
        }
        Data::Sum(sum) if sum.is_monotonic => {
            (Instrument::Counter, is_integer(&sum.data_points), numbers(&sum.data_points))
        }
        Data::Sum(sum) => {
            (Instrument::UpDownCounter, is_integer(&sum.data_points), numbers(&sum.data_points))
        }
        // OTLP does not say what a histogram was recorded in; that it is doubles is seen in memory.
        Data::Histogram(histogram) => {
            let points = histogram.data_points.iter();
            let points = points.map(|from| point(&from.attributes, from.sum.unwrap())).collect();
            (Instrument::Histogram, false, points)
        }
        other => panic!("{} is {other:?}", metric.name),
    };
    Metric {
        scope: scope.name.clone(),
        scope_version: Some(scope.version.clone()),
        schema_url: Some(schema_url.to_owned()),
        name: metric.name.clone(),
        unit: metric.unit.clone(),
        description: metric.description.clone(),
        instrument,
        integer,
        points,
    }
}

fn is_integer(points: &[NumberDataPoint]) -> bool {
    let is_integer =
        |point: &NumberDataPoint| matches!(point.value, Some(number_data_point::Value::AsInt(_)));
    let all = points.iter().all(is_integer);
    assert_eq!(all, points.iter().any(is_integer), "one metric has one type");
    all
}

fn numbers(points: &[NumberDataPoint]) -> Vec<Point> {
    let value = |from: &NumberDataPoint| match from.value.unwrap() {
        number_data_point::Value::AsInt(value) => value as f64,
        number_data_point::Value::AsDouble(value) => value,
    };
    points.iter().map(|from| point(&from.attributes, value(from))).collect()
}

fn point(attributes: &[KeyValue], value: f64) -> Point {
    let mut point = Point { value, ..Point::default() };
    for pair in attributes {
        let (type_name, text) = self::value(pair);
        point.attributes.insert(pair.key.clone(), text);
        point.types.insert(pair.key.clone(), type_name);
    }
    point
}

/// Type of the value, as the conventions write it, and the value as text.
fn value(pair: &KeyValue) -> (String, String) {
    let (type_name, text) = match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(value)) => ("string", value.clone()),
        Some(Value::BoolValue(value)) => ("boolean", value.to_string()),
        Some(Value::IntValue(value)) => ("int", value.to_string()),
        Some(Value::DoubleValue(value)) => ("double", value.to_string()),
        other => panic!("{} is {other:?}", pair.key),
    };
    (type_name.to_owned(), text)
}
