//! The environment: OpenTelemetry's variables, and one variable for every key of the file.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

use super::schema::{self, Field, Given, Kind, Shape};
use super::value::{self, Expected};
use super::{Config, draft::Draft};
use crate::error::{ConfigError, Found, Origin, Problem};

/// The configuration file.
pub(super) const CONFIG_FILE: &str = "VITALS_CONFIG";
/// What our own variables begin with.
pub(crate) const PREFIX: &str = "VITALS_";
/// What Kubernetes sets in every container.
const IN_CLUSTER: &str = "KUBERNETES_SERVICE_HOST";

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
    pub(super) fn apply(&self, draft: &mut Draft) -> Result<(), ConfigError> {
        for Variable { name, key, milliseconds } in OPENTELEMETRY {
            if let Some(field) = schema::find(key) {
                self.field(field, key, name, *milliseconds, draft)?;
            }
        }
        for entry in schema::entries() {
            let name = variable(&entry.path);
            match entry.kind {
                Kind::Field(field) => self.field(field, &entry.path, &name, false, draft)?,
                Kind::Group(keys) => {
                    let Some(value) = self.get(&name) else { continue };
                    let on = switch(value).map_err(|wrong| wrong.at(&name, &entry.path))?;
                    schema::switch_group(keys, &mut draft.config, on);
                }
                Kind::Section(_) | Kind::Later => {}
            }
        }
        Ok(())
    }

    /// Sets `field`, which is the key at `path`, to what the variable `name` is set to, if it is.
    fn field(
        &self,
        field: &Field,
        path: &str,
        name: &str,
        milliseconds: bool,
        draft: &mut Draft,
    ) -> Result<(), ConfigError> {
        let Some(value) = self.get(name) else { return Ok(()) };
        match set(field, milliseconds, value, &mut draft.config) {
            Ok(()) => draft.note(path, Origin::Variable(name.to_owned()), None),
            Err(_) if !draft.scope.has(path) => {}
            Err(wrong) => return Err(wrong.at(name, path)),
        }
        Ok(())
    }

    /// Refuses what can only be meant for us and means nothing.
    pub(super) fn refuse_unknown(&self) -> Result<(), ConfigError> {
        let known = known();
        let Some(name) = self.unknown(&known).find(|name| self.is_for_us(name)) else { return Ok(()) };
        let problem = match is_later(name) {
            true => Problem::Later,
            false => Problem::UnknownVariable { nearest: best(name, &known).1 },
        };
        Err(ConfigError::new(Origin::Variable(name.to_owned()), None, problem))
    }

    /// The variables that look like ours, mean nothing and may be somebody else's, with the one that they may have
    /// been meant to be.
    pub(super) fn ignored(&self) -> Vec<(&str, Option<String>)> {
        const ALIKE: f64 = 0.7;
        let known = known();
        let ignored = self.unknown(&known).filter(|name| !self.is_for_us(name));
        let nearest = |name: &str| {
            let (likeness, nearest) = best(name, &known);
            (likeness > ALIKE && !is_later(name)).then_some(nearest)
        };
        ignored.map(|name| (name, nearest(name))).collect()
    }

    fn unknown(&self, known: &BTreeSet<String>) -> impl Iterator<Item = &str> {
        let referred = self.referred.borrow().clone();
        let ours = self.variables.keys().filter(|name| name.starts_with(PREFIX) && self.get(name).is_some());
        ours.filter(move |name| !known.contains(*name) && !referred.contains(*name)).map(String::as_str)
    }

    /// Whether the variable is, or is in, a section of the configuration.
    fn is_for_us(&self, name: &str) -> bool {
        let sections = schema::ROOT.iter().filter(|key| matches!(key.kind, Kind::Section(_)));
        let inside = sections.map(|key| variable(key.name)).any(|section| {
            name.strip_prefix(&section).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        });
        inside && !(self.get(IN_CLUSTER).is_some() && is_service_link(name))
    }
}

/// Whether Kubernetes may have made the variable of a service, such as one that is called `vitals` or
/// `vitals-metrics`.
fn is_service_link(name: &str) -> bool {
    let numbered = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit());
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.split("_PORT_").skip(1).any(numbered)
}

/// The variables that are read.
fn known() -> BTreeSet<String> {
    let settable = |kind: &Kind| matches!(kind, Kind::Field(_) | Kind::Group(_));
    let entries = schema::entries().into_iter().filter(|entry| settable(entry.kind));
    let mut known: BTreeSet<String> = entries.map(|entry| variable(&entry.path)).collect();
    known.insert(CONFIG_FILE.to_owned());
    known
}

/// Of what is known the most like `name`, and how much that is.
fn best(name: &str, known: &BTreeSet<String>) -> (f64, String) {
    let alike = known.iter().map(|other| (strsim::normalized_damerau_levenshtein(name, other), other));
    let best = alike.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.map(|(likeness, other)| (likeness, other.clone())).unwrap_or_default()
}

/// Whether it is, or is below, a key of a version to come, for which a key of this one would be a bad guess.
fn is_later(name: &str) -> bool {
    let later = schema::entries().into_iter().filter(|entry| matches!(entry.kind, Kind::Later));
    later.map(|entry| entry.path).any(|path| name.starts_with(&variable(&path)))
}

/// The variable of the key at `path`.
pub(crate) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "_").to_ascii_uppercase())
}

/// The variables of OpenTelemetry that are read.
#[cfg(test)]
pub(super) fn opentelemetry() -> impl Iterator<Item = &'static str> {
    OPENTELEMETRY.iter().map(|variable| variable.name)
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
    let found = || field.found(&value.to_string_lossy());
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

    fn refused(variables: &[(&str, &str)]) -> Option<String> {
        let environment = Environment::new(variables.iter().copied());
        environment.refuse_unknown().err().map(|error| error.to_string())
    }

    #[test]
    fn what_is_meant_for_us_and_unknown_is_refused() {
        for (name, nearest) in [
            ("VITALS_METRICS_INTERVALL", "VITALS_METRICS_INTERVAL"),
            ("VITALS_METRICS", "VITALS_METRICS_HOST"),
            ("VITALS_OTLP_ENPOINT", "VITALS_OTLP_ENDPOINT"),
            ("VITALS_SERVICE_NAMES", "VITALS_SERVICE_NAME"),
            ("VITALS_RESOURCE_ATTRIBUTE", "VITALS_RESOURCE_ATTRIBUTES"),
            ("VITALS_METRICS_HOST_CPU_PERCORE", "VITALS_METRICS_HOST_CPU_PER_CORE"),
            ("VITALS_OTLP_PORT", "VITALS_OTLP_PROTOCOL"),
            ("VITALS_MONITOR", "VITALS_MONITOR_LIVE"),
            ("VITALS_MONITOR_RETRY_COUNT", "VITALS_MONITOR_RETRYCOUNT"),
            ("VITALS_MONITOR_SECURITY_USER", "VITALS_MONITOR_SECURITYUSER"),
            ("VITALS_MONITOR_STATUS_HARDWARE", "VITALS_MONITOR_STATUS_HARDWARE_RAM"),
            ("VITALS_MONITOR_ADMIN", "VITALS_MONITOR_DRAIN"),
            ("VITALS_PROFILING_INTERVAL", "VITALS_PROFILING_HEAP_INTERVAL"),
        ] {
            let expected = format!("{name}: unknown variable, the nearest known one is {nearest}");
            assert_eq!(refused(&[(name, "false")]), Some(expected));
        }
        let later = "VITALS_METRICS_HOST_HARDWARE_ENABLED";
        let expected = format!("{later}: this version of otel-vitals does not have it yet");
        assert_eq!(refused(&[(later, "true")]), Some(expected));
    }

    #[test]
    fn what_may_be_meant_for_others_is_not_refused() {
        for name in ["VITALS_ADMIN_PASSWORD", "VITALS_METRICSX", "VITALS_CONFIG", "VITALS_METRICS_TIMEOUT"] {
            assert_eq!(refused(&[(name, "x")]), None, "{name}");
        }
        assert_eq!(refused(&[("VITALS_METRICS_NOTHING", "")]), None, "empty is unset");
        let environment = Environment::new([("VITALS_OTLP_TOKEN", "s3cr3t")]);
        let _ = environment.any("VITALS_OTLP_TOKEN");
        assert_eq!(environment.refuse_unknown(), Ok(()), "the file refers to it");
        for link in [
            "VITALS_SERVICE_HOST",
            "VITALS_SERVICE_PORT",
            "VITALS_SERVICE_PORT_OTLP",
            "VITALS_METRICS_PORT",
            "VITALS_METRICS_PORT_4317_TCP_ADDR",
            "VITALS_METRICS_SERVICE_HOST",
            "VITALS_MONITOR_PORT",
        ] {
            assert_eq!(refused(&[(link, "x"), (IN_CLUSTER, "10.0.0.1")]), None, "{link} in a cluster");
            assert!(refused(&[(link, "x")]).is_some(), "{link} elsewhere");
        }
    }

    #[test]
    fn what_only_looks_like_ours_is_named_with_what_it_may_mean() {
        let environment = Environment::new([
            ("VITALS_DISABLE", "true"),
            ("VITALS_ADMIN_PASSWORD", "s3cr3t"),
            ("VITALS_TOKEN", "referred to"),
            ("VITALS_METRICS_TIMEOUT", "5s"),
            ("VITALS_CONFIG", "x"),
            ("PATH", "/bin"),
        ]);
        let _ = environment.any("VITALS_TOKEN");
        let expected =
            [("VITALS_ADMIN_PASSWORD", None), ("VITALS_DISABLE", Some("VITALS_DISABLED".to_owned()))];
        assert_eq!(environment.ignored(), expected);
    }
}
