//! A wrong configuration: where it is, what is there, and what was expected.

use crate::config::environment;
use std::fmt;
use std::path::{Path, PathBuf};

/// A wrong configuration: where it is, what is there, and what was expected. Secrets are in none of it.
///
/// ```
/// let variables = [("OTEL_METRIC_EXPORT_INTERVAL", "a minute")];
/// let error = otel_vitals::Config::load_from(None, variables).unwrap_err();
/// assert_eq!(error.variable(), Some("OTEL_METRIC_EXPORT_INTERVAL"));
/// assert_eq!(error.key(), Some("metrics.interval"));
/// assert_eq!(error.value(), Some("a minute"));
/// assert_eq!(error.expected(), Some("a whole number of milliseconds from 10 to 86400000"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError(Box<Details>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Details {
    origin: Origin,
    key: Option<String>,
    problem: Problem,
}

/// Where a piece of configuration came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    File { path: PathBuf, line: Option<usize> },
    Variable(String),
    Code,
}

/// What is wrong with it. No text in here holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// There is something else than what was expected.
    Wrong { found: Found, expected: String },
    /// No such key; this one is the nearest.
    Unknown { nearest: String },
    /// No such variable, in a section that is ours; this one is the nearest.
    UnknownVariable { nearest: String },
    /// A key of a later version.
    Later,
    /// The same key for the second time.
    Twice { first_line: usize },
    /// A reference to an environment variable that is not set.
    Unset { variable: String },
    /// Not even YAML, or YAML of a kind that a configuration does not need.
    Syntax { reason: String },
}

/// What is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Text(String),
    /// A value that must not be shown.
    Secret,
    /// What has no text, such as a list.
    Shape(&'static str),
    /// The name of a file, and why that does not do.
    File {
        path: PathBuf,
        reason: String,
    },
}

impl ConfigError {
    #[cold]
    pub(crate) fn new(origin: Origin, key: Option<&str>, problem: Problem) -> Self {
        ConfigError(Box::new(Details { origin, key: key.map(str::to_owned), problem }))
    }

    /// The configuration file that it is in.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.0.origin {
            Origin::File { path, .. } => Some(path),
            Origin::Variable(_) | Origin::Code => None,
        }
    }

    /// The line of the file, from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match &self.0.origin {
            Origin::File { line, .. } => *line,
            Origin::Variable(_) | Origin::Code => None,
        }
    }

    /// The environment variable that it is in.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        match &self.0.origin {
            Origin::Variable(name) => Some(name),
            Origin::File { .. } | Origin::Code => None,
        }
    }

    /// The key that it concerns, as a path such as `metrics.interval`, wherever its value came from.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// The value that is wrong, as it was written, unless it is secret.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        match &self.0.problem {
            Problem::Wrong { found: Found::Text(text), .. } => Some(text),
            Problem::Wrong { found: Found::File { path, .. }, .. } => path.to_str(),
            _ => None,
        }
    }

    /// What the value should have been.
    #[must_use]
    pub fn expected(&self) -> Option<&str> {
        match &self.0.problem {
            Problem::Wrong { expected, .. } => Some(expected),
            _ => None,
        }
    }

    /// The nearest key or variable that there is, of one that there is not.
    #[must_use]
    pub fn suggestion(&self) -> Option<&str> {
        match &self.0.problem {
            Problem::Unknown { nearest } | Problem::UnknownVariable { nearest } => Some(nearest),
            _ => None,
        }
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { origin, key, problem } = &*self.0;
        f.debug_struct("ConfigError")
            .field("origin", origin)
            .field("key", key)
            .field("problem", problem)
            .finish()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { origin, key, problem } = &*self.0;
        match (origin, key) {
            // What our own variables set is in their names, unless only a part of it is wrong.
            (Origin::Variable(name), Some(key))
                if name.starts_with(environment::PREFIX) && environment::variable(key) != *name =>
            {
                write!(f, "{}: {}: {problem}", Escaped(name), Escaped(key))
            }
            (Origin::Variable(name), _) => write!(f, "{}: {problem}", Escaped(name)),
            (Origin::Code, Some(key)) => write!(f, "configuration: {}: {problem}", Escaped(key)),
            (Origin::Code, None) => write!(f, "configuration: {problem}"),
            (Origin::File { path, line }, key) => {
                write!(f, "{}:", path.display())?;
                if let Some(line) = line {
                    write!(f, "{line}:")?;
                }
                if let Some(key) = key {
                    write!(f, " {}:", Escaped(key))?;
                }
                write!(f, " {problem}")
            }
        }
    }
}

/// Text from outside in which nothing acts on the terminal or the log that shows it.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '"' | '\'' => write!(f, "{character}"),
            _ => write!(f, "{}", character.escape_debug()),
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Wrong { found, expected } => write!(f, "expected {expected}, found {found}"),
            Problem::Unknown { nearest } => write!(f, "unknown key, the nearest known one is {nearest}"),
            Problem::UnknownVariable { nearest } => {
                write!(f, "unknown variable, the nearest known one is {nearest}")
            }
            Problem::Later => f.write_str("this version of otel-vitals does not have it yet"),
            Problem::Twice { first_line } => write!(f, "set twice, first in line {first_line}"),
            Problem::Unset { variable } => {
                write!(f, "the environment variable {variable} that it refers to is not set")
            }
            Problem::Syntax { reason } => f.write_str(reason),
        }
    }
}

impl Found {
    /// `text`, or as much of it as belongs into a message.
    pub(crate) fn text(text: &str) -> Self {
        const QUOTED: usize = 120;
        match text.char_indices().nth(QUOTED) {
            Some((end, _)) => Found::Text(format!("{}…", text.get(..end).unwrap_or_default())),
            None => Found::Text(text.to_owned()),
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Text(text) => write!(f, "{text:?}"),
            Found::Secret => f.write_str("a value that is not shown"),
            Found::Shape(shape) => f.write_str(shape),
            Found::File { path, reason } => write!(f, "{path:?}, which {reason}"),
        }
    }
}
