//! Later wins: defaults, file, OpenTelemetry's variables, ours, code.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use otel_vitals::{Compression, Config, Endpoint, ExporterKind, Protocol, Temporality};
use std::time::Duration;

fn load(content: &str, variables: &[(&str, &str)]) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vitals.yaml");
    std::fs::write(&path, content).unwrap();
    Config::load_from(Some(&path), variables.iter().copied()).unwrap_or_else(|error| panic!("{error}"))
}

fn from(variables: &[(&str, &str)]) -> Config {
    Config::load_from(None, variables.iter().copied()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn without_anything_there_are_the_defaults() {
    assert_eq!(from(&[]), Config::default());
    assert_eq!(load("", &[]), Config::default());
    assert_eq!(load("metrics:\n  # interval: 1s\notlp: ~\n", &[]), Config::default());
    let empty = [("OTEL_METRICS_EXPORTER", ""), ("OTEL_SDK_DISABLED", ""), ("VITALS_METRICS_INTERVAL", "")];
    assert_eq!(from(&empty), Config::default(), "empty is unset");
    let blank =
        [("OTEL_METRICS_EXPORTER", " "), ("OTEL_SERVICE_NAME", "\t"), ("VITALS_OTLP_CERTIFICATE", "  ")];
    assert_eq!(from(&blank), Config::default(), "blank is unset");
}

#[test]
fn each_layer_wins_over_the_one_before() {
    let file = "metrics: {interval: 1s, timeout: 2s, freshness: 3ms}\nservice: {name: file}\n";
    let opentelemetry = [("OTEL_METRIC_EXPORT_INTERVAL", "10000"), ("OTEL_SERVICE_NAME", "otel")];
    let ours = [("VITALS_METRICS_INTERVAL", "20s"), ("OTEL_METRIC_EXPORT_INTERVAL", "10000")];
    assert_eq!(load(file, &[]).metrics.interval, Duration::from_secs(1));
    let config = load(file, &opentelemetry);
    assert_eq!(config.metrics.interval, Duration::from_secs(10));
    assert_eq!(config.service.name.as_deref(), Some("otel"));
    assert_eq!(config.metrics.timeout, Duration::from_secs(2), "what nobody else says stays");
    assert_eq!(config.metrics.freshness, Duration::from_millis(3));
    assert_eq!(load(file, &ours).metrics.interval, Duration::from_secs(20));
}

#[test]
fn a_group_is_a_switch_or_a_map() {
    let config = load(
        "metrics:\n  process: {signals_pending: true}\n  host:\n    cpu: {enabled: true, per_core: true}\n    \
         disk: false\n    load: {enabled: false}\n    filesystem:\n      types: {include: [ext4, xfs]}\n      \
         mountpoints: {exclude: /boot*}\n      network: true\n      deadline: 1s\n",
        &[],
    );
    let host = &config.metrics.host;
    assert!(config.metrics.process.signals_pending && config.metrics.process.enabled);
    assert!(host.cpu.enabled && host.cpu.per_core && !host.cpu.frequency);
    assert!(!host.disk.enabled && !host.load.enabled && host.memory.enabled);
    assert_eq!(host.filesystem.types.include, ["ext4", "xfs"]);
    assert_eq!(host.filesystem.mountpoints.exclude, ["/boot*"]);
    assert!(host.filesystem.network);
    assert_eq!(host.filesystem.deadline, Duration::from_secs(1));
}

#[test]
fn all_groups_of_the_machine_have_one_switch() {
    let variables = [("VITALS_METRICS_HOST", "false"), ("VITALS_METRICS_HOST_CPU", "true")];
    for config in [from(&variables), load("metrics: {host: false}", &[("VITALS_METRICS_HOST_CPU", "TRUE")])] {
        let host = &config.metrics.host;
        let others = [
            host.memory.enabled,
            host.paging.enabled,
            host.disk.enabled,
            host.filesystem.enabled,
            host.network.enabled,
            host.load.enabled,
            host.uptime.enabled,
            host.processes.enabled,
        ];
        assert!(host.cpu.enabled, "what is said of one group is said later");
        assert_eq!(others, [false; 8]);
        assert!(config.metrics.process.enabled);
    }
}

#[test]
fn what_is_said_for_metrics_wins_over_what_is_said_for_every_signal() {
    let config = from(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4318"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://metrics:4318/in"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1,b=2"),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "c=3"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "2000"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "LowMemory"),
    ]);
    assert_eq!(config.otlp.url(), "http://metrics:4318/in");
    assert_eq!(config.otlp.protocol, Protocol::HttpProtobuf);
    assert_eq!(config.otlp.headers.iter().collect::<Vec<_>>(), [("c", "3")]);
    assert_eq!(config.otlp.timeout, Duration::from_secs(2));
    assert_eq!(config.otlp.compression, Compression::Gzip);
    assert_eq!(config.otlp.temporality, Temporality::LowMemory);
}

#[test]
fn only_the_endpoint_of_every_signal_gets_a_path() {
    let url = |endpoint: (&'static str, &'static str), protocol| {
        from(&[endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)]).otlp.url()
    };
    let every = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/");
    let metrics = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://c:4318/");
    assert_eq!(url(every, "http/protobuf"), "http://c:4318/v1/metrics");
    assert_eq!(url(metrics, "http/json"), "http://c:4318/");
    assert_eq!(url(every, "grpc"), "http://c:4318/");
}

#[test]
fn code_has_the_last_word_on_the_endpoint() {
    let mut config = from(&[
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://elsewhere:4318/in"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
    ]);
    config.otlp.endpoint = Some("http://here:4318".into());
    assert_eq!(config.otlp.url(), "http://here:4318/v1/metrics");
    config.otlp.protocol = Protocol::Grpc;
    assert_eq!(config.otlp.url(), "http://here:4318");
    config.otlp.endpoint = Some(Endpoint::Exact("http://here:4318/x".to_owned()));
    config.otlp.protocol = Protocol::HttpJson;
    assert_eq!(config.otlp.url(), "http://here:4318/x");
}

#[test]
fn a_later_endpoint_replaces_an_earlier_one_for_metrics() {
    let file = "otlp: {metrics_endpoint: 'http://file:4318/in', protocol: http/json}";
    assert_eq!(load(file, &[]).otlp.url(), "http://file:4318/in");
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://variable:4318")];
    assert_eq!(load(file, &variables).otlp.url(), "http://variable:4318/v1/metrics");
}

#[test]
fn the_services_name_is_the_last_that_was_given() {
    let name = |content: &str, variables: &[(&str, &str)]| load(content, variables).service.name.unwrap();
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=attribute,service.version=7");
    assert_eq!(name("service: {name: file}", &[]), "file");
    assert_eq!(name("service: {name: file}", &[attributes]), "attribute");
    assert_eq!(name("", &[attributes, ("OTEL_SERVICE_NAME", "variable")]), "variable");
    assert_eq!(name("", &[("OTEL_SERVICE_NAME", "variable"), ("VITALS_SERVICE_NAME", "ours")]), "ours");
    let both = "service: {name: service}\nresource: {attributes: {service.name: attribute, a: b}}\n";
    assert_eq!(name(both, &[]), "service");
    let config = load(both, &[attributes]);
    assert_eq!(config.service.version.as_deref(), Some("7"));
    assert_eq!(config.resource.attributes, [("a".to_owned(), "b".to_owned())]);
}

#[test]
fn attributes_add_up_and_headers_do_not() {
    let file = "resource: {attributes: {team: file, region: eu}}\notlp: {headers: {api-key: one}}\n";
    let config = load(
        file,
        &[("OTEL_RESOURCE_ATTRIBUTES", "team=a%2Cb,tier=1"), ("OTEL_EXPORTER_OTLP_HEADERS", "Tenant=x")],
    );
    let expected = [("region", "eu"), ("team", "a,b"), ("tier", "1")];
    assert_eq!(config.resource.attributes, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(config.otlp.headers.iter().collect::<Vec<_>>(), [("tenant", "x")]);
}

#[test]
fn exporters_are_a_list_or_none() {
    let exporters = |variable: &str| from(&[("OTEL_METRICS_EXPORTER", variable)]).metrics.exporters;
    assert_eq!(exporters("otlp"), [ExporterKind::Otlp]);
    assert_eq!(exporters(" console , otlp "), [ExporterKind::Console, ExporterKind::Otlp]);
    assert_eq!(exporters("none"), []);
    let written = |content: &str| load(content, &[]).metrics.exporters;
    assert_eq!(written("metrics: {exporters: console}"), [ExporterKind::Console]);
    assert_eq!(written("metrics: {exporters: [otlp, console]}"), [ExporterKind::Otlp, ExporterKind::Console]);
    assert_eq!(written("metrics: {exporters: []}"), []);
}

#[test]
fn disabled_ignores_case() {
    for value in ["true", "True", "TRUE"] {
        assert!(from(&[("OTEL_SDK_DISABLED", value)]).disabled);
    }
    assert!(!from(&[("OTEL_SDK_DISABLED", "False")]).disabled);
}

#[test]
fn values_may_refer_to_variables() {
    let content = "service: {name: '${env:APP}-${env:STAGE:-dev}', version: '${env:VERSION:-}'}\n\
                   otlp:\n  headers: {authorization: 'Bearer ${env:TOKEN}', price: 5$$}\n\
                   metrics:\n  interval: ${env:INTERVAL}\n  exporters: ${env:EXPORTERS}\n";
    let variables = [
        ("APP", "checkout"),
        ("TOKEN", "a=b ${env:APP}"),
        ("INTERVAL", "7s"),
        ("EXPORTERS", "console, otlp"),
    ];
    let config = load(content, &variables);
    assert_eq!(config.service.name.as_deref(), Some("checkout-dev"));
    assert_eq!(config.service.version, None, "a reference to nothing leaves the key unset");
    assert_eq!(config.metrics.interval, Duration::from_secs(7));
    assert_eq!(config.metrics.exporters, [ExporterKind::Console, ExporterKind::Otlp]);
    let headers: Vec<_> = config.otlp.headers.iter().collect();
    assert_eq!(headers, [("authorization", "Bearer a=b ${env:APP}"), ("price", "5$")]);
}

#[test]
fn numbers_stay_as_they_are_written() {
    let config = load("service: {version: 1.10}\nresource: {attributes: {canary: true, build: 007}}", &[]);
    assert_eq!(config.service.version.as_deref(), Some("1.10"));
    let expected = [("canary", "true"), ("build", "007")];
    assert_eq!(config.resource.attributes, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn any_key_has_a_variable() {
    let config = from(&[
        ("VITALS_METRICS_HOST_CPU_PER_CORE", "true"),
        ("VITALS_METRICS_HOST_DISK_DEVICES_INCLUDE", "sda, nvme*,"),
        ("VITALS_METRICS_PROCESS", "false"),
        ("VITALS_OTLP_HEADERS", "api-key=x%2Cy"),
        ("VITALS_OTLP_TEMPORALITY", "delta"),
        ("VITALS_DISABLED", "true"),
        ("VITALS_NOT_OURS", "only a warning"),
    ]);
    assert!(config.metrics.host.cpu.per_core && config.disabled && !config.metrics.process.enabled);
    assert_eq!(config.metrics.host.disk.devices.include, ["sda", "nvme*"]);
    assert_eq!(config.otlp.headers.iter().collect::<Vec<_>>(), [("api-key", "x,y")]);
    assert_eq!(config.otlp.temporality, Temporality::Delta);
}
