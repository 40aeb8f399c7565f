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
    /// Whether there is nothing to be read, rather than something that cannot be: the file does not exist, its kernel
    /// object is gone, or the kernel has it turned off.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        #[cfg(unix)]
        const GONE: [libc::c_int; 4] = [libc::ENOENT, libc::ENODEV, libc::ESRCH, libc::EOPNOTSUPP];
        #[cfg(not(unix))]
        const GONE: [i32; 0] = [];
        match self {
            ReadError::File { source, .. } | ReadError::Call { source, .. } => {
                source.kind() == io::ErrorKind::NotFound
                    || source.raw_os_error().is_some_and(|number| GONE.contains(&number))
            }
            ReadError::Malformed { .. } | ReadError::Unavailable { .. } => false,
        }
    }

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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_told_from_what_cannot_be_read() {
        let error =
            |number| ReadError::File { path: PathBuf::new(), source: io::Error::from_raw_os_error(number) };
        for absent in [libc::ENOENT, libc::ENODEV, libc::ESRCH, libc::EOPNOTSUPP] {
            assert!(error(absent).is_absence(), "{}", error(absent));
        }
        for other in [libc::EACCES, libc::EMFILE, libc::EIO] {
            assert!(!error(other).is_absence(), "{}", error(other));
        }
        let malformed =
            ReadError::Malformed { path: PathBuf::new(), source: Malformed::new("a number", b"x") };
        assert!(!malformed.is_absence());
    }
}
