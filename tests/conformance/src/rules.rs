//! The rules that weaver enforces on a registry, and three of our own: imports are names and not wildcards, the
//! version of the registry is that of the crates, and nothing that is imported is deprecated.

use std::collections::BTreeSet;

use crate::conventions::Conventions;
use crate::error::Violation;
use crate::metric::Metric;
use crate::registry::{AttributeType, Registry};

/// Every rule that `registry`, whose resolved metrics are `metrics`, breaks.
#[must_use]
pub fn check(registry: &Registry, metrics: &[Metric], conventions: &Conventions) -> Vec<Violation> {
    let mut found = Vec::new();
    manifest(registry, &mut found);
    imports(registry, conventions, &mut found);
    names(registry, metrics, &mut found);
    namespaces(registry, metrics, conventions, &mut found);
    sentences(registry, &mut found);
    values(registry, &mut found);
    found
}

/// `^[a-z][a-z0-9]*([._][a-z0-9]+)*$`
#[must_use]
pub fn is_name(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.split(['.', '_']).all(is_word)
}

/// Whether `text` is one or more whole sentences.
#[must_use]
pub fn is_sentence(text: &str) -> bool {
    let trimmed = text.trim();
    trimmed == text && trimmed.ends_with('.') && trimmed.len() > 1
}

fn manifest(registry: &Registry, found: &mut Vec<Violation>) {
    let manifest = &registry.manifest;
    let version = manifest.schema_url.rsplit('/').next().unwrap_or_default();
    if version != env!("CARGO_PKG_VERSION") {
        let problem =
            format!("schema_url ends in {version}, and the crates are {}", env!("CARGO_PKG_VERSION"));
        found.push(Violation::new("manifest.yaml", problem));
    }
    if !manifest.dependencies.iter().any(|on| on.schema_url == "https://opentelemetry.io/schemas/1.44.0") {
        found.push(Violation::new("manifest.yaml", "does not depend on the conventions 1.44.0"));
    }
    if !is_sentence(&manifest.description) {
        found.push(Violation::new("manifest.yaml", "its description does not end with a full stop"));
    }
}

fn imports(registry: &Registry, conventions: &Conventions, found: &mut Vec<Violation>) {
    for name in registry.imports.metrics.iter().chain(&registry.imports.entities) {
        if name.contains('*') {
            found.push(Violation::new(name, "is imported by wildcard; name what is emitted"));
        }
    }
    for name in &registry.imports.metrics {
        if let Some(why) = conventions.deprecation(name) {
            found.push(Violation::new(name, format!("is imported and deprecated: {why}")));
        }
    }
    for name in registry.imports.entities.iter().filter(|name| conventions.entity(name).is_none()) {
        found.push(Violation::new(name, "is no entity of the conventions"));
    }
}

fn names(registry: &Registry, metrics: &[Metric], found: &mut Vec<Violation>) {
    let metrics = metrics.iter().map(|metric| &metric.name);
    let attributes = registry.attributes.iter().map(|attribute| &attribute.key);
    for names in [metrics.collect::<Vec<_>>(), attributes.collect()] {
        let mut seen = BTreeSet::new();
        for name in names {
            if !is_name(name) {
                found.push(Violation::new(name, "does not match ^[a-z][a-z0-9]*([._][a-z0-9]+)*$"));
            }
            if !name.contains('.') {
                found.push(Violation::new(name, "has no namespace"));
            }
            if !seen.insert(name) {
                found.push(Violation::new(name, "is there twice"));
            }
        }
    }
}

/// No metric is the namespace of a metric, no attribute that of an attribute, and none of ours is one that the
/// conventions have already.
fn namespaces(
    registry: &Registry,
    metrics: &[Metric],
    conventions: &Conventions,
    found: &mut Vec<Violation>,
) {
    let ours: Vec<&str> = registry.metrics.iter().map(|metric| metric.name.as_str()).collect();
    let all: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
    for name in &all {
        let inside = all.iter().filter(|other| is_namespace(name, other));
        found.extend(inside.map(|inside| Violation::new(*name, format!("is the namespace of {inside}"))));
    }
    for name in ours.iter().filter(|name| conventions.metric(name).is_some()) {
        found.push(Violation::new(*name, "is a metric of the conventions already"));
    }
    let keys: Vec<&str> = registry.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    for key in &keys {
        let inside = keys.iter().filter(|other| is_namespace(key, other));
        found.extend(inside.map(|inside| Violation::new(*key, format!("is the namespace of {inside}"))));
        if conventions.attribute(key).is_some() {
            found.push(Violation::new(*key, "is an attribute of the conventions already"));
        }
    }
}

fn is_namespace(name: &str, of: &str) -> bool {
    of.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
}

fn sentences(registry: &Registry, found: &mut Vec<Violation>) {
    let metrics = registry.metrics.iter().map(|metric| (&metric.name, &metric.brief, &metric.note));
    let attributes =
        registry.attributes.iter().map(|attribute| (&attribute.key, &attribute.brief, &attribute.note));
    for (name, brief, note) in metrics.chain(attributes) {
        if !is_sentence(brief) {
            found.push(Violation::new(name, "its brief does not end with a full stop"));
        }
        if note.as_ref().is_some_and(|note| !is_sentence(note)) {
            found.push(Violation::new(name, "its note does not end with a full stop"));
        }
    }
}

fn values(registry: &Registry, found: &mut Vec<Violation>) {
    for metric in registry.metrics.iter().filter(|metric| metric.unit.is_empty()) {
        found.push(Violation::new(&metric.name, "has no unit"));
    }
    for attribute in &registry.attributes {
        match &attribute.kind {
            AttributeType::Any(name) if name == "string" && attribute.examples.is_empty() => {
                found.push(Violation::new(&attribute.key, "is a string without an example"));
            }
            AttributeType::Any(_) => {}
            AttributeType::Enum { members } => {
                let (mut ids, mut values) = (BTreeSet::new(), BTreeSet::new());
                for member in members {
                    if !is_sentence(&member.brief) {
                        let problem = format!("the brief of {} does not end with a full stop", member.value);
                        found.push(Violation::new(&attribute.key, problem));
                    }
                    if !ids.insert(&member.id) || !values.insert(&member.value) {
                        let problem = format!("has the member {} twice", member.value);
                        found.push(Violation::new(&attribute.key, problem));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
