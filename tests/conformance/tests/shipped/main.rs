//! What otel-vitals ships through its own pipeline is what is declared: the resource, the pipeline's own metrics, and
//! everything else as it looks on the wire.
#![cfg(target_os = "linux")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod otlp;
mod receiver;

use conformance::{Declaration, Emitted, Metric, assert_none, resource};
use otel_vitals::{Config, Error, Vitals};
use receiver::Receiver;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();

/// Exports only when asked to.
fn config(receiver: &Receiver) -> Config {
    let mut config = Config::default();
    config.otlp.endpoint = Some(receiver.endpoint().to_owned().into());
    config.metrics.interval = Duration::from_secs(3600);
    config
}

/// One export that the receiver refuses, then two that it takes: the second says how the others went.
fn ship(receiver: &Receiver) {
    let vitals = Vitals::builder().config(config(receiver)).start().unwrap();
    receiver.refuse(true);
    let refused = vitals.flush().unwrap_err();
    assert!(matches!(refused, Error::Export { .. }), "{refused}");
    receiver.refuse(false);
    vitals.flush().unwrap();
    vitals.flush().unwrap();
    vitals.shutdown().unwrap();
}

#[test]
fn what_is_shipped_is_what_is_declared() {
    let declaration = Declaration::load().unwrap();
    let receiver = Receiver::start();
    ship(&receiver);

    let mut emitted = Emitted::new(&declaration);
    for batch in receiver.received() {
        assert_none(&resource::check(&otlp::resource(&batch), &declaration));
        assert_eq!(batch.schema_url, "https://opentelemetry.io/schemas/1.44.0");
        emitted.add(&otlp::collection(&batch));
    }
    assert_none(&emitted.violations());
    assert_none(&emitted.missing(|metric: &Metric| metric.name.starts_with("otel.sdk.")));
    for (metric, attributes) in [
        ("otel.sdk.exporter.metric_data_point.exported", ["error.type", "server.address", "server.port"]),
        ("otel.sdk.exporter.operation.duration", ["error.type", "server.address", "server.port"]),
    ] {
        let seen = emitted.attributes(metric);
        assert!(attributes.iter().all(|key| seen.contains(key)), "{metric} has only {seen:?}");
    }
}
