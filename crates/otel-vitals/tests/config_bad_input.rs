//! Wrong configuration: every error names where it is, what is there and what was expected.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on fails")]

use otel_vitals::{Config, ConfigError};
use std::path::{Path, PathBuf};

/// A folder with a `vitals.yaml` that holds `content`.
fn file(content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vitals.yaml");
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

fn error_of(content: impl AsRef<[u8]>, variables: &[(&str, &str)]) -> (ConfigError, String) {
    let (_folder, path) = file(content);
    let error = Config::load_from(Some(&path), variables.iter().copied()).unwrap_err();
    let message = error.to_string().replace(&path.display().to_string(), "vitals.yaml");
    (error, message)
}

fn message(content: &str) -> String {
    error_of(content, &[]).1
}

fn variable(name: &str, value: &str) -> String {
    let error = Config::load_from(None, [(name, value)]).unwrap_err();
    assert_eq!(error.variable(), Some(name), "{error}");
    error.to_string()
}

#[test]
fn an_unknown_key_names_its_place_and_the_nearest_known_one() {
    let (error, message) = error_of("metrics:\n  host:\n    cpu:\n      per_cores: true\n", &[]);
    assert_eq!(
        message,
        "vitals.yaml:4: metrics.host.cpu.per_cores: unknown key, the nearest known one is metrics.host.cpu.per_core"
    );
    assert_eq!(error.file().and_then(Path::file_name), Some("vitals.yaml".as_ref()));
    assert_eq!(error.line(), Some(4));
    assert_eq!(error.key(), Some("metrics.host.cpu.per_cores"));
    assert_eq!(error.suggestion(), Some("metrics.host.cpu.per_core"));
    assert_eq!(error.variable(), None);
    assert_eq!(suggestion("endpoint: http://c\n"), "otlp.endpoint");
    assert_eq!(suggestion("exporter: {}\n"), "metrics.exporters");
}

fn suggestion(content: &str) -> String {
    error_of(content, &[]).0.suggestion().unwrap().to_owned()
}

#[test]
fn a_key_of_a_later_version_says_so() {
    for (content, key) in [
        ("metrics:\n  host: {hardware: true}\n", "metrics.host.hardware"),
        ("metrics:\n  host:\n    container: false\n", "metrics.host.container"),
    ] {
        let (error, message) = error_of(content, &[]);
        let line = error.line().unwrap();
        assert_eq!(
            message,
            format!("vitals.yaml:{line}: {key}: this version of otel-vitals does not have it yet")
        );
    }
}

#[test]
fn a_key_that_is_there_twice_names_both_lines() {
    assert_eq!(
        message("metrics:\n  interval: 1s\n  timeout: 1s\n  interval: 2s\n"),
        "vitals.yaml:4: metrics.interval: set twice, first in line 2"
    );
    assert_eq!(
        message("otlp:\n  headers:\n    a: x\n    a: y\n"),
        "vitals.yaml:4: otlp.headers.a: set twice, first in line 3"
    );
}

#[test]
fn wrong_types_name_what_is_there() {
    let time = "expected a time with its unit, such as 10s or 100ms, from 10ms to 1day";
    for (content, expected) in [
        ("metrics: {interval: 60}", format!("metrics.interval: {time}, found \"60\"")),
        ("metrics: {interval: soon}", format!("metrics.interval: {time}, found \"soon\"")),
        ("metrics: {interval: }", format!("metrics.interval: {time}, found nothing")),
        ("metrics: {interval: [1s]}", format!("metrics.interval: {time}, found \"[1s]\"")),
        ("disabled: 1", "disabled: expected true or false, found \"1\"".to_owned()),
        ("disabled: yes", "disabled: expected true or false, found \"yes\"".to_owned()),
        (
            "metrics: {host: {cpu: 3}}",
            "metrics.host.cpu: expected true, false or a map of keys, found \"3\"".to_owned(),
        ),
        (
            "metrics: {host: {cpu: [per_core]}}",
            "metrics.host.cpu: expected a map of keys, found \"[per_core]\"".to_owned(),
        ),
        ("metrics: 3", "metrics: expected a map of keys, found \"3\"".to_owned()),
        ("service: {name: {a: b}}", "service.name: expected text, found a map".to_owned()),
        (
            "metrics: {exporters: ' ,'}",
            "metrics.exporters: expected otlp, console or none, found \" ,\"".to_owned(),
        ),
        ("service: {name: ''}", "service.name: expected text that is not empty, found \"\"".to_owned()),
        (
            "metrics: {exporters: [otlp, prometheus]}",
            "metrics.exporters: expected otlp, console or none, found \"[otlp, prometheus]\"".to_owned(),
        ),
        (
            "metrics: {host: {disk: {devices: {include: [{a: b}]}}}}",
            "metrics.host.disk.devices.include: expected a list of names, found a map".to_owned(),
        ),
        (
            "otlp: {protocol: http}",
            "otlp.protocol: expected grpc, http/protobuf or http/json, found \"http\"".to_owned(),
        ),
        (
            "resource: {attributes: {a: [b]}}",
            "resource.attributes.a: expected text, found \"[b]\"".to_owned(),
        ),
    ] {
        assert_eq!(message(content), format!("vitals.yaml:1: {expected}"), "{content}");
    }
    assert_eq!(message("- a\n- {}\n"), "vitals.yaml:1: expected a map of keys, found a list");
}

#[test]
fn values_out_of_range_are_refused() {
    for content in [
        "metrics: {interval: 0s}",
        "metrics: {interval: 9ms}",
        "metrics: {interval: 2days}",
        "metrics: {timeout: 0s}",
        "metrics: {freshness: 0ms}",
        "metrics: {host: {filesystem: {deadline: 1h}}}",
        "otlp: {timeout: 0s}",
    ] {
        let (error, message) = error_of(content, &[]);
        assert!(error.expected().unwrap().starts_with("a time with its unit"), "{message}");
    }
}

#[test]
fn malformed_yaml_names_the_line() {
    let (error, message) = error_of("metrics:\n  interval: [1s\nservice: {}\n", &[]);
    assert!(message.starts_with("vitals.yaml:") && message.contains(": not YAML: "), "{message}");
    assert!(error.line().unwrap() >= 2, "{message}");
    assert_eq!(message_without_place("metrics:\n\tinterval: 1s\n").split(':').next(), Some(" not YAML"));
    for (content, reason) in [
        ("a: &x 1", "an anchor, which a configuration may not have"),
        ("service: !x {}", "a tag, which a configuration may not have"),
        ("service: {}\n---\nservice: {}", "a second document, where a configuration is one"),
    ] {
        assert_eq!(message_without_place(content), format!(" {reason}"));
    }
}

fn message_without_place(content: &str) -> String {
    let message = message(content);
    message.splitn(3, ':').nth(2).unwrap_or_default().to_owned()
}

#[test]
fn a_file_that_cannot_be_read_names_who_named_it() {
    let missing = Path::new("/nowhere/vitals.yaml");
    let error = Config::load_from(Some(missing), [("A", "b")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "configuration: expected a configuration file, found \"/nowhere/vitals.yaml\", which cannot be read: \
         No such file or directory (os error 2)"
    );
    assert_eq!(
        variable("VITALS_CONFIG", "/nowhere/vitals.yaml"),
        "VITALS_CONFIG: expected a configuration file, found \"/nowhere/vitals.yaml\", which cannot be read: \
         No such file or directory (os error 2)"
    );
}

#[test]
fn a_hostile_file_is_refused() {
    let reason = |content: Vec<u8>| error_of(content, &[]).1.rsplit(": ").next().unwrap().to_owned();
    assert_eq!(reason(vec![b'#'; 70_000]), "it is larger than 65536 bytes");
    assert_eq!(reason(b"service: {name: \xff}".to_vec()), "it is not UTF-8");
    assert_eq!(reason(b"a: &a [x]\nb: *a\n".to_vec()), "an anchor, which a configuration may not have");
    assert!(message(&"[".repeat(60_000)).starts_with("vitals.yaml:1: not YAML: "));
    assert_eq!(reason("{a: ".repeat(40).into_bytes()), "nested deeper than any configuration");
}

/// Opening a pipe that nobody writes into would wait for ever.
#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let error = Config::load_from(Some(&pipe), [("A", "b")]).unwrap_err();
    assert!(error.to_string().ends_with("which cannot be read: it is not a regular file"), "{error}");
}

#[test]
fn references_that_lead_nowhere_name_the_variable() {
    assert_eq!(
        message("otlp:\n  headers:\n    authorization: Bearer ${env:OTLP_TOKEN}\n"),
        "vitals.yaml:3: otlp.headers.authorization: the environment variable OTLP_TOKEN that it refers to is not set"
    );
    assert_eq!(
        message("service: {name: '${NAME}'}"),
        "vitals.yaml:1: service.name: expected ${env:NAME} or ${env:NAME:-default}, or $$ for a dollar sign, \
         found \"${NAME}\""
    );
    assert_eq!(
        message("otlp: {headers: {a: 'x ${NAME}'}}"),
        "vitals.yaml:1: otlp.headers.a: expected ${env:NAME} or ${env:NAME:-default}, or $$ for a dollar sign, \
         found a value that is not shown"
    );
}

#[test]
fn control_characters_of_keys_are_escaped() {
    assert_eq!(
        message("\"me\\e[2Jtr\\nics's\": 1"),
        "vitals.yaml:1: me\\u{1b}[2Jtr\\nics's: unknown key, the nearest known one is metrics"
    );
    let error = Config::load_from(None, [("VITALS_OTLP_\u{1b}X", "1")]).unwrap_err();
    assert!(error.to_string().starts_with("VITALS_OTLP_\\u{1b}X: unknown variable, "), "{error}");
}

#[test]
fn bad_variables_are_named_with_their_value() {
    let milliseconds = "expected a whole number of milliseconds from";
    for (name, value, expected) in [
        ("OTEL_SDK_DISABLED", "1", "expected true or false, found \"1\"".to_owned()),
        (
            "OTEL_METRICS_EXPORTER",
            "prometheus",
            "expected otlp, console or none, found \"prometheus\"".to_owned(),
        ),
        ("OTEL_METRICS_EXPORTER", ",", "expected otlp, console or none, found \",\"".to_owned()),
        (
            "OTEL_METRICS_EXPORTER",
            "otlp,none",
            "expected none alone, or a list of otlp and console, found \"otlp,none\"".to_owned(),
        ),
        ("OTEL_METRIC_EXPORT_INTERVAL", "60s", format!("{milliseconds} 10 to 86400000, found \"60s\"")),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", format!("{milliseconds} 10 to 86400000, found \"0\"")),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "-1", format!("{milliseconds} 1 to 3600000, found \"-1\"")),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "ten", format!("{milliseconds} 1 to 3600000, found \"ten\"")),
        (
            "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
            "http",
            "expected grpc, http/protobuf or http/json, found \"http\"".to_owned(),
        ),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "expected none or gzip, found \"zstd\"".to_owned()),
        (
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
            "deltas",
            "expected cumulative, delta or lowmemory, found \"deltas\"".to_owned(),
        ),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "team",
            "expected name=value pairs separated by commas, with a comma or a percent sign in them \
             percent-encoded, found \"team\""
                .to_owned(),
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "a=b,Content-Length=5",
            "expected no header content-length, which the request sets itself, found a value that is not shown".to_owned(),
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "a=%F0%9F%A6%80",
            "expected header values of visible ASCII characters, found a value that is not shown".to_owned(),
        ),
        ("VITALS_METRICS_HOST_CPU_PER_CORE", "on", "expected true or false, found \"on\"".to_owned()),
        ("VITALS_METRICS_HOST", "off", "expected true or false, found \"off\"".to_owned()),
    ] {
        assert_eq!(variable(name, value), format!("{name}: {expected}"));
    }
}

#[test]
fn endpoints_are_checked_with_the_protocol_that_they_meet() {
    assert_eq!(
        variable("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:port"),
        "OTEL_EXPORTER_OTLP_ENDPOINT: expected a port from 1 to 65535, found \"collector:port\""
    );
    assert_eq!(
        message("otlp:\n  endpoint: ftp://collector\n"),
        "vitals.yaml:2: otlp.endpoint: expected a URL such as http://collector:4317, or host:port, \
         found \"ftp://collector\""
    );
    let variables =
        [("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4318")];
    let error = Config::load_from(None, variables).unwrap_err();
    assert_eq!(
        error.to_string(),
        "OTEL_EXPORTER_OTLP_ENDPOINT: expected a URL such as http://collector:4318, found \"c:4318\""
    );
}

#[test]
fn certificates_are_read_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let ca = path.display().to_string();
    assert_eq!(
        variable("OTEL_EXPORTER_OTLP_CERTIFICATE", &ca),
        format!(
            "OTEL_EXPORTER_OTLP_CERTIFICATE: expected a PEM file with certificates, found \"{ca}\", which cannot be \
             read: No such file or directory (os error 2)"
        )
    );
    std::fs::write(&path, "no certificate").unwrap();
    assert_eq!(
        message(&format!("otlp:\n  certificate: {ca}\n")),
        format!(
            "vitals.yaml:2: otlp.certificate: expected a PEM file with certificates, found \"{ca}\", which has no \
             certificate in it"
        )
    );
    assert_eq!(
        variable("OTEL_EXPORTER_OTLP_CLIENT_KEY", &ca),
        format!(
            "OTEL_EXPORTER_OTLP_CLIENT_KEY: expected otlp.client_certificate as well, found \"{ca}\", which is alone"
        )
    );
    let unused = [("OTEL_EXPORTER_OTLP_CERTIFICATE", ca.as_str()), ("OTEL_METRICS_EXPORTER", "console")];
    assert!(Config::load_from(None, unused).is_ok(), "nothing will use it");
    let disabled = [("OTEL_EXPORTER_OTLP_CERTIFICATE", ca.as_str()), ("OTEL_SDK_DISABLED", "TRUE")];
    assert!(Config::load_from(None, disabled).is_ok(), "nothing will use it");
}

#[test]
fn what_code_sets_is_validated() {
    let refused = |change: &dyn Fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        config.validate().unwrap_err().to_string()
    };
    assert_eq!(
        refused(&|config| config.metrics.interval = std::time::Duration::ZERO),
        "configuration: metrics.interval: expected a time with its unit, such as 10s or 100ms, from 10ms to 1day, \
         found \"0s\""
    );
    assert_eq!(
        refused(&|config| config.otlp.endpoint = Some("http://collector:x".into())),
        "configuration: otlp.endpoint: expected a port from 1 to 65535, found \"http://collector:x\""
    );
    assert_eq!(
        refused(&|config| config.otlp.headers.insert("a b", "s3cr3t")),
        "configuration: otlp.headers: expected header names of letters, digits and hyphens, found a value that is not \
         shown"
    );
    assert_eq!(
        refused(&|config| config.service.name = Some(" ".to_owned())),
        "configuration: service.name: expected text that is not empty, found \" \""
    );
    assert_eq!(
        refused(&|config| config.otlp.client_key = Some("/nowhere".into())),
        "configuration: otlp.client_key: expected otlp.client_certificate as well, found \"/nowhere\", which is alone"
    );
    assert_eq!(
        refused(&|config| config.metrics.host.root_path = Some("/nowhere".into())),
        "configuration: metrics.host.root_path: expected the folder that the host's file system is mounted under, \
         found \"/nowhere\", which is no folder that can be read"
    );
}
