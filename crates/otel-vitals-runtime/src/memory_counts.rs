//! What Rust code has allocated and freed.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `rust.memory.allocated`, `rust.memory.freed` | counting allocator | |
//! | `rust.memory.allocations`, `rust.memory.deallocations`, `rust.memory.reallocations` | the same | |
//! | `rust.memory.used`, `rust.memory.object.count` | what is allocated and not freed of both | |
//! | `rust.memory.size_class.allocations`, `….deallocations` (opt-in) | counting allocator | `rust.memory.size_class` = 8, …, 32768, +Inf |
//!
//! A reallocation frees the old size and allocates the new one, and counts as an allocation and a deallocation besides.
//! Go's first class is of nothing at all, which no Rust program allocates: it is left out.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_alloc::{Counts, SizeClass, counts};
use otel_vitals_core::{ReadError, Source, SourceContext, signed};

use crate::AllocatorOptions;

/// What has been counted since the start of the program.
#[derive(Debug, Default)]
struct Reading {
    /// Bytes allocated (By).
    allocated: Option<u64>,
    /// Bytes freed (By).
    freed: Option<u64>,
    /// Blocks allocated ({allocation}).
    allocations: Option<u64>,
    /// Blocks freed ({deallocation}).
    deallocations: Option<u64>,
    /// Blocks made larger or smaller ({reallocation}).
    reallocations: Option<u64>,
    /// Bytes allocated and not freed (By).
    used: Option<u64>,
    /// Blocks allocated and not freed ({object}).
    objects: Option<u64>,
    /// The blocks by size, smallest first.
    classes: Vec<SizeClass>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        let mut classes = std::mem::take(&mut self.classes);
        classes.clear();
        *self = Reading { classes, ..Reading::default() };
    }
}

fn read(counts: &Counts, reading: &mut Reading) {
    reading.allocated = Some(counts.allocated);
    reading.freed = Some(counts.freed);
    reading.allocations = Some(counts.allocations);
    reading.deallocations = Some(counts.deallocations);
    reading.reallocations = Some(counts.reallocations);
    reading.used = Some(counts.used());
    reading.objects = Some(counts.objects());
    reading.classes.extend(classes(counts));
}

/// Without that of nothing at all.
fn classes(counts: &Counts) -> impl Iterator<Item = SizeClass> {
    counts.size_classes().filter(|class| class.bound != Some(0))
}

/// Declares the instruments; nothing where the global allocator does not count.
pub(crate) fn register(meter: &Meter, context: &SourceContext, options: &AllocatorOptions) {
    let Some(first) = counts() else { return };
    let source = context.source("rust.memory", Reading::default(), |reading: &mut Reading| {
        let counts = counts().ok_or_else(|| ReadError::Unavailable {
            expected: "an allocator that counts",
            found: "none".to_owned(),
        })?;
        read(&counts, reading);
        Ok(())
    });
    totals(meter, &source);
    amounts(meter, &source);
    if options.size_classes && classes(&first).next().is_some() {
        by_size(meter, &source, &first);
    }
}

/// Name, unit, description and value of an instrument without attributes.
type Instrument = (&'static str, &'static str, &'static str, fn(&Reading) -> Option<u64>);

fn totals(meter: &Meter, source: &Source<Reading>) {
    const TOTALS: [Instrument; 5] = [
        ("rust.memory.allocated", "By", "Bytes that Rust code has allocated.", |reading| reading.allocated),
        ("rust.memory.freed", "By", "Bytes that Rust code has freed.", |reading| reading.freed),
        ("rust.memory.allocations", "{allocation}", "Blocks that Rust code has allocated.", |reading| {
            reading.allocations
        }),
        ("rust.memory.deallocations", "{deallocation}", "Blocks that Rust code has freed.", |reading| {
            reading.deallocations
        }),
        (
            "rust.memory.reallocations",
            "{reallocation}",
            "Blocks that Rust code has made larger or smaller.",
            |reading| reading.reallocations,
        ),
    ];
    for (name, unit, description, value) in TOTALS {
        meter
            .u64_observable_counter(name)
            .with_unit(unit)
            .with_description(description)
            .with_callback(source.observe(move |reading, instrument| {
                if let Some(value) = value(reading) {
                    instrument.observe(value, &[]);
                }
            }))
            .build();
    }
}

fn amounts(meter: &Meter, source: &Source<Reading>) {
    const AMOUNTS: [Instrument; 2] = [
        ("rust.memory.used", "By", "Bytes that Rust code has allocated and not freed.", |reading| {
            reading.used
        }),
        (
            "rust.memory.object.count",
            "{object}",
            "Blocks that Rust code has allocated and not freed.",
            |reading| reading.objects,
        ),
    ];
    for (name, unit, description, value) in AMOUNTS {
        meter
            .i64_observable_up_down_counter(name)
            .with_unit(unit)
            .with_description(description)
            .with_callback(source.observe(move |reading, instrument| {
                if let Some(value) = value(reading) {
                    instrument.observe(signed(value), &[]);
                }
            }))
            .build();
    }
}

/// `first` tells which classes there are.
fn by_size(meter: &Meter, source: &Source<Reading>, first: &Counts) {
    type Class = (&'static str, &'static str, &'static str, fn(&SizeClass) -> u64);
    const CLASSES: [Class; 2] = [
        (
            "rust.memory.size_class.allocations",
            "{allocation}",
            "Blocks that Rust code has allocated, by size.",
            |class| class.allocations,
        ),
        (
            "rust.memory.size_class.deallocations",
            "{deallocation}",
            "Blocks that Rust code has freed, by size.",
            |class| class.deallocations,
        ),
    ];
    let attributes: Vec<_> = classes(first).map(|class| [bound(class)]).collect();
    for (name, unit, description, value) in CLASSES {
        let attributes = attributes.clone();
        meter
            .u64_observable_counter(name)
            .with_unit(unit)
            .with_description(description)
            .with_callback(source.observe(move |reading, instrument| {
                for (class, bound) in reading.classes.iter().zip(&attributes) {
                    instrument.observe(value(class), bound);
                }
            }))
            .build();
    }
}

fn bound(class: SizeClass) -> KeyValue {
    let bound = class.bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.to_string());
    KeyValue::new("rust.memory.size_class", bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_what_was_counted_of_it() {
        let mut counts = counts().unwrap();
        (counts.allocated, counts.freed) = (100, 30);
        (counts.allocations, counts.deallocations, counts.reallocations) = (9, 4, 2);
        let mut reading = Reading::default();
        read(&counts, &mut reading);
        assert_eq!((reading.allocated, reading.freed, reading.used), (Some(100), Some(30), Some(70)));
        assert_eq!((reading.allocations, reading.deallocations), (Some(9), Some(4)));
        assert_eq!((reading.reallocations, reading.objects), (Some(2), Some(5)));
    }

    #[cfg(feature = "size-classes")]
    #[test]
    fn classes_go_from_eight_bytes_to_all_that_is_larger() {
        let mut reading = Reading::default();
        read(&counts().unwrap(), &mut reading);
        let bounds: Vec<_> = reading.classes.iter().map(|class| bound(*class).value.to_string()).collect();
        assert_eq!(bounds.len(), 68);
        assert_eq!(bounds.first().unwrap(), "8");
        assert_eq!(&bounds[66..], ["32768", "+Inf"]);
    }
}
