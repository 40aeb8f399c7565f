//! The environment: OpenTelemetry's variables, and one variable for every key of the file.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

use super::schema::{self, Field, Given, Kind, Shape};
use super::value::{self, Expected};
use super::{Config, Origins};
use crate::error::{ConfigError, Found, Origin, Problem};

/// The configuration file.
pub(super) const CONFIG_FILE: &str = "VITALS_CONFIG";
const PREFIX: &str = "VITALS_";

/// A variable of OpenTelemetry and the key that it sets.
struct Variable {
    name: &'static str,
    key: &'static str,
    /// Whether a time in it is in milliseconds without a unit.
    milliseconds: bool,
}

const fn text(name: &'static str, key: &'static str) -> Variable {
    Variable { name, key, milliseconds: false }
}

const fn milliseconds(name: &'static str, key: &'static str) -> Variable {
    Variable { name, key, milliseconds: true }
}

/// In the order in which they are applied: what is said for metrics wins over what is said for every signal, and
/// the name of the service over the attribute.
static OPENTELEMETRY: &[Variable] = &[
    text("OTEL_SDK_DISABLED", "disabled"),
    text("OTEL_RESOURCE_ATTRIBUTES", "resource.attributes"),
    text("OTEL_SERVICE_NAME", "service.name"),
    text("OTEL_METRICS_EXPORTER", "metrics.exporters"),
    milliseconds("OTEL_METRIC_EXPORT_INTERVAL", "metrics.interval"),
    milliseconds("OTEL_METRIC_EXPORT_TIMEOUT", "metrics.timeout"),
    text("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp.endpoint"),
    text("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "otlp.metrics_endpoint"),
    text("OTEL_EXPORTER_OTLP_PROTOCOL", "otlp.protocol"),
    text("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "otlp.protocol"),
    text("OTEL_EXPORTER_OTLP_HEADERS", "otlp.headers"),
    text("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "otlp.headers"),
    milliseconds("OTEL_EXPORTER_OTLP_TIMEOUT", "otlp.timeout"),
    milliseconds("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "otlp.timeout"),
    text("OTEL_EXPORTER_OTLP_COMPRESSION", "otlp.compression"),
    text("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "otlp.compression"),
    text("OTEL_EXPORTER_OTLP_CERTIFICATE", "otlp.certificate"),
    text("OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "otlp.certificate"),
    text("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "otlp.client_certificate"),
    text("OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE", "otlp.client_certificate"),
    text("OTEL_EXPORTER_OTLP_CLIENT_KEY", "otlp.client_key"),
    text("OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "otlp.client_key"),
    text("OTEL_EXPORTER_OTLP_INSECURE", "otlp.insecure"),
    text("OTEL_EXPORTER_OTLP_METRICS_INSECURE", "otlp.insecure"),
    text("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "otlp.temporality"),
];

/// The variables of one process, as they were at one moment.
#[derive(Debug, Default)]
pub(super) struct Environment {
    variables: BTreeMap<String, OsString>,
    /// Those that the file referred to, so that they have a purpose.
    referred: RefCell<BTreeSet<String>>,
}

impl Environment {
    pub(super) fn new<N: Into<OsString>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let named = |(name, value): (N, V)| Some((name.into().into_string().ok()?, value.into()));
        Environment { variables: variables.into_iter().filter_map(named).collect(), ..Self::default() }
    }

    /// What the variable is set to. Empty is not set, as OpenTelemetry says, and neither is blank.
    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        let blank = |value: &OsStr| value.to_str().is_some_and(|text| text.trim().is_empty());
        self.variables.get(name).map(OsString::as_os_str).filter(|value| !blank(value))
    }

    /// What the variable is set to, even if that is nothing, for a file that refers to it.
    pub(super) fn any(&self, name: &str) -> Option<&OsStr> {
        self.referred.borrow_mut().insert(name.to_owned());
        self.variables.get(name).map(OsString::as_os_str)
    }

    /// Applies what is set: `OTEL_*`, then `VITALS_*`.
    pub(super) fn apply(&self, config: &mut Config, origins: &mut Origins) -> Result<(), ConfigError> {
        for Variable { name, key, milliseconds } in OPENTELEMETRY {
            if let (Some(value), Some(field)) = (self.get(name), schema::find(key)) {
                set(field, *milliseconds, value, config).map_err(|wrong| wrong.at(name, key))?;
                origins.insert((*key).to_owned(), Origin::Variable((*name).to_owned()));
            }
        }
        for entry in schema::entries() {
            let name = variable(&entry.path);
            let Some(value) = self.get(&name) else { continue };
            match entry.kind {
                Kind::Field(field) => {
                    set(field, false, value, config).map_err(|wrong| wrong.at(&name, &entry.path))?;
                    origins.insert(entry.path, Origin::Variable(name));
                }
                Kind::Group(keys) => {
                    let on = switch(value).map_err(|wrong| wrong.at(&name, &entry.path))?;
                    schema::switch_group(keys, config, on);
                }
                Kind::Section(_) | Kind::Later => {}
            }
        }
        Ok(())
    }

    /// The variables that look like ours and mean nothing, with the one that they may have been meant to be.
    pub(super) fn unknown(&self) -> Vec<(&str, Option<String>)> {
        let settable = |kind: &Kind| matches!(kind, Kind::Field(_) | Kind::Group(_));
        let entries = schema::entries().into_iter().filter(|entry| settable(entry.kind));
        let mut known: BTreeSet<String> = entries.map(|entry| variable(&entry.path)).collect();
        known.insert(CONFIG_FILE.to_owned());
        let referred = self.referred.borrow();
        let ours = self.variables.keys().filter(|name| name.starts_with(PREFIX));
        let unknown = ours.filter(|name| !known.contains(*name) && !referred.contains(*name));
        unknown.map(|name| (name.as_str(), nearest(name, &known))).collect()
    }
}

/// Whether it is, or is below, a key of a version to come, for which a key of this one would be a bad guess.
fn is_later(name: &str) -> bool {
    let later = schema::entries().into_iter().filter(|entry| matches!(entry.kind, Kind::Later));
    later.map(|entry| entry.path).any(|path| name.starts_with(&variable(&path)))
}

/// The variable of the key at `path`.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "_").to_ascii_uppercase())
}

/// The variables of OpenTelemetry that are read.
#[cfg(test)]
pub(super) fn opentelemetry() -> impl Iterator<Item = &'static str> {
    OPENTELEMETRY.iter().map(|variable| variable.name)
}

fn nearest(name: &str, known: &BTreeSet<String>) -> Option<String> {
    let likeness = |other: &String| strsim::normalized_damerau_levenshtein(name, other);
    let best = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) > 0.7 && !is_later(name)).then(|| best.clone())
}

/// A variable with a wrong value.
struct Wrong {
    found: Found,
    expected: Expected,
}

impl Wrong {
    fn at(self, name: &str, key: &str) -> ConfigError {
        let problem = Problem::Wrong { found: self.found, expected: self.expected.0 };
        ConfigError::new(Origin::Variable(name.to_owned()), Some(key), problem)
    }
}

fn set(field: &Field, milliseconds: bool, value: &OsStr, config: &mut Config) -> Result<(), Wrong> {
    if let Field::Path(at) = field {
        *at(config) = Some(value.into());
        return Ok(());
    }
    let found = || if field.is_secret() { Found::Secret } else { Found::text(&value.to_string_lossy()) };
    let text = value.to_str().ok_or_else(|| Wrong { found: found(), expected: Expected::new("UTF-8") })?;
    let outcome = match field.shape() {
        Shape::One if milliseconds => field.set_milliseconds(config, text),
        Shape::One => field.set(config, Given::One(text.to_owned())),
        Shape::Many => field.list(text).and_then(|names| field.set(config, names)),
        Shape::Pairs => value::pairs(text).and_then(|pairs| field.set(config, Given::Pairs(pairs))),
    };
    outcome.map_err(|expected| Wrong { found: found(), expected })
}

fn switch(value: &OsStr) -> Result<bool, Wrong> {
    let text = value.to_string_lossy();
    value::Choice::parse(&text).map_err(|expected| Wrong { found: Found::text(&text), expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_of_opentelemetry_sets_a_field() {
        for Variable { name, key, milliseconds } in OPENTELEMETRY {
            let field = schema::find(key);
            assert!(field.is_some(), "{name} sets {key}, which is no field");
            assert_eq!(*milliseconds, matches!(field, Some(Field::Time(..))), "{name}");
        }
    }

    #[test]
    fn every_key_has_a_variable_of_its_own() {
        let names: BTreeSet<_> = schema::entries().iter().map(|entry| variable(&entry.path)).collect();
        assert_eq!(names.len(), schema::entries().len());
        assert_eq!(variable("metrics.host.cpu.per_core"), "VITALS_METRICS_HOST_CPU_PER_CORE");
    }

    #[test]
    fn what_only_looks_like_ours_is_named_with_what_it_may_mean() {
        let environment = Environment::new([
            ("VITALS_METRICS_INTERVALL", "5s"),
            ("VITALS_ADMIN_PASSWORD", "s3cr3t"),
            ("VITALS_METRICS_TOKIO_ENABLED", "true"),
            ("VITALS_TOKEN", "referred to"),
            ("VITALS_METRICS_TIMEOUT", "5s"),
            ("VITALS_CONFIG", "x"),
            ("PATH", "/bin"),
        ]);
        let _ = environment.any("VITALS_TOKEN");
        let expected = [
            ("VITALS_ADMIN_PASSWORD", None),
            ("VITALS_METRICS_INTERVALL", Some("VITALS_METRICS_INTERVAL".to_owned())),
            ("VITALS_METRICS_TOKIO_ENABLED", None),
        ];
        assert_eq!(environment.unknown(), expected);
    }
}
