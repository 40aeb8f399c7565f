//! What can be wrong.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A declaration that cannot be read.
#[derive(thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file says something else than its format allows.
    #[error("{file}: {problem}")]
    Malformed {
        /// The file.
        file: String,
        /// What is wrong, with the line where that is known.
        problem: String,
    },
    /// A name leads nowhere.
    #[error("{from} refers to {name}, which {to} does not have")]
    Dangling {
        /// Who refers.
        from: String,
        /// The name.
        name: String,
        /// Where it should be.
        to: &'static str,
    },
}

/// As it is displayed, so that a test that unwraps it says the same.
impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Error {
    pub(crate) fn malformed(file: impl Into<String>, problem: impl ToString) -> Self {
        Error::Malformed { file: file.into(), problem: problem.to_string() }
    }
}

/// Something that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The metric, attribute or file.
    pub subject: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Violation {
    pub(crate) fn new(subject: impl Into<String>, problem: impl Into<String>) -> Self {
        Violation { subject: subject.into(), problem: problem.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.subject, self.problem)
    }
}

/// Fails the test that calls it, with every violation on a line of its own, if there is one.
#[track_caller]
pub fn assert_none(violations: &[Violation]) {
    let lines: Vec<String> = violations.iter().map(|violation| format!("\n  {violation}")).collect();
    assert!(violations.is_empty(), "{}", lines.concat());
}

pub(crate) fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::File { path: path.to_path_buf(), source })
}
