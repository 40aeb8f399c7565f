//! What stable tokio says beyond the stable metrics: nothing. See `unstable.rs`.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_core::Source;
use std::ops::Range;
use tokio::runtime::RuntimeMetrics;

#[derive(Debug)]
pub(super) struct Scheduler;

#[derive(Debug, Default, PartialEq)]
pub(super) struct Work {}

impl Scheduler {
    pub(super) fn new(_metrics: &RuntimeMetrics, _runtime: &[KeyValue; 1]) -> Self {
        Scheduler
    }

    pub(super) fn clear(&mut self) {}

    pub(super) fn read(&mut self, _metrics: &RuntimeMetrics) {}
}

impl Work {
    pub(super) fn read(_metrics: &RuntimeMetrics, _workers: Range<usize>) -> Self {
        Work {}
    }
}

pub(super) fn register(_meter: &Meter, _source: &Source<super::Reading>) {}
