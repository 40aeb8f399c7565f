//! The registry in `semconv/`, in the OpenTelemetry semantic-convention YAML (`definition/2`).
//!
//! Of that format this reads what a registry of metrics needs; anything else is refused, so that nothing is written
//! there which these tests do not look at.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

use crate::conventions::Conventions;
use crate::error::{Error, read};
use crate::metric::{AttributeUse, Kind, Level, Member, Metric, Origin};

const MANIFEST: &str = "manifest.yaml";

/// All files of the registry as one.
#[derive(Debug)]
pub struct Registry {
    /// `manifest.yaml`.
    pub manifest: Manifest,
    /// Our own attributes.
    pub attributes: Vec<Attribute>,
    /// Our own metrics.
    pub metrics: Vec<Declared>,
    /// What we take from the conventions.
    pub imports: Imports,
}

/// What the registry is and what it builds on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Its identity; the last segment is its version.
    pub schema_url: String,
    /// What it is for.
    pub description: String,
    /// Its stability.
    pub stability: String,
    /// The registries that it imports from.
    pub dependencies: Vec<Dependency>,
}

/// A registry that another imports from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// Its identity.
    pub schema_url: String,
    /// Where it can be fetched.
    pub registry_path: String,
}

/// One file of the registry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    file_format: String,
    #[serde(default)]
    attributes: Vec<Attribute>,
    #[serde(default)]
    metrics: Vec<Declared>,
    imports: Option<Imports>,
}

/// What is taken from other registries.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Imports {
    /// Names of metrics.
    #[serde(default)]
    pub metrics: Vec<String>,
    /// Types of entities.
    #[serde(default)]
    pub entities: Vec<String>,
}

/// An attribute of our own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Its key.
    pub key: String,
    /// What its values are.
    #[serde(rename = "type")]
    pub kind: AttributeType,
    /// What it says.
    pub brief: String,
    /// More about it.
    pub note: Option<String>,
    /// How stable it is.
    pub stability: Stability,
    /// Values that it may have.
    #[serde(default)]
    pub examples: Vec<String>,
}

/// The values of an attribute of our own.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum AttributeType {
    /// Any value of this type.
    Any(String),
    /// One of these.
    Enum {
        /// The values.
        members: Vec<EnumMember>,
    },
}

/// A value of an attribute of our own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnumMember {
    /// Its name in generated code.
    pub id: String,
    /// The value.
    pub value: String,
    /// What it stands for.
    pub brief: String,
    /// How stable it is.
    pub stability: Stability,
}

/// A metric of our own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// What it measures.
    pub brief: String,
    /// More about it.
    pub note: Option<String>,
    /// Kind of instrument.
    pub instrument: Instrument,
    /// Its unit.
    pub unit: String,
    /// How stable it is.
    pub stability: Stability,
    /// Whether its values are integers or doubles, which the format itself does not say.
    pub annotations: Annotations,
    /// Its attributes.
    #[serde(default)]
    pub attributes: Vec<Reference>,
    /// What it describes.
    #[serde(default)]
    pub entity_associations: Vec<String>,
}

/// What the conventions annotate their metrics with too.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Annotations {
    /// Directions for code generators.
    pub code_generation: CodeGeneration,
}

/// Directions for code generators.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeGeneration {
    /// Type of the values.
    pub metric_value_type: ValueType,
}

/// Type of a metric's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// Integers.
    Int,
    /// Doubles.
    Double,
}

/// Kind of a metric's instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Instrument {
    Counter,
    UpDownCounter,
    Gauge,
    Histogram,
}

/// How stable a definition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Stability {
    Stable,
    Development,
    Alpha,
    Beta,
    ReleaseCandidate,
}

/// An attribute as a metric uses it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Key of the attribute.
    #[serde(rename = "ref")]
    pub key: String,
    /// Whether it must be there.
    pub requirement_level: RequirementLevel,
}

/// Whether an attribute must be there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequirementLevel {
    /// Always.
    Required,
    /// Under this condition.
    ConditionallyRequired(String),
    /// Wherever it is known.
    Recommended,
    /// Only when asked for.
    OptIn,
}

impl Registry {
    /// Reads the files of `folder`, as weaver does: all YAML below it.
    ///
    /// # Errors
    /// When one is missing or not in the format.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let files = yaml_below(folder)?;
        let files = files.into_iter().map(|path| {
            let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
            read(&path).map(|text| (name, text))
        });
        Registry::parse(&files.collect::<Result<_, _>>()?)
    }

    /// Reads files by name and text.
    ///
    /// # Errors
    /// When there is no manifest, or a file is not in the format.
    pub fn parse(files: &BTreeMap<String, String>) -> Result<Self, Error> {
        let manifest = files.get(MANIFEST).ok_or_else(|| Error::malformed(MANIFEST, "is missing"))?;
        let manifest = serde_saphyr::from_str(manifest).map_err(|error| Error::malformed(MANIFEST, error))?;
        let mut registry =
            Registry { manifest, attributes: Vec::new(), metrics: Vec::new(), imports: Imports::default() };
        for (name, text) in files.iter().filter(|(name, _)| *name != MANIFEST) {
            registry.add(name, text)?;
        }
        Ok(registry)
    }

    fn add(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let file: File = serde_saphyr::from_str(text).map_err(|error| Error::malformed(name, error))?;
        if file.file_format != "definition/2" {
            let problem = format!("expected file_format definition/2, found {}", file.file_format);
            return Err(Error::malformed(name, problem));
        }
        self.attributes.extend(file.attributes);
        self.metrics.extend(file.metrics);
        let imports = file.imports.unwrap_or_default();
        self.imports.metrics.extend(imports.metrics);
        self.imports.entities.extend(imports.entities);
        Ok(())
    }

    /// Every metric that is emitted, by name: our own, and the imported ones as `conventions` declare them.
    ///
    /// # Errors
    /// When an import or a reference to an attribute leads nowhere.
    pub fn metrics(&self, conventions: &Conventions) -> Result<Vec<Metric>, Error> {
        let imported = self.imports.metrics.iter().map(|name| {
            conventions.metric(name).cloned().ok_or_else(|| Error::Dangling {
                from: "imports.yaml".to_owned(),
                name: name.clone(),
                to: "semconv/upstream",
            })
        });
        let ours = self.metrics.iter().map(|declared| self.resolve(declared, conventions));
        let mut metrics = imported.chain(ours).collect::<Result<Vec<_>, _>>()?;
        metrics.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(metrics)
    }

    fn resolve(&self, declared: &Declared, conventions: &Conventions) -> Result<Metric, Error> {
        let attributes = declared.attributes.iter().map(|reference| {
            let kind = self.kind(&reference.key, conventions).ok_or_else(|| Error::Dangling {
                from: declared.name.clone(),
                name: reference.key.clone(),
                to: "the registry",
            })?;
            let level = reference.requirement_level.level();
            Ok(AttributeUse { key: reference.key.clone(), level, kind, deprecated: false })
        });
        Ok(Metric {
            name: declared.name.clone(),
            origin: Origin::Ours,
            instrument: declared.instrument.name().to_owned(),
            unit: declared.unit.clone(),
            integer: declared.annotations.code_generation.metric_value_type == ValueType::Int,
            brief: declared.brief.clone(),
            opt_in: false,
            attributes: attributes.collect::<Result<_, Error>>()?,
        })
    }

    fn kind(&self, key: &str, conventions: &Conventions) -> Option<Kind> {
        let ours = self.attributes.iter().find(|attribute| attribute.key == key);
        let ours = ours.map(|attribute| attribute.kind.kind());
        ours.or_else(|| conventions.attribute(key).map(|attribute| attribute.kind.clone()))
    }
}

impl AttributeType {
    fn kind(&self) -> Kind {
        match self {
            AttributeType::Any(name) => Kind::Any(name.clone()),
            AttributeType::Enum { members } => Kind::Enum(members.iter().map(EnumMember::member).collect()),
        }
    }
}

impl EnumMember {
    fn member(&self) -> Member {
        Member { value: self.value.clone(), brief: Some(self.brief.clone()), deprecated: false }
    }
}

impl Instrument {
    fn name(self) -> &'static str {
        match self {
            Instrument::Counter => "counter",
            Instrument::UpDownCounter => "updowncounter",
            Instrument::Gauge => "gauge",
            Instrument::Histogram => "histogram",
        }
    }
}

impl RequirementLevel {
    fn level(&self) -> Level {
        match self {
            RequirementLevel::Required => Level::Required,
            RequirementLevel::ConditionallyRequired(_) => Level::Conditional,
            RequirementLevel::Recommended => Level::Recommended,
            RequirementLevel::OptIn => Level::OptIn,
        }
    }
}

fn yaml_below(folder: &Path) -> Result<Vec<std::path::PathBuf>, Error> {
    let file_error = |source| Error::File { path: folder.to_path_buf(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(file_error)? {
        let path = entry.map_err(file_error)?.path();
        if path.is_dir() {
            found.extend(yaml_below(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
