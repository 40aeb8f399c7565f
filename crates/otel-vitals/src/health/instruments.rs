//! Health as metrics.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `otel_vitals.health.check.status` | what the check said last: 1 for the state that it is in, 0 for the others | `otel_vitals.health.check.name`, `otel_vitals.health.check.kind`, `otel_vitals.health.state` |
//! | `otel_vitals.health.probe.status` | what the probe would be told, likewise | `otel_vitals.health.probe.name`, `otel_vitals.health.state` |
//! | `otel_vitals.health.check.duration` | monotonic clock around each run | `otel_vitals.health.check.name`, `otel_vitals.health.check.kind` |
//!
//! Of probes nothing is told before a check was registered or a report asked for: a service that does not use them is not told
//! to be well.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Histogram, Meter};
use otel_vitals_core::{Reading as _, SourceContext};
use std::sync::Arc;
use std::time::Duration;

use super::registry::Registry;
use super::{Kind, Probe, Status};

/// From a tenth of a millisecond, which is more than a look at the own process takes, by the timeout that is usual to the minute of a slow start.
const BOUNDARIES: [f64; 15] =
    [0.000_1, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// How long runs take.
pub(super) struct Durations {
    histogram: Histogram<f64>,
}

/// The attributes of a check or a probe.
pub(super) struct Series {
    own: Vec<KeyValue>,
    /// With each state.
    states: Vec<(Status, Vec<KeyValue>)>,
}

#[derive(Default)]
struct Reading {
    checks: Vec<(Arc<Series>, Status)>,
    probes: Vec<(Arc<Series>, Status)>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        self.checks.clear();
        self.probes.clear();
    }
}

/// Declares the instruments, which show whatever `registry` has at the time.
pub(crate) fn register(meter: &Meter, context: &SourceContext, registry: &Arc<Registry>) {
    let histogram = meter
        .f64_histogram("otel_vitals.health.check.duration")
        .with_unit("s")
        .with_description("How long one run of a health check took.")
        .with_boundaries(BOUNDARIES.to_vec())
        .build();
    registry.measured(Durations { histogram });
    let registry = Arc::clone(registry);
    let probes: Vec<_> =
        Probe::ALL.iter().map(|probe| (*probe, Arc::new(Series::of_probe(*probe)))).collect();
    let source = context.source("otel_vitals.health", Reading::default(), move |reading: &mut Reading| {
        reading.clear();
        registry.for_each(|entry, status| reading.checks.push((Arc::clone(&entry.series), status)));
        if registry.is_used() {
            let told = probes.iter().map(|(probe, series)| (Arc::clone(series), registry.status(*probe)));
            reading.probes.extend(told);
        }
        Ok(())
    });
    meter
        .i64_observable_up_down_counter("otel_vitals.health.check.status")
        .with_unit("1")
        .with_description(
            "Whether a health check is in a state: 1 for the state that it is in, 0 for the others.",
        )
        .with_callback(source.observe(|reading, instrument| observe(&reading.checks, instrument)))
        .build();
    meter
        .i64_observable_up_down_counter("otel_vitals.health.probe.status")
        .with_unit("1")
        .with_description("Whether a probe is in a state: 1 for the state that it is in, 0 for the others.")
        .with_callback(source.observe(|reading, instrument| observe(&reading.probes, instrument)))
        .build();
}

fn observe(told: &[(Arc<Series>, Status)], instrument: &dyn AsyncInstrument<i64>) {
    for (series, status) in told {
        for (state, attributes) in &series.states {
            instrument.observe(i64::from(state == status), attributes);
        }
    }
}

impl Durations {
    pub(super) fn record(&self, duration: Duration, of: &Series) {
        self.histogram.record(duration.as_secs_f64(), &of.own);
    }
}

impl Series {
    pub(super) fn of_check(name: &str, kind: Kind) -> Self {
        Series::new(vec![
            KeyValue::new("otel_vitals.health.check.name", name.to_owned()),
            KeyValue::new("otel_vitals.health.check.kind", kind.as_str()),
        ])
    }

    fn of_probe(probe: Probe) -> Self {
        Series::new(vec![KeyValue::new("otel_vitals.health.probe.name", probe.as_str())])
    }

    fn new(own: Vec<KeyValue>) -> Self {
        let with = |state: &Status| {
            let state_of = KeyValue::new("otel_vitals.health.state", state.as_str());
            (*state, own.iter().cloned().chain([state_of]).collect())
        };
        Series { states: Status::ALL.iter().map(with).collect(), own }
    }
}
