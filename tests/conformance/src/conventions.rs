//! The rows of the OpenTelemetry semantic conventions that are kept in `semconv/upstream/`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Error, read};
use crate::metric::{AttributeUse, Kind, Level, Member, Metric, Origin};

/// Metrics and entities of the semantic conventions.
#[derive(Debug, Default)]
pub struct Conventions {
    metrics: BTreeMap<String, Row>,
    entities: BTreeMap<String, Vec<AttributeUse>>,
}

/// A metric of the conventions.
#[derive(Debug)]
struct Row {
    metric: Metric,
    /// Why it must no longer be used.
    deprecated: Option<String>,
}

impl Conventions {
    /// Reads the tables of 1.44.0 in `folder`.
    ///
    /// # Errors
    /// When one is missing or malformed.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let metrics = read(&folder.join("1.44.0-metrics.tsv"))?;
        let attributes = read(&folder.join("1.44.0-resource-attributes.tsv"))?;
        Conventions::parse(&metrics, &attributes)
    }

    /// Reads a table of metrics and one of the attributes of entities.
    ///
    /// # Errors
    /// When a line is malformed.
    pub fn parse(metrics: &str, entities: &str) -> Result<Self, Error> {
        let mut conventions = Conventions::default();
        for (file, line) in rows("1.44.0-metrics.tsv", metrics) {
            let row = Row::parse(line).map_err(|problem| Error::malformed(file, problem))?;
            conventions.metrics.insert(row.metric.name.clone(), row);
        }
        for (file, line) in rows("1.44.0-resource-attributes.tsv", entities) {
            let (entity, attribute) = entity(line).map_err(|problem| Error::malformed(file, problem))?;
            conventions.entities.entry(entity).or_default().push(attribute);
        }
        Ok(conventions)
    }

    /// The metric called `name`, deprecated or not.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.get(name).map(|row| &row.metric)
    }

    /// Why the metric called `name` must no longer be used.
    #[must_use]
    pub fn deprecation(&self, name: &str) -> Option<&str> {
        self.metrics.get(name)?.deprecated.as_deref()
    }

    /// The names of all metrics that are not deprecated.
    pub fn metric_names(&self) -> impl Iterator<Item = &str> {
        let current = self.metrics.iter().filter(|(_, row)| row.deprecated.is_none());
        current.map(|(name, _)| name.as_str())
    }

    /// The attributes of the entity called `name`.
    #[must_use]
    pub fn entity(&self, name: &str) -> Option<&[AttributeUse]> {
        self.entities.get(name).map(Vec::as_slice)
    }

    /// An attribute of any metric or entity.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&AttributeUse> {
        let metrics = self.metrics.values().flat_map(|row| &row.metric.attributes);
        metrics.chain(self.entities.values().flatten()).find(|attribute| attribute.key == key)
    }
}

/// The lines of a table after its header, each with its place for messages.
fn rows<'a>(file: &'a str, text: &'a str) -> impl Iterator<Item = (String, &'a str)> {
    let lines = text.lines().enumerate().skip(1).filter(|(_, line)| !line.is_empty());
    lines.map(move |(index, line)| (format!("{file}, line {}", index + 1), line))
}

impl Row {
    fn parse(line: &str) -> Result<Self, String> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [_, name, instrument, unit, value, _, deprecated, why, requirement, _, attributes, brief, _] =
            fields.as_slice()
        else {
            return Err(format!("expected 13 columns, found {}", fields.len()));
        };
        let attributes = attributes.split("; ").filter(|text| !text.is_empty());
        Ok(Row {
            metric: Metric {
                name: (*name).to_owned(),
                origin: Origin::Conventions,
                instrument: (*instrument).to_owned(),
                unit: (*unit).to_owned(),
                integer: *value == "int",
                brief: (*brief).to_owned(),
                opt_in: *requirement == "opt-in",
                attributes: attributes.map(attribute).collect::<Result<_, _>>()?,
            },
            deprecated: (*deprecated == "yes").then(|| (*why).to_owned()),
        })
    }
}

/// `key[!DEPRECATED]: level[(condition)]: type [stability]`
fn attribute(text: &str) -> Result<AttributeUse, String> {
    let malformed = || format!("expected an attribute such as `a.b: required: int [stable]`, found `{text}`");
    let (key, rest) = text.split_once(": ").ok_or_else(malformed)?;
    let (level, rest) = rest.rsplit_once(": ").ok_or_else(malformed)?;
    let (kind, _stability) = rest.rsplit_once(" [").ok_or_else(malformed)?;
    let deprecated = key.ends_with("!DEPRECATED");
    Ok(AttributeUse {
        key: key.trim_end_matches("!DEPRECATED").to_owned(),
        level: self::level(level).ok_or_else(malformed)?,
        kind: self::kind(kind),
        deprecated,
    })
}

/// Columns entity, attribute, requirement, type, stability.
fn entity(line: &str) -> Result<(String, AttributeUse), String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [entity, key, requirement, kind, _stability] = fields.as_slice() else {
        return Err(format!("expected 5 columns, found {}", fields.len()));
    };
    let level =
        level(requirement).ok_or_else(|| format!("expected a requirement level, found `{requirement}`"))?;
    let attribute = AttributeUse { key: (*key).to_owned(), level, kind: self::kind(kind), deprecated: false };
    Ok(((*entity).to_owned(), attribute))
}

fn level(text: &str) -> Option<Level> {
    match text {
        "required" => Some(Level::Required),
        "recommended" => Some(Level::Recommended),
        "opt_in" => Some(Level::OptIn),
        other if other.starts_with("conditionally_required(") => Some(Level::Conditional),
        other if other.starts_with("recommended(") => Some(Level::Conditional),
        _ => None,
    }
}

fn kind(text: &str) -> Kind {
    match text.strip_prefix("enum{").and_then(|members| members.strip_suffix('}')) {
        None => Kind::Any(text.to_owned()),
        Some(members) => Kind::Enum(members.split('|').map(member).collect()),
    }
}

fn member(text: &str) -> Member {
    let deprecated = text.ends_with("~DEPRECATED");
    Member { value: text.trim_end_matches("~DEPRECATED").to_owned(), brief: None, deprecated }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "header\n";
    const ROW: &str = "process\tprocess.cpu.time\tcounter\ts\tdouble\trc\tno\t\trecommended\tprocess\t\
        cpu.mode: required: enum{user|kernel~DEPRECATED} [rc]; error.type: conditionally_required(If it: failed): \
        string [stable]\tSeconds.\tmodel";

    #[test]
    fn a_row_is_read_whole() {
        let conventions = Conventions::parse(&format!("{HEADER}{ROW}"), HEADER).unwrap();
        let metric = conventions.metric("process.cpu.time").unwrap();
        assert_eq!(
            (metric.instrument.as_str(), metric.unit.as_str(), metric.integer),
            ("counter", "s", false)
        );
        let mode = metric.attribute("cpu.mode").unwrap();
        assert_eq!((mode.level, mode.kind.values()), (Level::Required, Some(vec!["user"])));
        let error = metric.attribute("error.type").unwrap();
        assert_eq!((error.level, error.kind.type_name()), (Level::Conditional, "string"));
        assert_eq!(conventions.deprecation("process.cpu.time"), None);
    }

    #[test]
    fn a_deprecated_row_says_why() {
        let text = ROW.replace("\tno\t\t", "\tyes\tDEPRECATED: obsoleted\t");
        let conventions = Conventions::parse(&format!("{HEADER}{text}"), HEADER).unwrap();
        assert_eq!(conventions.deprecation("process.cpu.time"), Some("DEPRECATED: obsoleted"));
        assert_eq!(conventions.metric_names().count(), 0);
    }

    #[test]
    fn a_malformed_line_is_named() {
        let columns = Conventions::parse("header\none\ttwo", HEADER).unwrap_err();
        assert_eq!(columns.to_string(), "1.44.0-metrics.tsv, line 2: expected 13 columns, found 2");
        let level = Conventions::parse(&format!("{HEADER}{}", ROW.replace("required:", "maybe:")), HEADER);
        assert!(level.unwrap_err().to_string().contains("cpu.mode: maybe"));
        let entity = Conventions::parse(HEADER, "header\nprocess\tprocess.pid\tmaybe\tint\trc").unwrap_err();
        assert!(entity.to_string().contains("resource-attributes.tsv, line 2: expected a requirement level"));
    }
}
