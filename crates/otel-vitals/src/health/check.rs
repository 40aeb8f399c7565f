//! What is registered.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{ComponentType, Kind, Outcome};

const TIMEOUT: Duration = Duration::from_secs(5);
const CACHE: Duration = Duration::from_secs(10);
/// Who waits for a start should not wait for the next run.
const STARTUP_CACHE: Duration = Duration::from_secs(1);

/// What a timeout and a cache time may be. One of nothing would let nothing answer, or a check run all the time.
const TIMEOUTS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(3_600));
const CACHES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(24 * 3_600));

/// Makes the future of one run.
pub(super) type Call = Arc<dyn Fn() -> Answer + Send + Sync>;

pub(super) type Answer = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A health check: something asynchronous to ask, and how.
///
/// Each run is on a thread of its own, in the runtime of health checks and not in one of the service: it goes on while those
/// are stuck, and one that blocks its thread holds up no other. It must not count on tasks of the service, nor leave
/// tasks of its own behind that block.
///
/// ```
/// use otel_vitals::health::{Check, ComponentType};
/// use std::time::Duration;
///
/// # async fn ask() -> Result<(), std::io::Error> { Ok(()) }
/// let store = Check::new(|| async { ask().await })
///     .component(ComponentType::Datastore)
///     .timeout(Duration::from_secs(1))
///     .cache(Duration::from_secs(5));
/// let recommendations = Check::tcp("recommendations:8080").non_critical();
/// # drop((store, recommendations));
/// ```
#[derive(Clone)]
pub struct Check {
    pub(super) call: Call,
    pub(super) kind: Kind,
    pub(super) timeout: Duration,
    cache: Option<Duration>,
    pub(super) critical: bool,
    pub(super) component_type: ComponentType,
}

impl Check {
    /// A check that calls `ask` and waits for what it returns: nothing, a `Result`, or an [`Outcome`].
    ///
    /// For readiness, critical, with five seconds to answer, asked every ten. A panic in it is a failure.
    pub fn new<F, A, R>(ask: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = R> + Send + 'static,
        R: Into<Outcome>,
    {
        let call = move || -> Answer {
            let answer = ask();
            Box::pin(async move { answer.await.into() })
        };
        Check {
            call: Arc::new(call),
            kind: Kind::default(),
            timeout: TIMEOUT,
            cache: None,
            critical: true,
            component_type: ComponentType::default(),
        }
    }

    /// What it is for; [`Kind::Readiness`] without it.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// In which time it must answer, lest it fails; 5 s without it. From 1 ms to an hour: what is beyond counts as those.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.clamp(TIMEOUTS.0, TIMEOUTS.1);
        self
    }

    /// How long an answer holds: the time from one run to the next. 10 s without it, and 1 s for [`Kind::Startup`]. From
    /// 10 ms to a day: what is beyond counts as those.
    #[must_use]
    pub fn cache(mut self, cache: Duration) -> Self {
        self.cache = Some(cache.clamp(CACHES.0, CACHES.1));
        self
    }

    /// When it fails, the probe only warns.
    #[must_use]
    pub fn non_critical(self) -> Self {
        self.critical(false)
    }

    /// Whether the probe fails when it does; true without it.
    #[must_use]
    pub fn critical(mut self, critical: bool) -> Self {
        self.critical = critical;
        self
    }

    /// What it looks at; [`ComponentType::Component`] without it.
    #[must_use]
    pub fn component(mut self, component_type: ComponentType) -> Self {
        self.component_type = component_type;
        self
    }

    /// Time from the end of a run to the next.
    pub(super) fn period(&self) -> Duration {
        self.cache.unwrap_or(if self.kind == Kind::Startup { STARTUP_CACHE } else { CACHE })
    }
}

impl<F, A, R> From<F> for Check
where
    F: Fn() -> A + Send + Sync + 'static,
    A: Future<Output = R> + Send + 'static,
    R: Into<Outcome>,
{
    fn from(ask: F) -> Self {
        Check::new(ask)
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Check")
            .field("kind", &self.kind)
            .field("timeout", &self.timeout)
            .field("cache", &self.period())
            .field("critical", &self.critical)
            .field("component_type", &self.component_type)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_make_no_sense_are_taken_to_the_nearest_that_do() {
        let check = Check::new(|| async {}).timeout(Duration::ZERO).cache(Duration::ZERO);
        assert_eq!((check.timeout, check.period()), (Duration::from_millis(1), Duration::from_millis(10)));
        let check = check.timeout(Duration::MAX).cache(Duration::MAX);
        assert_eq!(
            (check.timeout, check.period()),
            (Duration::from_secs(3_600), Duration::from_secs(86_400))
        );
    }

    #[test]
    fn a_start_is_looked_at_more_often() {
        let check = Check::new(|| async {});
        assert_eq!(check.period(), Duration::from_secs(10));
        assert_eq!(check.clone().kind(Kind::Startup).period(), Duration::from_secs(1));
        let chosen = check.cache(Duration::from_secs(7)).kind(Kind::Startup);
        assert_eq!(chosen.period(), Duration::from_secs(7));
    }
}
