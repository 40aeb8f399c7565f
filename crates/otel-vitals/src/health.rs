//! Health checks: whether the service is alive, ready and started, for who restarts it or sends it requests.
//!
//! Checks run in the background, each isolated from the others, and a [report](Health::report) is made of what they said
//! last: however many ask, no check runs more often for it, and none that hangs holds an answer up. `docs/health.md` of the
//! repository has all of it.
//!
//! ```
//! use otel_vitals::health::{Check, Kind, Probe};
//! use std::time::Duration;
//!
//! # let provider = opentelemetry_sdk::metrics::SdkMeterProvider::default();
//! # let vitals = otel_vitals::Vitals::builder().meter_provider(provider).start()?;
//! # async fn ping() -> Result<(), std::io::Error> { Ok(()) }
//! # async fn load() -> Result<(), std::io::Error> { Ok(()) }
//! vitals.health().register("store", || async { ping().await })?;
//! vitals.health().register("catalogue", Check::new(load).kind(Kind::Startup).timeout(Duration::from_secs(30)))?;
//! let report = vitals.health().report(Probe::Ready);
//! println!("{}: {:?}", report.status, report.reasons);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod checks;
mod entry;
mod instruments;
mod outcome;
mod registry;
mod report;
mod run;
#[cfg(target_os = "linux")]
mod termination;
mod thread;

pub use check::Check;
pub use outcome::{Observed, ObservedValue, Outcome};
pub use report::{CheckReport, ComponentType, Kind, Probe, Report, Status};

pub(crate) use instruments::register;

use std::fmt;
use std::io;
use std::sync::Arc;

use registry::Registry;

/// Checks at a time at most, so that neither their threads nor their series grow without bound. One that was removed
/// counts until it has answered.
pub const MAX_CHECKS: usize = 64;

/// The health of the service: what is checked, and what came of it. Cheap to clone; all clones are one.
///
/// Nothing runs before the first check is registered or the first report is asked for. From then on one thread,
/// `vitals-health`, has each check run when it is due, until vitals are shut down.
///
/// A check that keeps a [`Vitals`](crate::Vitals) keeps it alive until [`shutdown`](crate::Vitals::shutdown); the ready-made ones do not.
#[derive(Clone, Default)]
pub struct Health {
    registry: Arc<Registry>,
}

/// Why a check was not registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// It has no name, or one of nothing but spaces.
    #[error("a health check needs a name")]
    EmptyName,
    /// Another check has its name.
    #[error("there is a health check {name:?} already")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// There are as many as there may be.
    #[error("there are {limit} health checks already, and no more can be had")]
    TooMany {
        /// How many may be, [`MAX_CHECKS`].
        limit: usize,
    },
    /// Vitals have been shut down.
    #[error("otel-vitals has been shut down")]
    Stopped,
    /// The system refused what checks run on.
    #[error("cannot start the thread of health checks: {0}")]
    Start(#[source] io::Error),
}

impl Health {
    /// Registers `check` under `name`. It runs for the first time at once, then as often as [`Check::cache`] says.
    ///
    /// ```
    /// # let provider = opentelemetry_sdk::metrics::SdkMeterProvider::default();
    /// # let vitals = otel_vitals::Vitals::builder().meter_provider(provider).start()?;
    /// vitals.health().register("clock", || async {
    ///     std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map(drop)
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`RegisterError`] for a name that is empty or taken, when there are [`MAX_CHECKS`], after a shutdown, and when the
    /// system refuses a thread. The check is not registered then.
    pub fn register(&self, name: impl Into<String>, check: impl Into<Check>) -> Result<(), RegisterError> {
        let name = name.into();
        self.add(&name, check.into())?;
        self.start().map_err(|error| {
            self.remove(&name);
            RegisterError::Start(error)
        })
    }

    /// Takes the check called `name` away; false when there is none. A run that is under way goes on to its end, of which
    /// nothing is told.
    pub fn remove(&self, name: &str) -> bool {
        self.registry.remove(name)
    }

    /// What `probe` is to be told now: made of what the checks said last, at once. It neither runs a check nor waits for one.
    #[must_use]
    pub fn report(&self, probe: Probe) -> Report {
        if let Err(error) = self.start() {
            self.registry.cannot_start(&error);
        }
        self.registry.report(probe)
    }

    /// From now on the service is not ready, whatever its checks say: to be called when a graceful shutdown begins, so that
    /// no more requests are sent to it. [`Vitals::shutdown`](crate::Vitals::shutdown) calls it, and on Linux so does a SIGTERM, in a program
    /// whose handler was made as tokio's: with `SA_RESTART`, and for more than one signal.
    pub fn begin_shutdown(&self) {
        self.registry.begin_shutdown();
    }

    /// Whether a graceful shutdown has begun.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.registry.is_shutting_down()
    }

    /// Those that are there from the start, which do not run yet.
    pub(crate) fn with(checks: Vec<(String, Check)>) -> Result<Self, RegisterError> {
        let health = Health::default();
        checks.into_iter().try_for_each(|(name, check)| health.add(&name, check))?;
        Ok(health)
    }

    /// Has checks run from now on, if there are any.
    pub(crate) fn start_if_used(&self) -> io::Result<()> {
        if self.registry.is_used() { self.start() } else { Ok(()) }
    }

    /// Ends the checks, for good, and lets go what they hold. Waits for none.
    pub(crate) fn stop(&self) {
        self.registry.stop();
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    fn add(&self, name: &str, check: Check) -> Result<(), RegisterError> {
        self.registry.add(name, check)
    }

    fn start(&self) -> io::Result<()> {
        thread::start(&self.registry)
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Health")
            .field("checks", &self.registry.names())
            .field("is_shutting_down", &self.is_shutting_down())
            .finish()
    }
}
