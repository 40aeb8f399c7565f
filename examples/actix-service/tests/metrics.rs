//! What leaves the service for a real collector: its vitals, the state of its checks, and its requests, which
//! opentelemetry-instrumentation-actix-web measures, all from one provider. Skipped where there is no collector.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod service;

use end_to_end::Collector;
use end_to_end::received::{Export, Point};
use service::{Service, command};
use std::collections::BTreeSet;

#[test]
fn requests_checks_and_vitals_leave_together() {
    let Some(mut collector) = Collector::start() else { return };
    let mut command = command("vitals.yaml");
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.grpc()).env("OTEL_METRIC_EXPORT_INTERVAL", "200");
    let service = Service::start(&mut command);
    for path in ["/items", "/items/1", "/status/health", "/status/ready"] {
        get(&service, path);
    }
    collector.wait_for("all of it", |exports| {
        let last = exports.last()?;
        assert_eq!(last.resource_text("service.name"), Some("actix-service"));
        let all = [
            "process.memory.usage",
            "rust.memory.used",
            "tokio.worker.count",
            "http.server.request.duration",
        ];
        let checked = state(last, "store", "pass")? == 1.0 && state(last, "export", "pass")? == 1.0;
        (all.iter().all(|name| last.metric(name).is_some()) && checked).then_some(())
    });
    let last = collector.received().last().unwrap();
    let requests = last.metric("http.server.request.duration").unwrap();
    let routes: BTreeSet<_> = requests.points.iter().filter_map(|point| text(point, "http.route")).collect();
    assert_eq!(routes, BTreeSet::from(["/items", "/items/{id}"]), "probes are no requests of the service");
}

/// One or zero for a check in a state.
fn state(export: &Export, check: &str, state: &str) -> Option<f64> {
    let mut points = export.metric("otel_vitals.health.check.status")?.points.iter();
    let is = |point: &Point, name: &str, value: &str| text(point, name) == Some(value);
    let point = points.find(|point| {
        is(point, "otel_vitals.health.check.name", check) && is(point, "otel_vitals.health.state", state)
    });
    point.map(|point| point.value)
}

fn text<'a>(point: &'a Point, name: &str) -> Option<&'a str> {
    point.attributes.get(name).and_then(serde_json::Value::as_str)
}

fn get(service: &Service, path: &str) {
    let port = service.url.rsplit(':').next().unwrap().parse().unwrap();
    assert!(end_to_end::get(port, path).is_some(), "{path}");
}
