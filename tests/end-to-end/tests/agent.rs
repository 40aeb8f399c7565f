//! `collector-config/agent.yaml`: valid, and it does what it says.

use end_to_end::{Collector, Setup, binary, wait_until};
use std::path::PathBuf;
use std::process::Command;

use crate::programs::plain;

fn agent_config() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../collector-config/agent.yaml"))
}

/// Whether the collector takes the file, and what it says. None where there is no collector.
fn validate(gateway: Option<&str>) -> Option<(bool, String)> {
    let state = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary()?);
    command.arg("validate").arg("--config").arg(agent_config()).env("OTEL_VITALS_STATE", state.path());
    command.env_remove("OTEL_VITALS_GATEWAY").envs(gateway.map(|gateway| ("OTEL_VITALS_GATEWAY", gateway)));
    let output = command.output().unwrap();
    Some((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[test]
fn it_is_valid() {
    let Some((valid, said)) = validate(Some("https://gateway.example.com:4317")) else { return };
    assert!(valid, "{said}");
}

#[test]
fn it_needs_a_gateway() {
    let Some((valid, said)) = validate(None) else { return };
    assert!(!valid && said.contains("endpoint"), "{said}");
}

/// Service, agent, gateway; the gateway is away for a while, and the agent itself dies meanwhile.
#[test]
fn it_keeps_for_the_gateway_what_it_cannot_deliver() {
    let Some(mut gateway) = Collector::start() else { return };
    let mut agent = start_agent(&gateway);
    let mut subject = plain().grpc(agent.grpc()).env("OTEL_METRIC_EXPORT_INTERVAL", "3600000").start();
    subject.tell("count 1").ok();
    subject.tell("flush").ok();
    gateway.wait_for("the first count through the agent", |exports| {
        let export = exports.iter().find(|export| export.sum("subject.count") == Some(1.0))?;
        assert_eq!(export.resource_text("service.name"), Some("subject"));
        Some(())
    });

    gateway.kill();
    subject.tell("count 1").ok();
    subject.tell("flush").ok();
    // What it measures itself may have got there before; every batch that is sent from now on but the first is complete.
    let batches = || total(&agent.telemetry()?, "otelcol_processor_batch_timeout_trigger_send");
    let sent = wait_until("the agent to tell of batches", batches);
    wait_until("the second count in the agent's queue", || {
        let queued = total(&agent.telemetry()?, "otelcol_exporter_queue_size")?;
        (queued > 0.0 && batches()? >= sent + 2.0).then_some(())
    });
    agent.kill();
    agent.restart();
    gateway.restart();
    gateway.wait_for("the second count, out of the queue on disk", |exports| {
        exports.iter().find(|export| export.sum("subject.count") == Some(2.0)).map(|_| ())
    });
    gateway.wait_for("what the agent measures itself", |exports| {
        exports.iter().find(|export| export.metric("system.network.connections").is_some()).map(|_| ())
    });
    // The machine's metrics come from the service alone.
    let doubled = gateway.received().iter().flat_map(|export| &export.metrics).find(|metric| {
        metric.scope.name.contains("hostmetrics")
            && ["system.network.io", "system.filesystem.usage"].contains(&metric.name.as_str())
    });
    assert!(doubled.is_none(), "{doubled:?}");
}

/// The sum over all series whose name begins so.
fn total(page: &str, name: &str) -> Option<f64> {
    let series = page.lines().filter(|line| line.starts_with(name));
    series.map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// The agent on ports of its own, in front of `gateway`.
fn start_agent(gateway: &Collector) -> Collector {
    let settings = [
        "receivers.otlp.protocols.grpc.endpoint=127.0.0.1:{grpc}",
        "receivers.otlp.protocols.http.endpoint=127.0.0.1:{http}",
        "receivers.hostmetrics.collection_interval=1s",
        "receivers.hostmetrics.initial_delay=100ms",
        "exporters.otlp_grpc.retry_on_failure.initial_interval=200ms",
        "exporters.prometheus.endpoint=127.0.0.1:{prometheus}",
        "extensions.health_check.endpoint=127.0.0.1:{health}",
        "extensions.file_storage.directory={folder}/state",
        "extensions.file_storage.compaction.directory={folder}/state",
        "service.telemetry.metrics.readers=[{pull: {exporter: {prometheus: {host: 127.0.0.1, port: {telemetry}}}}}]",
    ];
    let setup = Setup {
        config: Some((agent_config(), settings.map(str::to_owned).to_vec())),
        environment: [
            ("OTEL_VITALS_GATEWAY", gateway.grpc()),
            ("OTEL_VITALS_GATEWAY_INSECURE", "true".to_owned()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .to_vec(),
        ..Setup::default()
    };
    Collector::start_with(setup).expect("the gateway found the binary, so does the agent")
}
