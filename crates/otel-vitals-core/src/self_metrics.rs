//! What reading costs and how often it fails.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `otel_vitals.source.read.duration` | monotonic clock around each read | `otel_vitals.source` |
//! | `otel_vitals.source.errors` | failed or partial reads and panics | `otel_vitals.source` |

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use std::time::Duration;

/// From a microsecond, which is a warm `pread`, to the second that a hung disk costs.
const BOUNDARIES: [f64; 13] = [1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0];

#[derive(Clone, Debug)]
pub(crate) struct SelfMetrics {
    duration: Histogram<f64>,
    errors: Counter<u64>,
}

/// The self-metrics of one source.
#[derive(Debug)]
pub(crate) struct SourceMetrics {
    all: SelfMetrics,
    attributes: [KeyValue; 1],
}

impl SelfMetrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        SelfMetrics {
            duration: meter
                .f64_histogram("otel_vitals.source.read.duration")
                .with_unit("s")
                .with_description("Time to read one source once.")
                .with_boundaries(BOUNDARIES.to_vec())
                .build(),
            errors: meter
                .u64_counter("otel_vitals.source.errors")
                .with_unit("{error}")
                .with_description("Reads of a source that failed, wholly or in part.")
                .build(),
        }
    }

    pub(crate) fn of(&self, source: &'static str) -> SourceMetrics {
        let metrics =
            SourceMetrics { all: self.clone(), attributes: [KeyValue::new("otel_vitals.source", source)] };
        // A counter that starts at zero lets an alert see its first increase.
        metrics.all.errors.add(0, &metrics.attributes);
        metrics
    }
}

impl SourceMetrics {
    pub(crate) fn read(&self, took: Duration) {
        self.all.duration.record(took.as_secs_f64(), &self.attributes);
    }

    pub(crate) fn failed(&self) {
        self.all.errors.add(1, &self.attributes);
    }
}
