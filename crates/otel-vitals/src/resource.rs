//! What the metrics are about: the service, its process, and where that runs.
//!
//! | attributes | source |
//! | --- | --- |
//! | `service.name`, `service.namespace`, `service.version`, `service.instance.id` | configuration, else the executable's name and a random UUID |
//! | `telemetry.sdk.*`, `telemetry.distro.*` | the SDK and this crate |
//! | `process.pid`, `process.creation.time`, `process.executable.name`, `process.runtime.*` | the system; the compiler |
//! | `host.name`, `host.id`, `host.arch` | `uname(2)`, `/etc/machine-id` |
//! | `os.type`, `os.name`, `os.version`, `os.description` | `/etc/os-release`, `uname(2)` |
//! | `container.id` | `/proc/self/cgroup`, `/proc/self/mountinfo` |
//! | `k8s.*` | variables filled by the downward API, the service account's folder |
//! | anything | `resource.attributes`, which wins over what is detected |
//!
//! Never the command line, which may hold secrets. What cannot be found out is absent.

mod container;
mod host;
mod kernel;
mod kubernetes;
mod os;
mod process;

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use std::io::Read as _;
use std::path::Path;
use uuid::Uuid;

use crate::config::{Config, ServiceConfig};

/// The resource of this process: what is detected, then the attributes of the configuration, then its service; later
/// wins. Reads some small files and no network.
pub(crate) fn build(config: &Config) -> Resource {
    let configured = config.resource.attributes.iter();
    let configured = configured.map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    let attributes = detected(config).into_iter().chain(configured).chain(service(&config.service));
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_schema_url(attributes, otel_vitals_core::SCHEMA_URL)
        .build()
}

fn detected(config: &Config) -> Vec<KeyValue> {
    let executable = process::executable();
    let container = container::id();
    let mut attributes = vec![
        KeyValue::new("service.name", unknown_service(executable.as_deref())),
        KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
        KeyValue::new("telemetry.distro.name", env!("CARGO_PKG_NAME")),
        KeyValue::new("telemetry.distro.version", env!("CARGO_PKG_VERSION")),
    ];
    attributes.extend(process::attributes(executable));
    let in_container = container.is_some() || container::is_around();
    attributes.extend(host::attributes(config.metrics.host.root_path.as_deref(), in_container));
    attributes.extend(os::attributes());
    attributes.extend(container.map(|id| KeyValue::new("container.id", id)));
    attributes.extend(kubernetes::attributes());
    attributes
}

/// What the conventions ask for when nobody named the service.
fn unknown_service(executable: Option<&str>) -> String {
    executable.map_or_else(|| "unknown_service".to_owned(), |name| format!("unknown_service:{name}"))
}

fn service(service: &ServiceConfig) -> impl Iterator<Item = KeyValue> {
    let named = [
        ("service.name", &service.name),
        ("service.namespace", &service.namespace),
        ("service.version", &service.version),
        ("service.instance.id", &service.instance_id),
    ];
    named.into_iter().filter_map(|(name, value)| Some(KeyValue::new(name, value.clone()?)))
}

/// The text of a small system file, if it is there.
fn text(path: impl AsRef<Path>) -> Option<String> {
    const MAX_SIZE: u64 = 1024 * 1024;
    let file = std::fs::File::open(path).ok()?;
    let mut text = String::new();
    file.take(MAX_SIZE).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests;
