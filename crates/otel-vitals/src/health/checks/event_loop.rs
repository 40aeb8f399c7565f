//! Whether the runtimes of the service make way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::tcp::milliseconds;
use crate::health::{Check, ComponentType, Outcome};
use crate::runtime::Pauses;
use crate::vitals::Vitals;

impl Check {
    /// Whether everything that is watched for [pauses](Vitals::pauses), the process and its tokio runtimes, makes way: it fails while
    /// one stands still for longer than `max`, and once more for a pause of that length since the last run. Observes the longest,
    /// in ms. Where nothing watches, with `metrics.pauses: false`, it warns.
    ///
    /// It is a check for readiness like others: a service that stalls should be sent less. As one for
    /// [liveness](crate::health::Kind::Liveness), with a `max` of a minute, it has a service restarted whose workers never come back. What is
    /// shorter than `metrics.pauses.runtime_threshold` is no pause.
    ///
    /// ```
    /// # let provider = opentelemetry_sdk::metrics::SdkMeterProvider::default();
    /// # let vitals = otel_vitals::Vitals::builder().meter_provider(provider).start()?;
    /// use otel_vitals::health::{Check, Kind};
    /// use std::time::Duration;
    ///
    /// let health = vitals.health();
    /// health.register("delay", Check::event_loop_delay(&vitals, Duration::from_secs(1)).non_critical())?;
    /// let stuck = Check::event_loop_delay(&vitals, Duration::from_secs(60)).kind(Kind::Liveness);
    /// health.register("stuck", stuck)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn event_loop_delay(vitals: &Vitals, max: Duration) -> Self {
        let pauses = vitals.is_watching_pauses().then(|| vitals.pauses());
        let seen = AtomicU64::new(pauses.as_ref().map_or(0, Pauses::count));
        Check::new(move || std::future::ready(judge(pauses.as_ref(), &seen, max)))
            .component(ComponentType::System)
    }
}

/// The longest delay that there is, or was since `seen` pauses.
struct Longest {
    duration: Duration,
    runtime: Option<String>,
    is_over: bool,
}

fn judge(pauses: Option<&Pauses>, seen: &AtomicU64, max: Duration) -> Outcome {
    let Some(pauses) = pauses else {
        return Outcome::warn("nothing watches for pauses: metrics.pauses is off");
    };
    let longest = longest(pauses, seen);
    let duration = longest.as_ref().map_or(Duration::ZERO, |longest| longest.duration);
    let outcome = match longest.filter(|longest| longest.duration > max) {
        None => Outcome::pass(),
        Some(Longest { duration, runtime, is_over }) => {
            let what = runtime.map_or("the process".to_owned(), |name| format!("the runtime {name}"));
            let stands = if is_over { "stood still" } else { "has stood still by now" };
            Outcome::fail(format!("{what} {stands} for {duration:.1?}"))
        }
    };
    outcome.observed("delay", milliseconds(duration), "ms")
}

fn longest(pauses: &Pauses, seen: &AtomicU64) -> Option<Longest> {
    let count = pauses.count();
    let new = count.saturating_sub(seen.swap(count, Ordering::Relaxed));
    let over = if new == 0 { Vec::new() } else { pauses.last() };
    let over = over.into_iter().rev().take(usize::try_from(new).unwrap_or(usize::MAX)).map(|pause| Longest {
        duration: pause.duration,
        runtime: pause.runtime,
        is_over: true,
    });
    let ongoing = pauses.ongoing().into_iter().map(|pause| Longest {
        duration: pause.duration,
        runtime: pause.runtime,
        is_over: false,
    });
    over.chain(ongoing).max_by_key(|longest| longest.duration)
}
