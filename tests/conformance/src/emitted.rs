//! What was collected, held against what is declared.

use std::collections::{BTreeMap, BTreeSet};
use test_harness::{Collection, Metric as Collected, Point};

use crate::Declaration;
use crate::error::Violation;
use crate::metric::{AttributeUse, Kind, Level, Metric, Origin};
use crate::notes::{Group, MetricNotes};
use crate::rules::is_sentence;

/// Schema URL of the conventions, which every scope of ours names.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// Every collection so far, and what is wrong with them.
#[derive(Debug)]
pub struct Emitted<'a> {
    declaration: &'a Declaration,
    violations: BTreeSet<Violation>,
    /// Metric → attribute → values.
    seen: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl<'a> Emitted<'a> {
    /// Nothing yet, to be held against `declaration`.
    #[must_use]
    pub fn new(declaration: &'a Declaration) -> Self {
        Emitted { declaration, violations: BTreeSet::new(), seen: BTreeMap::new() }
    }

    /// Takes in what one collection gave.
    pub fn add(&mut self, collection: &Collection) {
        for metric in &collection.metrics {
            self.violations.extend(check(metric, self.declaration));
            let seen = self.seen.entry(metric.name.clone()).or_default();
            for (key, value) in metric.points.iter().flat_map(|point| &point.attributes) {
                seen.entry(key.clone()).or_default().insert(value.clone());
            }
        }
    }

    /// What was emitted and is not as declared.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.violations.iter().cloned().collect()
    }

    /// The names of the metrics that were emitted.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        self.seen.keys().map(String::as_str).collect()
    }

    /// The keys of the attributes that the metric called `name` was emitted with.
    #[must_use]
    pub fn attributes(&self, name: &str) -> BTreeSet<&str> {
        self.seen.get(name).into_iter().flatten().map(|(key, _)| key.as_str()).collect()
    }

    /// What is declared and was never emitted, of the metrics that `expected` chooses: the metric itself, an
    /// attribute that the notes do not excuse, or a value of an enumeration of our own.
    #[must_use]
    pub fn missing(&self, expected: impl Fn(&Metric) -> bool) -> Vec<Violation> {
        let metrics = self.declaration.metrics.iter().filter(|metric| expected(metric));
        metrics.flat_map(|metric| self.missing_of(metric)).collect()
    }

    fn missing_of(&self, metric: &Metric) -> Vec<Violation> {
        let notes = self.declaration.notes.metric(&metric.name).map(|(_, notes)| notes);
        if notes.is_some_and(|notes| notes.platform.is_some()) {
            return Vec::new();
        }
        let Some(seen) = self.seen.get(&metric.name) else {
            return vec![Violation::new(&metric.name, "is declared and never emitted")];
        };
        let mut found = Vec::new();
        for attribute in &metric.attributes {
            match seen.get(&attribute.key) {
                Some(values) => found.extend(missing_values(metric, attribute, values, notes)),
                None if is_excused(attribute, notes) => {}
                None => {
                    let problem = format!("never has {}, and no notes say why", attribute.key);
                    found.push(Violation::new(&metric.name, problem));
                }
            }
        }
        found
    }
}

/// Opt-in and conditional attributes may stay away; that they exist is for the notes to say.
fn is_excused(attribute: &AttributeUse, notes: Option<&MetricNotes>) -> bool {
    let noted = notes.is_some_and(|notes| {
        notes.absent.contains_key(&attribute.key) || notes.conditional.contains_key(&attribute.key)
    });
    noted || attribute.deprecated || matches!(attribute.level, Level::OptIn | Level::Conditional)
}

fn missing_values(
    metric: &Metric,
    attribute: &AttributeUse,
    seen: &BTreeSet<String>,
    notes: Option<&MetricNotes>,
) -> Vec<Violation> {
    let elsewhere = notes.and_then(|notes| notes.elsewhere.get(&attribute.key));
    let is_elsewhere = |value: &String| elsewhere.is_some_and(|values| values.contains(value));
    let declared = match (metric.origin, &attribute.kind) {
        (Origin::Ours, Kind::Enum(members)) => members.as_slice(),
        _ => &[],
    };
    let missing =
        declared.iter().filter(|member| !seen.contains(&member.value) && !is_elsewhere(&member.value));
    missing
        .map(|member| {
            let problem = format!("never has {} = {}, which is declared", attribute.key, member.value);
            Violation::new(&metric.name, problem)
        })
        .collect()
}

fn check(collected: &Collected, declaration: &Declaration) -> Vec<Violation> {
    let Some(metric) = declaration.metrics.iter().find(|metric| metric.name == collected.name) else {
        return vec![Violation::new(&collected.name, undeclared(&collected.name, declaration))];
    };
    let mut problems = Vec::new();
    instrument(collected, metric, &mut problems);
    description(collected, metric, &mut problems);
    if let Some((group, notes)) = declaration.notes.metric(&metric.name) {
        scope(collected, group, &mut problems);
        for point in &collected.points {
            attributes(point, metric, notes, &mut problems);
        }
    }
    if collected.points.is_empty() {
        problems.push("has no series".to_owned());
    }
    let absurd = collected.points.iter().find(|point| !point.value.is_finite() || point.value < 0.0);
    problems.extend(absurd.map(|point| format!("is {} at {:?}", point.value, point.attributes)));
    problems.into_iter().map(|problem| Violation::new(&collected.name, problem)).collect()
}

fn undeclared(name: &str, declaration: &Declaration) -> String {
    match (declaration.conventions.deprecation(name), declaration.conventions.metric(name)) {
        (Some(why), _) => format!("is emitted and deprecated: {why}"),
        (None, Some(_)) => "is emitted and not imported in semconv/imports.yaml".to_owned(),
        (None, None) => "is emitted and declared nowhere in semconv/".to_owned(),
    }
}

fn instrument(collected: &Collected, metric: &Metric, problems: &mut Vec<String>) {
    let kind = collected.instrument.to_string();
    if kind != metric.instrument {
        problems.push(format!("is a {kind} and should be a {}", metric.instrument));
    }
    if collected.unit != metric.unit {
        problems.push(format!("has the unit `{}` and should have `{}`", collected.unit, metric.unit));
    }
    if collected.integer != metric.integer {
        let name = |integer| if integer { "int" } else { "double" };
        problems.push(format!("is {} and should be {}", name(collected.integer), name(metric.integer)));
    }
}

fn description(collected: &Collected, metric: &Metric, problems: &mut Vec<String>) {
    if !is_sentence(&collected.description) {
        problems.push(format!("is described as `{}`, which is no sentence", collected.description));
    }
    if metric.origin == Origin::Ours && collected.description != metric.brief {
        let declared = &metric.brief;
        problems.push(format!("is described as `{}` and declared as `{declared}`", collected.description));
    }
}

fn scope(collected: &Collected, group: &Group, problems: &mut Vec<String>) {
    if collected.scope != group.scope {
        problems.push(format!("is of the scope {} and should be of {}", collected.scope, group.scope));
    }
    if collected.scope_version.as_deref() != Some(env!("CARGO_PKG_VERSION")) {
        problems.push(format!("is of a scope whose version is {:?}", collected.scope_version));
    }
    if collected.schema_url.as_deref() != Some(SCHEMA_URL) {
        problems.push(format!("is of a scope whose schema URL is {:?}", collected.schema_url));
    }
}

fn attributes(point: &Point, metric: &Metric, notes: &MetricNotes, problems: &mut Vec<String>) {
    for (key, value) in &point.attributes {
        match metric.attribute(key) {
            None => problems.push(format!("has the attribute {key}, which is not declared for it")),
            Some(declared) => attribute(declared, value, point.types.get(key), notes, problems),
        }
    }
    for required in metric.attributes.iter().filter(|attribute| attribute.level == Level::Required) {
        if !point.attributes.contains_key(&required.key) {
            problems.push(format!("requires {} and has only {:?}", required.key, point.attributes));
        }
    }
}

fn attribute(
    declared: &AttributeUse,
    value: &str,
    type_name: Option<&String>,
    notes: &MetricNotes,
    problems: &mut Vec<String>,
) {
    let key = &declared.key;
    if declared.deprecated {
        problems.push(format!("has the attribute {key}, which is deprecated"));
    }
    if type_name.is_none_or(|name| name != declared.kind.type_name()) {
        problems
            .push(format!("has {key} as {type_name:?} and should have it as {}", declared.kind.type_name()));
    }
    if notes.allowed(key, &declared.kind).is_some_and(|allowed| !allowed.contains(&value)) {
        problems.push(format!("has {key} = {value}, which is not declared"));
    }
    if notes.absent.contains_key(key) {
        problems.push(format!("has {key}, which its notes say is absent"));
    }
    if declared.level == Level::OptIn && !notes.conditional.contains_key(key) {
        problems.push(format!("has {key}, which is opt-in, and no notes say when"));
    }
}

#[cfg(test)]
mod tests;
