//! The histograms that the ticker records.
//!
//! The ticker has one stamp at a time under way, so that a stall of ten seconds is one stamp late, where a request that came
//! every tick would have been late a hundred times. Percentiles of that would flatter. So a delay longer than a tick is recorded
//! again and again, each time a tick shorter, as jHiccup does: as if a stamp had been sent every tick all the same.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};

use super::{PauseCause, PauseScope};
use crate::moments::seconds;

/// From ten microseconds, what a healthy runtime takes, to a minute.
const BOUNDARIES: [f64; 20] = [
    0.000_01, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// A delay is recorded so often at most; what is longer than so many ticks in fewer steps.
const MOST: u64 = 10_000;

pub(super) struct Instruments {
    pauses: Histogram<f64>,
    wakeups: Histogram<f64>,
    schedules: Histogram<f64>,
    /// By scope and cause.
    attributes: Vec<(PauseScope, PauseCause, [KeyValue; 2])>,
}

impl Instruments {
    pub(super) fn new(meter: &Meter) -> Self {
        let histogram = |name: &'static str, description: &'static str| {
            meter
                .f64_histogram(name)
                .with_unit("s")
                .with_description(description)
                .with_boundaries(BOUNDARIES.to_vec())
                .build()
        };
        let causes = |scope: PauseScope| PauseCause::ALL.iter().copied().map(move |cause| (scope, cause));
        Instruments {
            pauses: histogram(
                "rust.pause.duration",
                "How long the process, or a runtime in it, stood still.",
            ),
            wakeups: histogram(
                "rust.wakeup.delay",
                "How much later than it had asked to a thread that slept ran again.",
            ),
            schedules: histogram("tokio.schedule.delay", "How long a task that was ready waited to run."),
            attributes: PauseScope::ALL
                .iter()
                .copied()
                .flat_map(causes)
                .map(|(scope, cause)| {
                    let attributes = [
                        KeyValue::new("rust.pause.scope", scope.as_str()),
                        KeyValue::new("rust.pause.cause", cause.as_str()),
                    ];
                    (scope, cause, attributes)
                })
                .collect(),
        }
    }

    /// A pause of so many nanoseconds; each is one value, however long.
    pub(super) fn pause(&self, scope: PauseScope, cause: PauseCause, duration: u64) {
        let known = self.attributes.iter().find(|known| (known.0, known.1) == (scope, cause));
        if let Some((_, _, attributes)) = known {
            self.pauses.record(seconds(duration), attributes);
        }
    }

    /// The ticker woke up so much later than it should have.
    pub(super) fn wakeup(&self, delay: u64, tick: u64) {
        every(delay, tick, |delay| self.wakeups.record(seconds(delay), &[]));
    }

    /// A stamp took so long.
    pub(super) fn schedule(&self, delay: u64, tick: u64, runtime: &[KeyValue]) {
        every(delay, tick, |delay| self.schedules.record(seconds(delay), runtime));
    }
}

/// The delays of all who would have come once a `tick` while the first of them waited for `delay`.
fn every(delay: u64, tick: u64, record: impl FnMut(u64)) {
    let step = tick.max(delay / MOST).max(1);
    std::iter::successors(Some(delay), |delay| delay.checked_sub(step).filter(|delay| *delay > 0))
        .for_each(record);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn delays(delay: u64, tick: u64) -> Vec<u64> {
        let mut delays = Vec::new();
        every(delay, tick, |delay| delays.push(delay));
        delays
    }

    #[test]
    fn a_long_delay_counts_for_everyone_who_would_have_waited() {
        assert_eq!(delays(0, 100), [0]);
        assert_eq!(delays(99, 100), [99]);
        assert_eq!(delays(100, 100), [100]);
        assert_eq!(delays(350, 100), [350, 250, 150, 50]);
    }

    proptest! {
        #[test]
        fn it_is_recorded_so_often_at_most(delay: u64, tick: u64) {
            let delays = delays(delay, tick);
            prop_assert!(delays.len() as u64 <= MOST + 1);
            prop_assert_eq!(delays[0], delay);
            prop_assert!(delays.is_sorted_by(|one, next| one > next));
        }
    }
}
