//! What can go wrong for the caller.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why the start, a flush or a shutdown failed.
///
/// A collector that is down is never an error of the start; it is one of [`flush`](crate::Vitals::flush), for
/// those who ask.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is wrong, and nothing was started.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Vitals are already running in this process.
    #[error("otel-vitals is already running in this process")]
    AlreadyInitialized,
    /// The system did not give us what the pipeline runs on.
    #[error("cannot start {what}: {source}")]
    Start {
        /// What could not be started.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// No exporter could be made of a configuration that looked right.
    #[error("cannot export to {endpoint}: {reason}")]
    Exporter {
        /// Where to.
        endpoint: String,
        /// Why not.
        reason: String,
    },
    /// The receiver did not take what was collected.
    #[error("{operation} failed: {reason}")]
    Export {
        /// What was asked for, such as a flush.
        operation: &'static str,
        /// What the receiver or the connection said.
        reason: String,
    },
    /// It took longer than it may.
    #[error("{operation} was not done within {limit:?}")]
    Timeout {
        /// What was asked for, such as a flush.
        operation: &'static str,
        /// The bound.
        limit: Duration,
    },
    /// Vitals have been shut down.
    #[error("otel-vitals has been shut down")]
    Stopped,
}

/// A wrong configuration: where it is, what is there, and what was expected.
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
    /// Text that stands for the value, unless it is secret, and what it should have been.
    Value { found: String, secret: bool, expected: String },
}

impl ConfigError {
    pub(crate) fn new(origin: Origin, key: Option<String>, problem: Problem) -> Self {
        ConfigError(Box::new(Details { origin, key, problem }))
    }

    /// The file, if it is in one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.0.origin {
            Origin::File { path, .. } => Some(path),
            _ => None,
        }
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
