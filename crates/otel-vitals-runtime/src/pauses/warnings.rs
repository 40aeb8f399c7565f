//! Long pauses are logged, but not so often that the log is full of them.

use otel_vitals_core::quietly;
use std::time::Duration;

use super::PauseScope;
use super::ring::Entry;
use crate::PauseWarnings;
use crate::moments::nanoseconds;

pub(super) struct Warnings {
    enabled: bool,
    threshold: u64,
    interval: u64,
    /// The moment of the last warning.
    last: Option<u64>,
    /// Pauses since that were long enough, too.
    left_out: u64,
}

impl Warnings {
    pub(super) fn new(options: &PauseWarnings) -> Self {
        Warnings {
            enabled: options.enabled,
            threshold: nanoseconds(options.threshold),
            interval: nanoseconds(options.interval),
            last: None,
            left_out: 0,
        }
    }

    /// A pause is over.
    pub(super) fn pause(&mut self, now: u64, pause: &Entry) {
        let Some(left_out) = self.is_due(now, pause.duration) else { return };
        let duration = Duration::from_nanos(pause.duration);
        let (scope, cause, worker) = (pause.scope.as_str(), pause.cause.as_str(), pause.worker);
        let what =
            pause.name.text().map_or_else(|| "the process".to_owned(), |name| format!("runtime {name}"));
        quietly(|| {
            tracing::warn!(
                target: "otel_vitals",
                scope, cause, runtime = pause.name.text(), worker, duration_ms = duration.as_millis() as u64, left_out,
                "{what} stood still for {duration:.1?}: {}", pause.cause
            );
        });
    }

    /// A runtime stands still and has for so long; told once for each such pause. Returns whether it was long enough.
    pub(super) fn ongoing(&mut self, now: u64, duration: u64, runtime: &str, worker: Option<u32>) -> bool {
        if !self.enabled || duration < self.threshold {
            return false;
        }
        if let Some(left_out) = self.is_due(now, duration) {
            let duration = Duration::from_nanos(duration);
            quietly(|| {
                tracing::warn!(
                    target: "otel_vitals",
                    scope = PauseScope::Runtime.as_str(), runtime, worker, duration_ms = duration.as_millis() as u64, left_out,
                    "runtime {runtime} has stood still for {duration:.1?} and does so on"
                );
            });
        }
        true
    }

    /// Whether to log a pause of `duration`, and how many were left out before.
    fn is_due(&mut self, now: u64, duration: u64) -> Option<u64> {
        if !self.enabled || duration < self.threshold {
            return None;
        }
        if self.last.is_some_and(|last| now.saturating_sub(last) < self.interval) {
            self.left_out += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn warnings(enabled: bool) -> Warnings {
        let (threshold, interval) = (Duration::from_secs(1), Duration::from_secs(10));
        let options = PauseWarnings { enabled, threshold, interval };
        Warnings::new(&options)
    }

    #[test]
    fn only_long_pauses_are_told_and_those_left_out_are_counted() {
        let mut warnings = warnings(true);
        assert_eq!(warnings.is_due(SECOND, SECOND - 1), None);
        assert_eq!(warnings.is_due(SECOND, SECOND), Some(0));
        for second in 2..11 {
            assert_eq!(warnings.is_due(second * SECOND, 2 * SECOND), None);
        }
        assert_eq!(warnings.is_due(11 * SECOND, SECOND), Some(9));
        assert_eq!(warnings.is_due(21 * SECOND, SECOND), Some(0));
    }

    #[test]
    fn switched_off_nothing_is_told() {
        let mut warnings = warnings(false);
        assert_eq!(warnings.is_due(SECOND, u64::MAX), None);
        assert!(!warnings.ongoing(SECOND, u64::MAX, "main", None));
    }
}
