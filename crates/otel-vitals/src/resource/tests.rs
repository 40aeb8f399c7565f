//! The resource as a whole, of this very process.

use super::*;
use opentelemetry::{Key, Value};
use std::collections::BTreeMap;

fn attributes(config: &Config) -> BTreeMap<String, Value> {
    build(config).iter().map(|(key, value)| (key.to_string(), value.clone())).collect()
}

fn text_of(attributes: &BTreeMap<String, Value>, key: &str) -> String {
    attributes.get(key).unwrap_or_else(|| panic!("no {key}")).to_string()
}

#[test]
fn says_what_runs_here() {
    let found = attributes(&Config::default());
    assert_eq!(found["process.pid"], Value::I64(std::process::id().into()));
    assert_eq!(text_of(&found, "process.runtime.name"), "rustc");
    assert!(text_of(&found, "process.runtime.version").starts_with("1."));
    let executable = text_of(&found, "process.executable.name");
    assert!(executable.starts_with("otel_vitals-"), "{executable}");
    assert_eq!(text_of(&found, "service.name"), format!("unknown_service:{executable}"));
    assert_eq!(text_of(&found, "telemetry.sdk.name"), "opentelemetry");
    assert_eq!(text_of(&found, "telemetry.sdk.language"), "rust");
    assert_eq!(text_of(&found, "telemetry.distro.name"), "otel-vitals");
    #[cfg(target_os = "linux")]
    assert_eq!(text_of(&found, "os.type"), "linux");
    assert!(Uuid::parse_str(&text_of(&found, "service.instance.id")).is_ok());
}

#[test]
fn carries_the_schema() {
    let resource = build(&Config::default());
    assert_eq!(resource.schema_url(), Some("https://opentelemetry.io/schemas/1.44.0"));
}

#[test]
#[cfg(target_os = "linux")]
fn the_creation_time_is_utc_with_milliseconds() {
    let time = text_of(&attributes(&Config::default()), "process.creation.time");
    let parsed = humantime::parse_rfc3339(&time).unwrap();
    assert_eq!((time.len(), time.ends_with('Z')), ("2018-02-14T00:28:07.133Z".len(), true), "{time}");
    let age = parsed.elapsed().unwrap();
    assert!(age < std::time::Duration::from_secs(24 * 3600), "{time}");
}

#[test]
fn never_says_the_command_line() {
    for key in attributes(&Config::default()).into_keys() {
        assert!(!key.starts_with("process.command"), "{key}");
    }
}

#[test]
fn configuration_wins_over_detection() {
    let mut config = Config::default();
    config.service.name = Some("checkout".to_owned());
    config.service.version = Some("1.2".to_owned());
    config.service.instance_id = Some("one".to_owned());
    config.resource.attributes = vec![
        ("host.name".to_owned(), "known-better".to_owned()),
        ("service.name".to_owned(), "less specific".to_owned()),
        ("team".to_owned(), "payments".to_owned()),
    ];
    let found = attributes(&config);
    assert_eq!(text_of(&found, "service.name"), "checkout");
    assert_eq!(text_of(&found, "service.version"), "1.2");
    assert_eq!(text_of(&found, "service.instance.id"), "one");
    assert_eq!(text_of(&found, "host.name"), "known-better");
    assert_eq!(text_of(&found, "team"), "payments");
    assert_eq!(found.get("service.namespace"), None);
}

#[test]
fn every_start_is_an_instance_of_its_own() {
    let instance = || build(&Config::default()).get(&Key::from_static_str("service.instance.id"));
    assert_ne!(instance(), instance());
}
