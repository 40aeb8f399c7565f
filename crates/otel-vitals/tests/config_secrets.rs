//! Secrets in a configuration are in no message and in no `Debug` output.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on fails")]

use otel_vitals::{Config, ConfigError};
use std::path::PathBuf;

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

#[test]
fn a_private_key_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = folder.path().join("client.pem");
    let key = folder.path().join("client.key");
    std::fs::write(&certificate, "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n").unwrap();
    std::fs::write(&key, "-----BEGIN PRIVATE KEY-----\ns3cr3t!\n-----END PRIVATE KEY-----\n").unwrap();
    let variables = [
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", certificate.to_str().unwrap()),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", key.to_str().unwrap()),
    ];
    let error = Config::load_from(None, variables).unwrap_err();
    assert!(error.to_string().ends_with("which has no private key in it"), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cr3t"));
}

#[test]
fn secrets_are_in_no_message() {
    let secret = "s3cr3t";
    for (content, variables) in [
        ("", &[("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s3cr3t%zz")][..]),
        ("", &[("OTEL_EXPORTER_OTLP_HEADERS", "api key=s3cr3t")]),
        ("", &[("OTEL_EXPORTER_OTLP_HEADERS", "s3cr3t")]),
        ("", &[("VITALS_OTLP_HEADERS", "a=s3cr3t%0A")]),
        ("", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:s3cr3t@collector:4317")]),
        ("", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317?key=s3cr3t")]),
        ("otlp: {headers: {a b: s3cr3t}}", &[]),
        ("otlp: {headers: s3cr3t}", &[]),
        ("otlp: {headers: [s3cr3t]}", &[]),
        ("otlp: {headers: {a: [s3cr3t]}}", &[]),
        ("otlp: {headers: {a: 's3cr3t${'}}", &[]),
        ("otlp: {protocol: '${env:X}'}", &[("X", "s3cr3t")]),
        ("metrics: {interval: '${env:X}'}", &[("X", "s3cr3t")]),
        ("otlp: {endpoint: 'http://x:${env:X}@c'}", &[("X", "s3cr3t")]),
        ("otlp: {endpoint: 'ftp://${env:X}'}", &[("X", "s3cr3t")]),
        ("otlp: {certificate: '/${env:X}'}", &[("X", "s3cr3t")]),
        ("otlp: {endpoint: 'http://user:s3cr3t@${X}'}", &[]),
        ("otlp: {endpoint: ['http://user:s3cr3t@c']}", &[]),
        ("otlp: {headers: {a: '${env:X}'}}", &[("X", "s3cr3t\u{7f}")]),
    ] {
        let (error, message) = error_of(content, variables);
        assert!(!message.contains(secret), "{message}");
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
    }
}

#[test]
fn secrets_are_in_no_debug_output() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cr3t"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://collector/in?token=s3cr3t"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
    ];
    let config = Config::load_from(None, variables).unwrap();
    assert_eq!(config.otlp.headers.iter().collect::<Vec<_>>(), [("authorization", "Bearer s3cr3t")]);
    let output = format!("{config:?}");
    assert!(!output.contains("s3cr3t") && output.contains("authorization"), "{output}");
}
