//! What can go wrong for the caller.

mod config_error;

pub use config_error::ConfigError;
pub(crate) use config_error::{Found, Origin, Problem};

use std::io;
use std::time::Duration;

use crate::health::RegisterError;

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
    /// A health check that was to be there from the start cannot be registered, and nothing was started.
    #[error(transparent)]
    HealthCheck(#[from] RegisterError),
    /// The system did not give us what the pipeline runs on.
    #[error("cannot start {what}: {source}")]
    Start {
        /// What could not be started.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A variable that was to be published from the start has no name, or one that is taken.
    #[error(transparent)]
    Publish(#[from] crate::vars::PublishError),
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
    /// There is no such profile, or none now.
    #[cfg(feature = "profiling")]
    #[error(transparent)]
    Profile(#[from] crate::profiling::Error),
    /// A profile was to take longer than it may.
    #[error("a profile of {asked:?} is longer than profiling.max_duration, which is {most:?}")]
    ProfileTooLong {
        /// How long it was to take.
        asked: Duration,
        /// How long it may (`profiling.max_duration`).
        most: Duration,
    },
    /// Vitals have been shut down.
    #[error("otel-vitals has been shut down")]
    Stopped,
}
