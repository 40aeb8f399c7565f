//! The JSON lines of the collector's file exporter as plain values.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

/// Attributes; whole numbers are numbers, whatever OTLP's JSON makes of them.
pub type Attributes = BTreeMap<String, Value>;

/// What one resource sent in one request.
#[derive(Clone, Debug)]
pub struct Export {
    /// Attributes of the resource.
    pub resource: Attributes,
    /// Schema URL of the resource.
    pub schema_url: String,
    /// All metrics, of all scopes.
    pub metrics: Vec<Metric>,
}

/// A metric as it arrived.
#[derive(Clone, Debug)]
pub struct Metric {
    /// The instrumentation scope.
    pub scope: Scope,
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// Unit.
    pub unit: String,
    /// Kind of instrument.
    pub instrument: &'static str,
    /// How sums and histograms add up; none for a gauge.
    pub temporality: Option<Temporality>,
    /// The series.
    pub points: Vec<Point>,
}

/// An instrumentation scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Schema URL.
    pub schema_url: String,
}

/// One point of one series.
#[derive(Clone, Debug)]
pub struct Point {
    /// Attributes of the series.
    pub attributes: Attributes,
    /// Start of the period, nanoseconds since 1970; 0 when there is none.
    pub start: u64,
    /// End of the period, nanoseconds since 1970.
    pub time: u64,
    /// The value; of a histogram, the sum.
    pub value: f64,
    /// Whether the value came as an integer.
    pub integer: bool,
    /// Of a histogram, the number of measurements.
    pub count: Option<u64>,
}

/// How points follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporality {
    /// Each holds what came since the one before.
    Delta,
    /// Each holds everything since the start.
    Cumulative,
}

impl Export {
    /// The metric called `name`.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// A resource attribute as text.
    #[must_use]
    pub fn resource_text(&self, key: &str) -> Option<&str> {
        self.resource.get(key).and_then(Value::as_str)
    }

    /// The sum over all series of `name`.
    #[must_use]
    pub fn sum(&self, name: &str) -> Option<f64> {
        self.metric(name).map(|metric| metric.points.iter().map(|point| point.value).sum())
    }
}

impl Metric {
    /// The series that has exactly this attribute and no other, or no attribute at all.
    #[must_use]
    pub fn point(&self, attribute: Option<(&str, &str)>) -> Option<&Point> {
        self.points.iter().find(|point| match attribute {
            None => point.attributes.is_empty(),
            Some((key, value)) => {
                point.attributes.len() == 1
                    && point.attributes.get(key).and_then(Value::as_str) == Some(value)
            }
        })
    }
}

/// A file of the file exporter, read as it grows.
#[derive(Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    read: u64,
}

impl Tail {
    pub(crate) fn new(path: PathBuf) -> Self {
        Tail { path, read: 0 }
    }

    /// The exports of the lines that were finished since the last call. What a killed collector left half-written
    /// is never finished, so never read.
    pub(crate) fn more(&mut self) -> Vec<Export> {
        let Ok(mut file) = File::open(&self.path) else { return Vec::new() };
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(self.read)).expect("a file can be rewound");
        file.read_to_end(&mut text).expect("a file of the collector can be read");
        let finished = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        self.read += finished as u64;
        let lines = text[..finished].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.flat_map(exports).collect()
    }
}

/// The exports of one line.
fn exports(line: &[u8]) -> Vec<Export> {
    let request: wire::Request = serde_json::from_slice(line)
        .unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(line)));
    request.resource_metrics.into_iter().map(Export::from).collect()
}

impl From<wire::ResourceMetrics> for Export {
    fn from(wire: wire::ResourceMetrics) -> Self {
        let mut metrics = Vec::new();
        for scope in wire.scope_metrics {
            let name =
                Scope { name: scope.scope.name, version: scope.scope.version, schema_url: scope.schema_url };
            metrics.extend(scope.metrics.into_iter().map(|metric| Metric::new(name.clone(), metric)));
        }
        Export { resource: attributes(wire.resource.attributes), schema_url: wire.schema_url, metrics }
    }
}

impl Metric {
    fn new(scope: Scope, wire: wire::Metric) -> Self {
        let (instrument, data) = match (wire.gauge, wire.sum, wire.histogram) {
            (Some(data), None, None) => ("gauge", data),
            (None, Some(data), None) if data.is_monotonic => ("counter", data),
            (None, Some(data), None) => ("updowncounter", data),
            (None, None, Some(data)) => ("histogram", data),
            other => panic!("{} is none of gauge, sum and histogram: {other:?}", wire.name),
        };
        let temporality = match data.aggregation_temporality {
            1 => Some(Temporality::Delta),
            2 => Some(Temporality::Cumulative),
            _ => None,
        };
        let points = data.data_points.into_iter().map(Point::from).collect();
        Metric {
            scope,
            name: wire.name,
            description: wire.description,
            unit: wire.unit,
            instrument,
            temporality,
            points,
        }
    }
}

impl From<wire::Point> for Point {
    fn from(wire: wire::Point) -> Self {
        let number = |text: &str| text.parse::<u64>().expect("OTLP writes whole numbers as text");
        let count = wire.count.as_deref().map(number);
        let (value, integer) = match (&wire.as_int, wire.as_double) {
            (Some(int), _) => (int.parse::<i64>().expect("OTLP writes whole numbers as text") as f64, true),
            (None, Some(double)) => (double, false),
            (None, None) => (wire.sum.unwrap_or_default(), false),
        };
        Point {
            attributes: attributes(wire.attributes),
            start: wire.start_time_unix_nano.as_deref().map_or(0, number),
            time: wire.time_unix_nano.as_deref().map_or(0, number),
            value,
            integer,
            count,
        }
    }
}

fn attributes(wire: Vec<wire::KeyValue>) -> Attributes {
    wire.into_iter().map(|pair| (pair.key, plain(&pair.value))).collect()
}

/// `{"stringValue": "a"}` as `"a"`, `{"intValue": "1"}` as `1`.
fn plain(value: &Value) -> Value {
    if let Some(int) = value.get("intValue").and_then(Value::as_str) {
        return int.parse::<i64>().expect("OTLP writes whole numbers as text").into();
    }
    if let Some(array) = value.get("arrayValue") {
        let values = array.get("values").and_then(Value::as_array);
        return values.into_iter().flatten().map(plain).collect();
    }
    let scalar = ["stringValue", "boolValue", "doubleValue"].iter().find_map(|kind| value.get(*kind));
    scalar.cloned().unwrap_or(Value::Null)
}

/// OTLP's JSON, as the collector writes it: what has its default value is left out.
mod wire {
    use super::{Deserialize, Value};

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(super) struct Request {
        pub(super) resource_metrics: Vec<ResourceMetrics>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    #[derive(Default)]
    pub(super) struct ResourceMetrics {
        pub(super) resource: Resource,
        pub(super) schema_url: String,
        pub(super) scope_metrics: Vec<ScopeMetrics>,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    pub(super) struct Resource {
        pub(super) attributes: Vec<KeyValue>,
    }

    #[derive(Deserialize)]
    pub(super) struct KeyValue {
        pub(super) key: String,
        pub(super) value: Value,
    }

    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    pub(super) struct ScopeMetrics {
        pub(super) scope: Scope,
        pub(super) schema_url: String,
        pub(super) metrics: Vec<Metric>,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    pub(super) struct Scope {
        pub(super) name: String,
        pub(super) version: String,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    pub(super) struct Metric {
        pub(super) name: String,
        pub(super) description: String,
        pub(super) unit: String,
        pub(super) gauge: Option<Data>,
        pub(super) sum: Option<Data>,
        pub(super) histogram: Option<Data>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    pub(super) struct Data {
        pub(super) data_points: Vec<Point>,
        pub(super) is_monotonic: bool,
        pub(super) aggregation_temporality: u8,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    pub(super) struct Point {
        pub(super) attributes: Vec<KeyValue>,
        pub(super) start_time_unix_nano: Option<String>,
        pub(super) time_unix_nano: Option<String>,
        pub(super) as_int: Option<String>,
        pub(super) as_double: Option<f64>,
        pub(super) sum: Option<f64>,
        pub(super) count: Option<String>,
    }

    impl std::fmt::Debug for KeyValue {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(formatter, "{}={}", self.key, self.value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    const LINE: &str = r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"process.pid","value":{"intValue":"7"}},
        {"key":"service.name","value":{"stringValue":"shop"}}]},"schemaUrl":"r","scopeMetrics":[{"scope":{"name":"s",
        "version":"1"},"schemaUrl":"u","metrics":[
        {"name":"c","unit":"s","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[
            {"attributes":[{"key":"mode","value":{"stringValue":"user"}}],"startTimeUnixNano":"5","timeUnixNano":"9",
            "asDouble":1.5}]}},
        {"name":"u","sum":{"aggregationTemporality":1,"dataPoints":[{"timeUnixNano":"9","asInt":"-3"}]}},
        {"name":"g","gauge":{"dataPoints":[{"timeUnixNano":"9","asInt":"4"}]}},
        {"name":"h","histogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"9","count":"2","sum":0.5}]}}
        ]}]}]}"#;

    #[test]
    fn a_line_becomes_plain_values() {
        let line: String = LINE.split('\n').collect();
        let export = exports(line.as_bytes()).remove(0);
        assert_eq!(export.resource["process.pid"], 7);
        assert_eq!(export.resource_text("service.name"), Some("shop"));
        let kinds: Vec<_> = export.metrics.iter().map(|metric| metric.instrument).collect();
        assert_eq!(kinds, ["counter", "updowncounter", "gauge", "histogram"]);
        let counter = export.metric("c").unwrap();
        assert_eq!(counter.scope, Scope { name: "s".into(), version: "1".into(), schema_url: "u".into() });
        let point = counter.point(Some(("mode", "user"))).unwrap();
        assert_eq!((point.start, point.time, point.value, point.integer), (5, 9, 1.5, false));
        assert_eq!(export.metric("u").unwrap().temporality, Some(Temporality::Delta));
        assert_eq!(export.sum("u"), Some(-3.0));
        assert!(export.metric("g").unwrap().point(None).unwrap().integer);
        assert_eq!(export.metric("h").unwrap().points[0].count, Some(2));
    }

    #[test]
    fn only_finished_lines_are_read_and_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.json");
        let mut tail = Tail::new(path.clone());
        assert!(tail.more().is_empty(), "there is no file yet");
        let line: String = LINE.split('\n').collect();
        let mut file = File::create(&path).unwrap();
        write!(file, "{line}\n{}", &line[..40]).unwrap();
        assert_eq!(tail.more().len(), 1);
        assert!(tail.more().is_empty());
        writeln!(file, "{}", &line[40..]).unwrap();
        assert_eq!(tail.more().len(), 1);
    }
}
