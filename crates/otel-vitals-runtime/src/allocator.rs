//! What the global allocator holds.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `rust.allocator.memory.size` | what the allocator behind the counting one tells of itself | `rust.allocator.name`; `rust.allocator.memory.state` = allocated, fragmented, metadata, cached, retained |
//!
//! The states are disjoint. What an allocator does not tell is absent: the system's tells only what is allocated.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_alloc::{Allocator, Memory, Untold, allocator, counts};
use otel_vitals_core::{ReadError, SourceContext, signed};

const STATES: [&str; 5] = ["allocated", "fragmented", "metadata", "cached", "retained"];

/// What the allocator tells of itself.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    /// Memory in each of [`STATES`] (By).
    size: [Option<u64>; STATES.len()],
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        *self = Reading::default();
    }
}

fn read(memory: &Memory, reading: &mut Reading) {
    reading.size = [memory.allocated, memory.fragmented, memory.metadata, memory.cached, memory.retained];
}

/// Declares the instrument; nothing where the global allocator does not count.
pub(crate) fn register(meter: &Meter, context: &SourceContext) {
    let Some(allocator) = allocator() else { return };
    // A snapshot before the first collection shows what the allocator has gathered now. A failure shows there, too.
    let _ = ask(allocator);
    let source = context.source("rust.allocator", Reading::default(), move |reading: &mut Reading| {
        read(&ask(allocator)?, reading);
        Ok(())
    });
    let attributes = STATES.map(|state| {
        [
            KeyValue::new("rust.allocator.name", allocator.name()),
            KeyValue::new("rust.allocator.memory.state", state),
        ]
    });
    meter
        .i64_observable_up_down_counter("rust.allocator.memory.size")
        .with_unit("By")
        .with_description("Memory that the global allocator holds, by state.")
        .with_callback(source.observe(move |reading, instrument| {
            for (size, state) in reading.size.iter().zip(&attributes) {
                if let Some(size) = size {
                    instrument.observe(signed(*size), state);
                }
            }
        }))
        .build();
}

fn ask(allocator: Allocator) -> Result<Memory, ReadError> {
    let used = counts().map_or(0, |counts| counts.used());
    allocator.memory(used).map_err(|untold: Untold| ReadError::Unavailable {
        expected: untold.expected(),
        found: untold.found().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_what_the_allocator_says_of_it() {
        let mut memory = Memory::default();
        memory.allocated = Some(1);
        memory.metadata = Some(3);
        memory.retained = Some(5);
        memory.in_use = Some(99);
        let mut reading = Reading::default();
        read(&memory, &mut reading);
        assert_eq!(reading.size, [Some(1), None, Some(3), None, Some(5)]);
    }
}
