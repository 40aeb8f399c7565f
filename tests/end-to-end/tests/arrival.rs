//! Everything arrives as it should, over every transport.

use end_to_end::received::Export;
use end_to_end::{Behaviour, Collector, Launch, Peer};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::expected::{Expected, SCHEMA_URL, expected, expected_in_runtime, optional};
use crate::programs::{MULTI_THREAD, plain};

#[test]
fn over_grpc() {
    arrives(|collector| plain().grpc(collector.grpc()));
}

#[test]
fn over_grpc_with_gzip() {
    arrives(|collector| plain().grpc(collector.grpc()).env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"));
}

#[test]
fn over_http_protobuf() {
    arrives(|collector| plain().http(collector.http()));
}

#[test]
fn over_http_protobuf_with_gzip() {
    arrives(|collector| plain().http(collector.http()).env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"));
}

#[test]
fn over_http_json() {
    arrives(|collector| plain().http(collector.http()).env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"));
}

/// The variables for metrics win over those for all signals; the endpoint among them is taken as it is written.
#[test]
fn over_the_endpoint_for_metrics() {
    arrives(|collector| {
        plain()
            .grpc("http://127.0.0.1:1")
            .env("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf")
            .env("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", format!("{}/v1/metrics", collector.http()))
    });
}

/// What a runtime tells comes with the rest.
#[test]
fn from_inside_a_runtime() {
    let launch = |collector: &Collector| Launch::new(MULTI_THREAD).grpc(collector.grpc());
    all_arrive("multi_thread", expected_in_runtime, launch);
}

fn arrives(launch: impl FnOnce(&Collector) -> Launch) {
    all_arrive("plain", expected, launch);
}

fn all_arrive(program: &str, expected: fn() -> Vec<Expected>, launch: impl FnOnce(&Collector) -> Launch) {
    let Some(mut collector) = Collector::start() else { return };
    let before = SystemTime::now();
    let attributes = "deployment.environment.name=test,service.namespace=shop,service.version=1.2.3";
    let mut subject = launch(&collector).env("OTEL_RESOURCE_ATTRIBUTES", attributes).start();
    subject.init().clone().ok();
    // Some metrics tell of collections and exports, and so come with the second.
    subject.tell("flush").ok();
    subject.tell("flush").ok();
    let export = collector.wait_for("an export of everything", |exports| {
        let complete =
            |export: &&Export| expected().iter().all(|metric| export.metric(metric.name).is_some());
        exports.iter().rev().find(complete).cloned().or_else(|| complain(exports, &expected()))
    });
    assert_resource(&export, program, subject.pid());
    assert_metrics(&export, &expected());
    assert_times(&export, before);
    subject.tell("shutdown").ok();
}

/// Says early what is missing, in place of a wait for nothing.
fn complain(exports: &[Export], expected: &[Expected]) -> Option<Export> {
    let export = exports.get(50)?;
    let missing: Vec<_> =
        expected.iter().map(|metric| metric.name).filter(|name| export.metric(name).is_none()).collect();
    panic!("after fifty exports there is no {missing:?}");
}

fn assert_resource(export: &Export, program: &str, pid: u32) {
    let resource = &export.resource;
    assert_eq!(export.schema_url, SCHEMA_URL);
    assert_eq!(export.resource_text("service.name"), Some("subject"));
    assert_eq!(export.resource_text("service.namespace"), Some("shop"));
    assert_eq!(export.resource_text("service.version"), Some("1.2.3"));
    assert_eq!(export.resource_text("deployment.environment.name"), Some("test"));
    assert_eq!(resource["process.pid"], pid);
    assert_eq!(export.resource_text("process.executable.name"), Some(program));
    assert_eq!(export.resource_text("process.runtime.name"), Some("rustc"));
    assert_eq!(export.resource_text("telemetry.sdk.language"), Some("rust"));
    assert_eq!(export.resource_text("telemetry.sdk.name"), Some("opentelemetry"));
    assert_eq!(export.resource_text("os.type"), Some(std::env::consts::OS));
    for key in [
        "service.instance.id",
        "telemetry.sdk.version",
        "process.creation.time",
        "process.runtime.version",
        "host.name",
        "host.arch",
    ] {
        assert!(export.resource_text(key).is_some_and(|value| !value.is_empty()), "{key}: {resource:?}");
    }
    let secretive = resource.keys().find(|key| key.starts_with("process.command"));
    assert_eq!(secretive, None, "a command line can hold secrets");
}

fn assert_metrics(export: &Export, expected: &[Expected]) {
    let optional = optional();
    for metric in &export.metrics {
        let name = &metric.name;
        let wanted = expected.iter().chain(&optional).find(|wanted| wanted.name == name);
        let wanted = wanted.unwrap_or_else(|| panic!("{name} is in no list"));
        assert_eq!(metric.scope.name, wanted.scope, "{name}");
        assert_eq!(metric.scope.version, env!("CARGO_PKG_VERSION"), "{name}");
        assert_eq!(metric.scope.schema_url, SCHEMA_URL, "{name}");
        assert_eq!(metric.unit, wanted.unit, "{name}");
        assert_eq!(metric.instrument, wanted.instrument, "{name}");
        assert!(!metric.description.is_empty(), "{name} has no description");
        assert!(!metric.points.is_empty(), "{name} has no points");
        for point in &metric.points {
            let keys = point.attributes.keys().map(String::as_str);
            assert!(wanted.allows(keys), "{name} with {:?}", point.attributes);
            assert_eq!(point.integer, wanted.integer, "{name}");
            assert!((wanted.plausible)(point.value), "{name} is {} with {:?}", point.value, point.attributes);
        }
    }
}

fn assert_times(export: &Export, before: SystemTime) {
    let nanoseconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    // The clock of the machine may be set while the test runs, but not by a minute.
    let slack = Duration::from_secs(60);
    let (earliest, latest) = (nanoseconds(before - slack), nanoseconds(SystemTime::now() + slack));
    for (name, point) in
        export.metrics.iter().flat_map(|metric| metric.points.iter().map(|point| (&metric.name, point)))
    {
        assert!((earliest..=latest).contains(&point.time), "{name} is of {}", point.time);
        assert!(point.start <= point.time, "{name} starts at {} and is of {}", point.start, point.time);
    }
}

const METHOD: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

#[test]
fn headers_and_compression_over_grpc() {
    let peer = Peer::start(Behaviour::Grpc { status: 0 });
    let mut subject = plain()
        .grpc(peer.endpoint())
        .env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret,x-tenant=a%20b")
        .env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        .start();
    subject.tell("flush").ok();
    let request = peer.requests().remove(0);
    assert_eq!(request.path, METHOD);
    assert_eq!(request.header("api-key"), Some("secret"));
    assert_eq!(request.header("x-tenant"), Some("a b"));
    assert_eq!(request.header("grpc-encoding"), Some("gzip"));
}

#[test]
fn headers_and_compression_over_http() {
    for (protocol, content) in
        [("http/protobuf", "application/x-protobuf"), ("http/json", "application/json")]
    {
        let peer = Peer::start(Behaviour::Http { status: 200, retry_after: None });
        let mut subject = plain()
            .http(peer.endpoint())
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            .env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=general,x-tenant=a%20b")
            .env("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "api-key=secret")
            .env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
            .start();
        subject.tell("flush").ok();
        let request = peer.requests().remove(0);
        assert_eq!(request.path, "/v1/metrics");
        assert_eq!(request.header("content-type"), Some(content));
        assert_eq!(request.header("content-encoding"), Some("gzip"));
        assert_eq!(request.header("api-key"), Some("secret"));
        assert_eq!(&request.body[..2], [0x1f, 0x8b], "the body is not gzip");
    }
}

/// The same from a file, which the environment does not repeat.
#[test]
fn headers_and_compression_from_a_file() {
    let peer = Peer::start(Behaviour::Http { status: 200, retry_after: None });
    let file = format!(
        "service: {{name: shop}}\n\
         otlp:\n  endpoint: {}\n  protocol: http/json\n  compression: gzip\n  headers: {{api-key: '${{env:KEY}}'}}\n",
        peer.endpoint()
    );
    let mut subject = plain().file("vitals.yaml", &file).env("KEY", "secret").start();
    subject.tell("flush").ok();
    let request = peer.requests().remove(0);
    assert_eq!(request.path, "/v1/metrics");
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("content-encoding"), Some("gzip"));
    assert_eq!(request.header("api-key"), Some("secret"));
    assert_eq!(&request.body[..2], [0x1f, 0x8b], "the body is not gzip");
}

#[test]
fn the_endpoint_for_all_signals_keeps_its_path() {
    let peer = Peer::start(Behaviour::Http { status: 200, retry_after: None });
    let mut subject = plain().http(format!("{}/collect/", peer.endpoint())).start();
    subject.tell("flush").ok();
    assert_eq!(peer.requests()[0].path, "/collect/v1/metrics");
}
