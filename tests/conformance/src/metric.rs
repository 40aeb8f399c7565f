//! A metric as it is declared, by us or by the conventions.

/// A metric that may be emitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Name.
    pub name: String,
    /// Who declares it.
    pub origin: Origin,
    /// Kind of instrument: `counter`, `updowncounter`, `gauge` or `histogram`.
    pub instrument: String,
    /// Unit, to be matched exactly.
    pub unit: String,
    /// Whether values are integers; otherwise they are doubles.
    pub integer: bool,
    /// What it measures, in one sentence.
    pub brief: String,
    /// Whether the conventions call it opt-in, so that it must be off by default.
    pub opt_in: bool,
    /// The attributes that it may carry.
    pub attributes: Vec<AttributeUse>,
}

/// Who declares a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The files of `semconv/`.
    Ours,
    /// The OpenTelemetry semantic conventions.
    Conventions,
}

/// An attribute of a metric or of an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeUse {
    /// Key.
    pub key: String,
    /// Whether it must be there.
    pub level: Level,
    /// What its values are.
    pub kind: Kind,
    /// Whether it must no longer be used.
    pub deprecated: bool,
}

/// Whether an attribute must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// On every series.
    Required,
    /// Where its condition holds, or where it applies.
    Conditional,
    /// Wherever it is known.
    Recommended,
    /// Only when asked for.
    OptIn,
}

/// What the values of an attribute are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any value of this type (`string`, `int`, `double`, `boolean`, or one of these with `[]`).
    Any(String),
    /// One of these values.
    Enum(Vec<Member>),
}

/// A value of an enumeration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The value.
    pub value: String,
    /// What it stands for, where that is said.
    pub brief: Option<String>,
    /// Whether it must no longer be used.
    pub deprecated: bool,
}

impl Metric {
    /// The attribute called `key`.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&AttributeUse> {
        self.attributes.iter().find(|attribute| attribute.key == key)
    }
}

impl Kind {
    /// The type of the values, as the conventions write it.
    #[must_use]
    pub fn type_name(&self) -> &str {
        match self {
            Kind::Any(name) => name,
            Kind::Enum(_) => "string",
        }
    }

    /// The values that may be used, where they are enumerated.
    #[must_use]
    pub fn values(&self) -> Option<Vec<&str>> {
        match self {
            Kind::Any(_) => None,
            Kind::Enum(members) => {
                let current = members.iter().filter(|member| !member.deprecated);
                Some(current.map(|member| member.value.as_str()).collect())
            }
        }
    }
}
