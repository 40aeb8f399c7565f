//! Huge pages that the administrator set aside (hugetlbfs; transparent huge pages are ordinary memory). Opt-in.
//!
//! | metric | source: `/proc/meminfo` | attributes |
//! | --- | --- | --- |
//! | `system.memory.linux.hugepages.limit` | `HugePages_Total` | |
//! | `system.memory.linux.hugepages.page_size` | `Hugepagesize` | |
//! | `system.memory.linux.hugepages.reserved` | `HugePages_Rsvd` | |
//! | `system.memory.linux.hugepages.surplus` | `HugePages_Surp` | |
//! | `system.memory.linux.hugepages.usage` | `HugePages_Free`, and the rest of `HugePages_Total` | `system.memory.linux.hugepages.state` = free, used |
//! | `system.memory.linux.hugepages.utilization` | the same as shares of `HugePages_Total`; absent when that is 0 | as `usage` |
//!
//! All of them are of the default size of huge page, the only one in this file. Reserved pages are promised to a
//! mapping and still free; surplus ones are in the limit while they last.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_core::{Source, signed};

use crate::memory::{Reading, observe};

/// What `/proc/meminfo` says of huge pages.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct HugePages {
    /// Pages in the pool, surplus ones included (pages).
    pub(crate) total: Option<u64>,
    /// Pages of the pool that hold nothing (pages).
    pub(crate) free: Option<u64>,
    /// Free pages that are promised (pages).
    pub(crate) reserved: Option<u64>,
    /// Pages beyond what the administrator set aside (pages).
    pub(crate) surplus: Option<u64>,
    /// Size of one page (By).
    pub(crate) page_size: Option<u64>,
}

impl HugePages {
    /// Where the number of the line `key` belongs.
    pub(crate) fn count(&mut self, key: &[u8]) -> Option<&mut Option<u64>> {
        match key.strip_prefix(b"HugePages_")? {
            b"Total:" => Some(&mut self.total),
            b"Free:" => Some(&mut self.free),
            b"Rsvd:" => Some(&mut self.reserved),
            b"Surp:" => Some(&mut self.surplus),
            _ => None,
        }
    }

    /// Pages that are free and used.
    pub(crate) fn usage(&self) -> [Option<u64>; 2] {
        [self.free, self.total.zip(self.free).map(|(total, free)| total.saturating_sub(free))]
    }

    /// Shares that are free and used.
    pub(crate) fn utilization(&self) -> [Option<f64>; 2] {
        let total = self.total.filter(|total| *total > 0);
        self.usage().map(|pages| pages.zip(total).map(|(pages, total)| pages as f64 / total as f64))
    }
}

pub(crate) fn register(meter: &Meter, source: &Source<Reading>) {
    let count = |name: &'static str, unit: &'static str, description: &'static str, value: Value| {
        meter
            .i64_observable_up_down_counter(name)
            .with_unit(unit)
            .with_description(description)
            .with_callback(source.observe(move |reading, instrument| {
                observe(instrument, [value(&reading.huge_pages).map(signed)], &[[]]);
            }))
            .build();
    };
    count("system.memory.linux.hugepages.limit", "{page}", "Huge pages in the pool.", |pages| pages.total);
    count("system.memory.linux.hugepages.page_size", "By", "Size of a huge page.", |pages| pages.page_size);
    count(
        "system.memory.linux.hugepages.reserved",
        "{page}",
        "Free huge pages that are promised.",
        |pages| pages.reserved,
    );
    count(
        "system.memory.linux.hugepages.surplus",
        "{page}",
        "Huge pages beyond what was set aside.",
        |pages| pages.surplus,
    );

    let states = ["free", "used"].map(|state| [KeyValue::new("system.memory.linux.hugepages.state", state)]);
    let shares = states.clone();
    meter
        .i64_observable_up_down_counter("system.memory.linux.hugepages.usage")
        .with_unit("{page}")
        .with_description("Huge pages by state; the states sum to the limit.")
        .with_callback(source.observe(move |reading, instrument| {
            observe(instrument, reading.huge_pages.usage().map(|pages| pages.map(signed)), &states);
        }))
        .build();
    meter
        .f64_observable_gauge("system.memory.linux.hugepages.utilization")
        .with_unit("1")
        .with_description("Share of each state in all huge pages.")
        .with_callback(source.observe(move |reading, instrument| {
            observe(instrument, reading.huge_pages.utilization(), &shares);
        }))
        .build();
}

type Value = fn(&HugePages) -> Option<u64>;
