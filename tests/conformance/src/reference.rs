//! `docs/metrics.md`, made of the registry, the conventions and the notes.

use std::fmt::Write as _;

use crate::Declaration;
use crate::metric::{AttributeUse, Level, Metric, Origin};
use crate::notes::{Group, MetricNotes, Values};
use crate::registry::AttributeType;

/// How to write the reference anew.
pub const COMMAND: &str = "cargo run -p conformance --bin metrics-reference";

/// Where the reference is, below the root of the repository.
pub const FILE: &str = "docs/metrics.md";

/// Heading of the section on the values of our own attributes.
const VALUES: &str = "The values of our own attributes";

/// More values than this are not for a cell of a table.
const MANY: usize = 12;

/// The reference as Markdown.
#[must_use]
pub fn markdown(declaration: &Declaration) -> String {
    let mut page = introduction(declaration);
    page.push_str(&contents(declaration));
    for group in &declaration.notes.groups {
        page.push_str(&section(group, declaration));
    }
    page.push_str(&values(declaration));
    page.push_str(&resource(declaration));
    page.push_str(&left_out(declaration));
    page
}

fn introduction(declaration: &Declaration) -> String {
    let noted = |metric: &&Metric| {
        let notes = declaration.notes.metric(&metric.name);
        notes.is_some_and(|(_, notes)| is_default(notes))
    };
    let all = declaration.metrics.len();
    let default = declaration.metrics.iter().filter(noted).count();
    let ours = declaration.metrics.iter().filter(|metric| metric.origin == Origin::Ours).count();
    format!(
        "<!-- Made by `{COMMAND}` from semconv/ and docs/metrics-notes.yaml. Do not edit it by hand. -->\n\n\
         # Metrics reference\n\n\
         otel-vitals emits {all} metrics, {default} of them by default. {} of them are those of the \
         [OpenTelemetry semantic conventions 1.44.0](https://opentelemetry.io/docs/specs/semconv/), by name, unit, \
         instrument and attributes; the other {ours} are declared in [`semconv/`](../semconv/README.md). A value \
         that is not available is absent, never zero, and a source that cannot be read costs only its own metrics \
         and counts in `otel_vitals.source.errors`.\n\n\
         How to read the tables: a *counter* only rises, so look at its rate; an *updowncounter* is an amount, \
         whose series may be added; those of a *gauge* may not. \"On\" says whether the metric is \
         on by default, or else how the program must be built, or the key of the configuration that turns it on (in `vitals.yaml`; as environment \
         variable, `metrics.host.cpu.utilization` is `VITALS_METRICS_HOST_CPU_UTILIZATION`). Paths of sources are \
         below `metrics.host.root_path` where that is set.\n\n",
        all - ours,
    )
}

/// Whether it is there of every program on Linux that asks for nothing.
fn is_default(notes: &MetricNotes) -> bool {
    notes.option.is_none() && notes.platform.is_none() && notes.build.is_none()
}

fn contents(declaration: &Declaration) -> String {
    let mut text = String::from("| Section | Metrics | Turn it all off with |\n| --- | --- | --- |\n");
    for group in &declaration.notes.groups {
        let switch = match &group.switch {
            Some(key) => format!("`{key}: false`"),
            None => "–".to_owned(),
        };
        let anchor = anchor(&group.title);
        let _ = writeln!(text, "| [{}](#{anchor}) | {} | {switch} |", group.title, group.metrics.len());
    }
    text
}

fn section(group: &Group, declaration: &Declaration) -> String {
    let Group { title, about, scope, .. } = group;
    let mut text = format!("\n## {title}\n\n{about}\n\nInstrumentation scope `{scope}`.");
    if let Some(elsewhere) = &group.elsewhere {
        let _ = write!(text, " On systems other than Linux: {elsewhere}");
    }
    text.push_str("\n\n");
    text.push_str("| Metric | Instrument | Unit | Attributes | On | Source | Meaning |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- | --- |\n");
    for (name, notes) in &group.metrics {
        if let Some(metric) = declaration.metrics.iter().find(|metric| metric.name == *name) {
            text.push_str(&row(metric, notes));
        }
    }
    text
}

fn row(metric: &Metric, notes: &MetricNotes) -> String {
    let value = if metric.integer { "int" } else { "double" };
    let on = match (&notes.option, &notes.platform, &notes.build) {
        (Some(key), ..) => format!("`{key}`"),
        (None, Some(platform), _) => format!("on {platform}"),
        (None, None, Some(build)) => format!("with {build}"),
        (None, None, None) => "yes".to_owned(),
    };
    let attributes: Vec<String> =
        metric.attributes.iter().filter_map(|attribute| self::attribute(attribute, notes)).collect();
    let mut meaning = notes.meaning.clone().unwrap_or_else(|| metric.brief.clone());
    for (key, reason) in &notes.absent {
        let _ = write!(meaning, " Without `{key}`: {reason}");
    }
    let (name, instrument, unit) = (&metric.name, &metric.instrument, &metric.unit);
    let (attributes, source) = (attributes.join("; "), &notes.source);
    format!("| `{name}` | {instrument}, {value} | `{unit}` | {attributes} | {on} | {source} | {meaning} |\n")
}

/// How one attribute is described; none when we do not send it.
fn attribute(attribute: &AttributeUse, notes: &MetricNotes) -> Option<String> {
    let condition = notes.conditional.get(&attribute.key);
    let unsent = notes.absent.contains_key(&attribute.key) || attribute.deprecated;
    let optional = matches!(attribute.level, Level::OptIn | Level::Conditional);
    if unsent || (optional && condition.is_none()) {
        return None;
    }
    let values = match (notes.values.get(&attribute.key), attribute.kind.values()) {
        (Some(Values::Open(text)), _) => format!(": {text}"),
        (Some(Values::Closed(values)), _) => format!(" = {}", values.join(", ")),
        (None, Some(values)) if values.len() > MANY => format!(": [see below](#{})", anchor(VALUES)),
        (None, Some(values)) => format!(" = {}", values.join(", ")),
        (None, None) => String::new(),
    };
    let condition = condition.map(|when| format!(" ({when})")).unwrap_or_default();
    Some(format!("`{}`{values}{condition}", attribute.key))
}

fn values(declaration: &Declaration) -> String {
    let mut text =
        format!("\n## {VALUES}\n\n| Attribute | Value | What it stands for |\n| --- | --- | --- |\n");
    for attribute in &declaration.registry.attributes {
        match &attribute.kind {
            AttributeType::Enum { members } => {
                for member in members {
                    let _ = writeln!(text, "| `{}` | `{}` | {} |", attribute.key, member.value, member.brief);
                }
            }
            AttributeType::Any(name) => {
                let _ = writeln!(text, "| `{}` | any {name} | {} |", attribute.key, attribute.brief);
            }
        }
    }
    text
}

fn resource(declaration: &Declaration) -> String {
    let mut text = String::from(
        "\n## The resource\n\nEvery export says who sent it. `OTEL_RESOURCE_ATTRIBUTES` and `resource.attributes` of \
         the configuration add to these and override them.\n\n\
         | Attribute | When | Source |\n| --- | --- | --- |\n",
    );
    for (key, notes) in &declaration.notes.resource.attributes {
        let when = notes.when.as_deref().unwrap_or("always");
        let _ = writeln!(text, "| `{key}` | {when} | {} |", notes.source);
    }
    for (key, reason) in &declaration.notes.resource.absent {
        let _ = write!(text, "\nWithout `{key}`: {reason}\n");
    }
    text
}

fn left_out(declaration: &Declaration) -> String {
    let mut text = String::from(
        "\n## What is left out\n\nThese metrics of the conventions are about what otel-vitals watches, and are not \
         emitted.\n\n| Metric | Why |\n| --- | --- |\n",
    );
    for (name, reason) in &declaration.notes.left_out {
        let _ = writeln!(text, "| `{name}` | {reason} |");
    }
    text
}

/// The anchor that Markdown renderers give a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || *letter == ' ' || *letter == '-');
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests;
