use super::*;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Histogram, HistogramDataPoint, Metric as Sent, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

fn pair(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(Any::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn export(metrics: Vec<Sent>) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource {
                attributes: vec![pair("service.name", "shop")],
                ..Resource::default()
            }),
            scope_metrics: vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }],
            ..ResourceMetrics::default()
        }],
    }
}

fn sent(name: &str, data: Data) -> Sent {
    Sent { name: name.to_owned(), unit: "1".to_owned(), data: Some(data), ..Sent::default() }
}

fn point(seconds: u64, value: f64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: vec![pair("b", "2"), pair("a", "1")],
        start_time_unix_nano: 1,
        time_unix_nano: seconds * 1_000_000_000 + 1,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

fn sum(temporality: AggregationTemporality, is_monotonic: bool, point: NumberDataPoint) -> Sent {
    let sum = Sum { data_points: vec![point], aggregation_temporality: temporality.into(), is_monotonic };
    sent("sum", Data::Sum(sum))
}

fn only<'a>(picture: &'a Picture, name: &str) -> &'a Series {
    let [series] = &picture.metrics[name].series[..] else { panic!("{picture:?}") };
    series
}

#[test]
fn a_cumulative_counter_rises_between_two_exports() {
    let mut arrivals = Arrivals::default();
    let mut rate = |seconds, value| {
        let metric = sum(AggregationTemporality::Cumulative, true, point(seconds, value));
        let picture = arrivals.take(&export(vec![metric]));
        let series = only(&picture, "sum");
        assert_eq!((series.attributes.as_str(), series.value), ("a=1 b=2", Value::Number(value)));
        series.rate
    };
    assert_eq!(rate(1, 10.0), None);
    assert_eq!(rate(3, 16.0), Some(3.0));
    assert_eq!(rate(3, 16.0), None, "no time has passed");
    assert_eq!(rate(4, 1.0), None, "it started anew");
    assert_eq!(rate(5, 1.0), Some(0.0));
}

#[test]
fn a_delta_counter_has_its_rate_in_itself() {
    let metric = sum(AggregationTemporality::Delta, true, point(2, 10.0));
    let picture = Arrivals::default().take(&export(vec![metric]));
    assert_eq!(only(&picture, "sum").rate, Some(5.0));
}

#[test]
fn what_may_fall_has_no_rate() {
    let mut arrivals = Arrivals::default();
    for seconds in 1..3 {
        let falling = sum(AggregationTemporality::Cumulative, false, point(seconds, 1.0));
        let gauge = sent("gauge", Data::Gauge(Gauge { data_points: vec![point(seconds, 0.5)] }));
        let picture = arrivals.take(&export(vec![falling, gauge]));
        assert_eq!(only(&picture, "sum").rate, None);
        assert_eq!(only(&picture, "gauge").rate, None);
        assert_eq!(picture.exports, seconds);
    }
}

#[test]
fn a_histogram_shows_its_count_its_mean_and_how_often_it_is_fed() {
    let mut arrivals = Arrivals::default();
    let mut take = |seconds: u64, count, sum| {
        let point = HistogramDataPoint {
            time_unix_nano: seconds * 1_000_000_000,
            count,
            sum,
            ..HistogramDataPoint::default()
        };
        let histogram = Histogram {
            data_points: vec![point],
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
        };
        let mut picture = arrivals.take(&export(vec![sent("histogram", Data::Histogram(histogram))]));
        picture.metrics.remove("histogram").unwrap().series.pop().unwrap()
    };
    let empty = Value::Histogram { count: 0, mean: None };
    assert_eq!(take(1, 0, Some(0.0)), Series { attributes: String::new(), value: empty, rate: None });
    let fed = Value::Histogram { count: 4, mean: Some(2.5) };
    assert_eq!(take(3, 4, Some(10.0)), Series { attributes: String::new(), value: fed, rate: Some(2.0) });
}

#[test]
fn resource_and_size_are_those_of_the_export() {
    let request = export(vec![]);
    let picture = Arrivals::default().take(&request);
    assert_eq!(picture.resource, BTreeMap::from([("service.name".to_owned(), "shop".to_owned())]));
    assert_eq!(picture.bytes, request.encoded_len());
}

#[test]
fn one_name_in_two_scopes_is_one_metric() {
    let metric = |value| sum(AggregationTemporality::Cumulative, false, point(1, value));
    let picture = Arrivals::default().take(&export(vec![metric(1.0), metric(2.0)]));
    assert_eq!(picture.metrics["sum"].series.len(), 2);
}
