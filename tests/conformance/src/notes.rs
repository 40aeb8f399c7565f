//! `docs/metrics-notes.yaml`: what a reader of a metric must know and no registry says.
//!
//! It is not in `semconv/`, because weaver takes every YAML file there for a part of the registry, and not in the
//! registry's own annotations, because an import cannot have any.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::Declaration;
use crate::error::{Error, Violation, read};
use crate::metric::{Kind, Level, Metric};
use crate::rules::is_sentence;

/// The notes of all metrics.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// Metrics by namespace, in the order of the reference.
    pub groups: Vec<Group>,
    /// Metrics of the conventions that are left out, each with the reason.
    pub left_out: BTreeMap<String, String>,
    /// The attributes of the resource.
    pub resource: Resource,
}

/// The metrics of one namespace.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Heading of its section.
    pub title: String,
    /// What all its names start with.
    pub namespace: String,
    /// Name of the instrumentation scope.
    pub scope: String,
    /// Configuration key that turns the group off.
    pub switch: Option<String>,
    /// What its reader should know before the table.
    pub about: String,
    /// What there is of it on systems other than Linux. None is all of it.
    pub elsewhere: Option<String>,
    /// Its metrics.
    pub metrics: BTreeMap<String, MetricNotes>,
}

/// What is to be known of one metric.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricNotes {
    /// Where the value comes from.
    pub source: String,
    /// What it means, approximations included. None is the brief of its declaration.
    pub meaning: Option<String>,
    /// Configuration key that turns it on. None is on by default.
    pub option: Option<String>,
    /// The values that we give an attribute, where they are fewer than its enumeration or that is open.
    #[serde(default)]
    pub values: BTreeMap<String, Values>,
    /// Attributes that are there under a condition only, each with it.
    #[serde(default)]
    pub conditional: BTreeMap<String, String>,
    /// Attributes that the conventions recommend and we cannot give, each with the reason.
    #[serde(default)]
    pub absent: BTreeMap<String, String>,
    /// The only system that has the metric, when that is not Linux.
    pub platform: Option<String>,
    /// How a program must be built to have the metric, when that is not as usual.
    pub build: Option<String>,
    /// Values of attributes that only systems other than Linux, some machines, or allocators other than the system's, give.
    #[serde(default)]
    pub elsewhere: BTreeMap<String, Vec<String>>,
}

/// The values that we give an attribute.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Values {
    /// These.
    Closed(Vec<String>),
    /// Any that this describes.
    Open(String),
}

/// The attributes of the resource.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Those that we send.
    pub attributes: BTreeMap<String, ResourceNotes>,
    /// Those that an entity requires and we cannot give, each with the reason.
    #[serde(default)]
    pub absent: BTreeMap<String, String>,
}

/// What is to be known of one attribute of the resource.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceNotes {
    /// Where the value comes from.
    pub source: String,
    /// When it is there. None is always.
    pub when: Option<String>,
}

impl Notes {
    /// Reads the notes in `file`.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn load(file: &Path) -> Result<Self, Error> {
        Notes::parse(&read(file)?)
    }

    /// Reads notes.
    ///
    /// # Errors
    /// When they are malformed.
    pub fn parse(text: &str) -> Result<Self, Error> {
        serde_saphyr::from_str(text).map_err(|error| Error::malformed("docs/metrics-notes.yaml", error))
    }

    /// The group of the metric called `name`, and its notes.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<(&Group, &MetricNotes)> {
        self.groups.iter().find_map(|group| Some((group, group.metrics.get(name)?)))
    }
}

impl MetricNotes {
    /// The values that an attribute of this metric may have: those noted here, else those of its enumeration. None
    /// is any.
    #[must_use]
    pub fn allowed<'a>(&'a self, key: &str, kind: &'a Kind) -> Option<Vec<&'a str>> {
        match self.values.get(key) {
            Some(Values::Closed(values)) => Some(values.iter().map(String::as_str).collect()),
            Some(Values::Open(_)) => None,
            None => kind.values(),
        }
    }
}

/// Whatever the notes say that the declarations do not bear out, or leave unsaid.
#[must_use]
pub fn check(declaration: &Declaration) -> Vec<Violation> {
    let mut found = Vec::new();
    for metric in &declaration.metrics {
        match declaration.notes.metric(&metric.name) {
            Some((group, notes)) => metric_notes(metric, group, notes, &mut found),
            None => found.push(Violation::new(&metric.name, "has no notes")),
        }
    }
    let declared: BTreeSet<&str> = declaration.metrics.iter().map(|metric| metric.name.as_str()).collect();
    let noted = declaration.notes.groups.iter().flat_map(|group| group.metrics.keys());
    for name in noted.filter(|name| !declared.contains(name.as_str())) {
        found.push(Violation::new(name, "has notes and is not declared"));
    }
    for (name, reason) in &declaration.notes.left_out {
        if declared.contains(name.as_str()) {
            found.push(Violation::new(name, "is noted as left out and is declared"));
        }
        if declaration.conventions.metric(name).is_none() {
            found.push(Violation::new(name, "is noted as left out and is no metric of the conventions"));
        }
        if !is_sentence(reason) {
            found.push(Violation::new(name, "the reason to leave it out does not end with a full stop"));
        }
    }
    let left_out = &declaration.notes.left_out;
    let watched = declaration.conventions.metric_names().filter(|name| is_watched(name));
    for name in watched.filter(|name| !declared.contains(name) && !left_out.contains_key(*name)) {
        found.push(Violation::new(name, "is a metric of what we watch, and neither imported nor left out"));
    }
    found
}

/// Whether the conventions' metric called `name` is about what we set out to watch.
fn is_watched(name: &str) -> bool {
    name.starts_with("process.") || name.starts_with("system.")
}

fn metric_notes(metric: &Metric, group: &Group, notes: &MetricNotes, found: &mut Vec<Violation>) {
    let mut complain = |problem: String| found.push(Violation::new(&metric.name, problem));
    let inside = metric.name.strip_prefix(&group.namespace);
    if !inside.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
        complain(format!("is noted in the group of {}", group.namespace));
    }
    if metric.opt_in && notes.option.is_none() {
        complain("is opt-in in the conventions and has no option in the notes".to_owned());
    }
    if notes.meaning.is_none() && metric.brief.ends_with("...") {
        complain("has a brief that is cut off, and no meaning in the notes".to_owned());
    }
    if notes.meaning.as_ref().is_some_and(|meaning| !is_sentence(meaning)) {
        complain("its meaning does not end with a full stop".to_owned());
    }
    let keys = notes.values.keys().chain(notes.conditional.keys()).chain(notes.absent.keys());
    let keys = keys.chain(notes.elsewhere.keys());
    for key in keys.filter(|key| metric.attribute(key).is_none()) {
        complain(format!("has notes on {key}, which is not declared for it"));
    }
    for (key, values) in &notes.values {
        let known = metric.attribute(key).and_then(|attribute| attribute.kind.values());
        if let (Values::Closed(values), Some(known)) = (values, known) {
            for value in values.iter().filter(|value| !known.contains(&value.as_str())) {
                complain(format!("has notes on {key} = {value}, which its enumeration does not have"));
            }
        }
    }
    for attribute in metric.attributes.iter().filter(|attribute| attribute.level == Level::Required) {
        if notes.absent.contains_key(&attribute.key) || notes.conditional.contains_key(&attribute.key) {
            complain(format!("requires {}, which the notes leave out", attribute.key));
        }
    }
}

#[cfg(test)]
mod tests;
