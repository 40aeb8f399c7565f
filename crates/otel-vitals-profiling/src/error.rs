//! What can go wrong.

use std::io;

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another CPU profile is being taken; one at a time is.
    #[error("a CPU profile is being taken already, and only one is at a time")]
    Busy,
    /// This system, or this build, has no such profile.
    #[error("there is no {what} here: {why}")]
    Unavailable {
        /// What was asked for.
        what: &'static str,
        /// What it would take.
        why: &'static str,
    },
    /// The system refused.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
}
