//! Memory.
//!
//! | metric | source: `/proc/meminfo` | attributes |
//! | --- | --- | --- |
//! | `system.memory.usage` | `MemFree`, `Buffers`, `Cached` + `SReclaimable`, and the rest of `MemTotal` | `system.memory.state` = used, free, buffers, cached |
//! | `system.memory.utilization` | the same as shares of `MemTotal` | as `system.memory.usage` |
//! | `system.memory.linux.available` | `MemAvailable` | |
//! | `system.memory.linux.slab.usage` | `SReclaimable`, `SUnreclaim` | `system.memory.linux.slab.state` = reclaimable, unreclaimable |
//! | `system.memory.limit` (opt-in) | `MemTotal` | |
//! | `system.memory.linux.shared` (opt-in) | `Shmem` | |
//! | `system.memory.linux.hugepages.*` (opt-in) | see `memory_hugepages.rs` | `system.memory.linux.hugepages.state` |
//!
//! States are disjoint and sum to `MemTotal`: `cached` is what `free` calls cache, page cache and reclaimable slab;
//! `used` is what remains, huge pages that nobody uses yet included. Should the parts exceed the whole, which the
//! kernel counts one after the other, `used` is 0. Shared memory is in `cached`, where the kernel counts it, and
//! slab in `cached` or `used`; that is why both are metrics of their own. Before Linux 3.14 there is no `available`.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};
use otel_vitals_core::scan::{self, Faults};
use otel_vitals_core::{KernelFile, Malformed, Source, SourceContext, signed};

use crate::memory_hugepages::{self, HugePages};
use crate::options::MemoryOptions;
use crate::roots::Roots;

/// The values of `system.memory.state`.
const STATES: [&str; 4] = ["used", "free", "buffers", "cached"];

/// What `/proc/meminfo` says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Reading {
    /// Memory that the kernel manages (By).
    pub(crate) total: Option<u64>,
    /// Memory that holds nothing (By).
    pub(crate) free: Option<u64>,
    /// What new programs could get without swapping, as the kernel estimates it (By).
    pub(crate) available: Option<u64>,
    /// Cache of raw blocks (By).
    pub(crate) buffers: Option<u64>,
    /// Cache of files, shared memory included, and reclaimable slab (By).
    pub(crate) cached: Option<u64>,
    /// Shared memory, tmpfs included (By).
    shared: Option<u64>,
    /// Caches of kernel objects that can be dropped (By).
    slab_reclaimable: Option<u64>,
    /// Kernel objects that cannot be dropped (By).
    slab_unreclaimable: Option<u64>,
    /// Pages set aside for huge mappings.
    pub(crate) huge_pages: HugePages,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        *self = Reading::default();
    }
}

impl Reading {
    /// Whether everything was read but the cache, which is computed from it, and huge pages.
    fn is_complete(&self) -> bool {
        let Reading { total, free, available, buffers, shared, .. } = self;
        let slab = [&self.slab_reclaimable, &self.slab_unreclaimable];
        [total, free, available, buffers, shared].into_iter().chain(slab).all(Option::is_some)
    }

    /// Bytes in each of [`STATES`].
    fn usage(&self) -> [Option<u64>; 4] {
        let Reading { total, free, buffers, cached, .. } = *self;
        let kept =
            [free, buffers, cached].into_iter().try_fold(0, |sum: u64, part| Some(sum.saturating_add(part?)));
        let used = total.zip(kept).map(|(total, kept)| total.saturating_sub(kept));
        [used, free, buffers, cached]
    }

    /// Share of each of [`STATES`] in the whole.
    fn utilization(&self) -> [Option<f64>; 4] {
        let total = self.total.filter(|total| *total > 0);
        self.usage().map(|bytes| bytes.zip(total).map(|(bytes, total)| bytes as f64 / total as f64))
    }
}

/// `huge_pages` come last in the file, and are looked for only when they are wanted.
pub(crate) fn read(bytes: &[u8], huge_pages: bool, reading: &mut Reading) -> Result<(), Malformed> {
    let mut faults = Faults::default();
    let mut page_cache = None;
    // Before Linux 2.6.19 nothing is said of slab, and then it is not counted as cache.
    let mut slab_is_told = false;
    // Nothing that is wanted begins with another letter, and most lines do.
    for line in scan::lines(bytes).filter(|line| matches!(line, [b'M' | b'B' | b'C' | b'S' | b'H', ..])) {
        let mut fields = scan::fields(line);
        let size = match fields.next().unwrap_or_default() {
            b"MemTotal:" => &mut reading.total,
            b"MemFree:" => &mut reading.free,
            b"MemAvailable:" => &mut reading.available,
            b"Buffers:" => &mut reading.buffers,
            b"Cached:" => &mut page_cache,
            b"Shmem:" => &mut reading.shared,
            b"SReclaimable:" => {
                slab_is_told = true;
                &mut reading.slab_reclaimable
            }
            b"SUnreclaim:" => &mut reading.slab_unreclaimable,
            b"Hugepagesize:" => &mut reading.huge_pages.page_size,
            key => {
                if let Some(pages) = reading.huge_pages.count(key) {
                    *pages = faults.keep(scan::next_number(&mut fields, "a number of huge pages"));
                }
                continue;
            }
        };
        *size = faults.keep(bytes_of(&mut fields));
        if !huge_pages && page_cache.is_some() && reading.is_complete() {
            break;
        }
    }
    let slab = if slab_is_told { reading.slab_reclaimable } else { Some(0) };
    reading.cached = page_cache.zip(slab).map(|(page_cache, slab)| page_cache.saturating_add(slab));
    faults.require(&reading.total, "MemTotal");
    faults.require(&reading.free, "MemFree");
    faults.require(&reading.buffers, "Buffers");
    faults.require(&page_cache, "Cached");
    faults.result()
}

/// `<number> kB`, where the kernel means 1,024 bytes; without the unit the line may have been cut in the number.
fn bytes_of<'a>(fields: &mut impl Iterator<Item = &'a [u8]>) -> Result<u64, Malformed> {
    let size = scan::next_number(fields, "a size in kB")?;
    match fields.next() {
        Some(b"kB") => Ok(size.saturating_mul(1024)),
        other => Err(Malformed::new("the unit kB", other.unwrap_or_default())),
    }
}

pub(crate) fn register(meter: &Meter, context: &SourceContext, roots: &Roots, options: &MemoryOptions) {
    let huge_pages = options.hugepages;
    let mut file = KernelFile::single_record(roots.path("/proc/meminfo"));
    let source = context.source("system.memory", Reading::default(), move |reading: &mut Reading| {
        file.parse(|bytes| read(bytes, huge_pages, reading))
    });
    register_states(meter, &source);
    let description = "What new programs could get without swapping, as the kernel estimates it.";
    bytes(meter, &source, "system.memory.linux.available", description, |reading| reading.available);
    if options.limit {
        let description = "Memory that the kernel manages.";
        bytes(meter, &source, "system.memory.limit", description, |reading| reading.total);
    }
    if options.shared {
        let description = "Shared memory, mostly of tmpfs; it is in the cache too.";
        bytes(meter, &source, "system.memory.linux.shared", description, |reading| reading.shared);
    }
    if options.hugepages {
        memory_hugepages::register(meter, &source);
    }
}

fn register_states(meter: &Meter, source: &Source<Reading>) {
    let states = STATES.map(|state| [KeyValue::new("system.memory.state", state)]);
    let shares = states.clone();
    let slab = ["reclaimable", "unreclaimable"]
        .map(|state| [KeyValue::new("system.memory.linux.slab.state", state)]);
    meter
        .i64_observable_up_down_counter("system.memory.usage")
        .with_unit("By")
        .with_description("Memory by state; the states sum to all of it.")
        .with_callback(source.observe(move |reading, instrument| {
            observe(instrument, reading.usage().map(|bytes| bytes.map(signed)), &states);
        }))
        .build();
    meter
        .f64_observable_gauge("system.memory.utilization")
        .with_unit("1")
        .with_description("Share of each state in all memory.")
        .with_callback(source.observe(move |reading, instrument| {
            observe(instrument, reading.utilization(), &shares);
        }))
        .build();
    meter
        .i64_observable_up_down_counter("system.memory.linux.slab.usage")
        .with_unit("By")
        .with_description("Memory in which the kernel keeps objects of its own.")
        .with_callback(source.observe(move |reading, instrument| {
            let bytes = [reading.slab_reclaimable, reading.slab_unreclaimable];
            observe(instrument, bytes.map(|bytes| bytes.map(signed)), &slab);
        }))
        .build();
}

/// An instrument in bytes without attributes.
fn bytes(
    meter: &Meter,
    source: &Source<Reading>,
    name: &'static str,
    description: &'static str,
    value: impl Fn(&Reading) -> Option<u64> + Send + Sync + 'static,
) {
    meter
        .i64_observable_up_down_counter(name)
        .with_unit("By")
        .with_description(description)
        .with_callback(source.observe(move |reading, instrument| {
            observe(instrument, [value(reading).map(signed)], &[[]]);
        }))
        .build();
}

/// Observes the values that there are, each with its attributes.
pub(crate) fn observe<T, const SERIES: usize, const KEYS: usize>(
    instrument: &dyn AsyncInstrument<T>,
    values: [Option<T>; SERIES],
    attributes: &[[KeyValue; KEYS]; SERIES],
) {
    for (value, attributes) in values.into_iter().zip(attributes) {
        if let Some(value) = value {
            instrument.observe(value, attributes);
        }
    }
}

#[cfg(test)]
mod tests;
