//! How the CPU quota of this process's control group throttles it.
//!
//! | metric | source: `cpu.stat`, see `own_cgroup.rs` | attributes |
//! | --- | --- | --- |
//! | `linux.cgroup.cpu.periods` | `nr_periods` | |
//! | `linux.cgroup.cpu.throttled.periods` | `nr_throttled` | |
//! | `linux.cgroup.cpu.throttled.time` | `throttled_usec` of version 2, `throttled_time` of version 1 | |
//!
//! The group is the nearest with a quota among the own one and those above that are visible: in a pod of Kubernetes that may
//! be the pod. All its processes count. Where no group has a quota nothing is throttled, and the figures are 0; where the
//! kernel tells none, as in the root group of version 2 or without the CPU controller, the metrics are absent.

use opentelemetry::metrics::Meter;
use otel_vitals_core::Source;
use otel_vitals_core::cgroup::CpuStat;

use crate::own_cgroup::Reading;

pub(crate) fn register(meter: &Meter, source: &Source<Reading>) {
    let periods = |name: &'static str, description: &'static str, value: fn(&CpuStat) -> Option<u64>| {
        meter
            .u64_observable_counter(name)
            .with_unit("{period}")
            .with_description(description)
            .with_callback(source.observe(move |reading, instrument| {
                if let Some(periods) = value(&reading.cpu) {
                    instrument.observe(periods, &[]);
                }
            }))
            .build();
    };
    periods(
        "linux.cgroup.cpu.periods",
        "Periods of the CPU quota in which the control group had something to run.",
        |cpu| cpu.periods,
    );
    periods(
        "linux.cgroup.cpu.throttled.periods",
        "Periods in which the control group used up its CPU quota and had to wait.",
        |cpu| cpu.throttled_periods,
    );
    meter
        .f64_observable_counter("linux.cgroup.cpu.throttled.time")
        .with_unit("s")
        .with_description(
            "Time that the control group had to wait for its next CPU quota, summed over processors.",
        )
        .with_callback(source.observe(|reading, instrument| {
            if let Some(nanoseconds) = reading.cpu.throttled_time {
                instrument.observe(nanoseconds as f64 / 1e9, &[]);
            }
        }))
        .build();
}
