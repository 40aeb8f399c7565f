//! Why a source could not be read.

use std::io;
use std::path::PathBuf;

/// A source that could not be read, wholly or in part.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A kernel file is missing, unreadable, or larger than anything the kernel writes there.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A kernel file was read and says something else than expected.
    #[error("{}: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        source: Malformed,
    },
    /// A system call failed.
    #[error("{call} failed: {source}")]
    Call {
        /// The call, with its argument where that tells more.
        call: String,
        /// What the system said.
        source: io::Error,
    },
    /// A source that is no kernel file, such as a library, gave no value.
    #[error("expected {expected}, found {found}")]
    Unavailable {
        /// What was asked for.
        expected: &'static str,
        /// What came instead.
        found: String,
    },
}

impl ReadError {
    /// A failed system call, with the error that `errno` holds now.
    #[must_use]
    pub fn last_call(call: impl Into<String>) -> Self {
        ReadError::Call { call: call.into(), source: io::Error::last_os_error() }
    }
}

/// Kernel text that does not say what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found:?}")]
pub struct Malformed {
    /// What was expected, in words that name the field and its unit.
    pub expected: &'static str,
    /// The first bytes of what was found.
    pub found: String,
}

impl Malformed {
    const QUOTED: usize = 64;

    /// `expected` is missing; `found` was there instead, of which the first bytes are kept.
    #[must_use]
    #[cold]
    pub fn new(expected: &'static str, found: &[u8]) -> Self {
        let quoted = found.get(..Self::QUOTED).unwrap_or(found);
        Malformed { expected, found: String::from_utf8_lossy(quoted).into_owned() }
    }
}
