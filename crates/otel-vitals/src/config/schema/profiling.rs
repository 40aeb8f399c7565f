//! The keys of `profiling`.

use std::time::Duration;

use super::field::{Field, choose};
use super::{ENABLED, Key, field, group, number, section, switch, time};
use crate::config::value::{Numbers, Span};

/// A sample for each KiB costs more than what is sampled; one for each GiB shows nothing.
const INTERVAL: Numbers = Numbers::new(1 << 10, 1 << 30);
const FREQUENCY: Numbers = Numbers::new(1, 1000);
const DURATION: Span = Span::new(Duration::from_secs(1), Duration::from_secs(600));

pub(super) static PROFILING: &[Key] = &[
    group("heap", HEAP),
    section("cpu", &[number("frequency", FREQUENCY, |config| &mut config.profiling.cpu.frequency)]),
    time("max_duration", DURATION, |config| &mut config.profiling.max_duration),
];

static HEAP: &[Key] = &[
    switch(ENABLED, |config| &mut config.profiling.heap.enabled),
    number("interval", INTERVAL, |config| &mut config.profiling.heap.interval),
    field("source", Field::Choice(|config, text| choose(&mut config.profiling.heap.source, text))),
];
