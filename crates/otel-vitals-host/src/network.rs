//! Network interfaces; connections are in the module below.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `system.network.io` | `/proc/self/net/dev`, bytes | `network.interface.name`, `network.io.direction` = receive, transmit |
//! | `system.network.packet.count` | `/proc/self/net/dev`, packets | `system.device`, `network.io.direction` |
//! | `system.network.packet.dropped` | `/proc/self/net/dev`, drop | `network.interface.name`, `network.io.direction` |
//! | `system.network.errors` | `/proc/self/net/dev`, errs | `network.interface.name`, `network.io.direction` |
//!
//! The conventions call the interface `system.device` in the packet count and `network.interface.name` elsewhere.
//!
//! Interfaces are those of this process's network namespace; under a `root_path`, those of that machine's process 1.
//! By default all are taken but the loopback (`lo`). A bridge, a bond, a VLAN or a container's `veth` counts bytes that
//! the interface below it counts too: a sum over interfaces should leave either out.

mod sockets;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};
use otel_vitals_core::scan::{self, Faults};
use otel_vitals_core::{KernelFile, Malformed, SourceContext, Table};

use crate::NetworkOptions;
use crate::filter::Choice;
use crate::roots::Roots;

/// What `/proc/net/dev` says of each interface.
#[derive(Debug, Default)]
struct Reading {
    interfaces: Table<Interface>,
}

#[derive(Debug)]
struct Interface {
    /// None when the options leave this interface out.
    shown: Option<Box<Shown>>,
    /// Received, then transmitted.
    directions: [Traffic; 2],
}

/// Attribute sets, made once; received, then transmitted.
#[derive(Debug)]
struct Shown {
    /// With `network.interface.name`.
    interface: [[KeyValue; 2]; 2],
    /// With `system.device`.
    device: [[KeyValue; 2]; 2],
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Traffic {
    /// Bytes (By).
    bytes: Option<u64>,
    packets: Option<u64>,
    /// Packets that were faulty.
    errors: Option<u64>,
    /// Packets that were dropped without a fault.
    dropped: Option<u64>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        for interface in self.interfaces.iter_mut() {
            interface.directions = Default::default();
        }
    }
}

fn read(bytes: &[u8], reading: &mut Reading, choice: &Choice) -> Result<(), Malformed> {
    let mut faults = Faults::default();
    let mut lines = scan::lines(bytes);
    lines.next();
    let columns = faults.keep(received_columns(lines.next().unwrap_or_default()));
    reading.interfaces.update(|rows| {
        for line in lines {
            let Some((name, numbers)) = faults.keep(name(line)) else { continue };
            let interface = rows.row(name, |name| Interface::new(name, choice));
            if let (Some(_), Some(columns)) = (&interface.shown, columns) {
                let mut fields = scan::fields(numbers);
                let received = Traffic::read(&mut fields, &mut faults);
                let transmitted = Traffic::read(&mut fields.skip(columns - Traffic::COLUMNS), &mut faults);
                interface.directions = [received, transmitted];
            }
        }
    });
    faults.result()
}

/// The second head line, as every kernel since 2.2 writes it.
const HEAD: &[u8] = b" face |bytes    packets errs drop fifo frame compressed multicast|\
    bytes    packets errs drop fifo colls carrier compressed";

/// How many columns are about receiving, by the second head line.
fn received_columns(head: &[u8]) -> Result<usize, Malformed> {
    const EXPECTED: &str = "a head line with bytes, packets, errs and drop of either direction";
    if head == HEAD {
        return Ok(8);
    }
    let mut parts = head.split(|byte| *byte == b'|').skip(1);
    let mut columns = || {
        let part = parts.next().unwrap_or_default();
        let known = scan::fields(part).zip([&b"bytes"[..], b"packets", b"errs", b"drop"]);
        let known = known.filter(|(found, expected)| found == expected).count();
        (known == Traffic::COLUMNS).then(|| scan::fields(part).count())
    };
    let (received, transmitted) = (columns(), columns());
    received.filter(|_| transmitted.is_some()).ok_or_else(|| Malformed::new(EXPECTED, head))
}

/// The name and the numbers, which the last colon divides: the kernel puts no blank after it when the first number
/// is wide, and old kernels have names with a colon in them.
fn name(line: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let colon = line.iter().rposition(|byte| *byte == b':');
    let divided = colon.and_then(|at| Some((scan::trim(line.get(..at)?), line.get(at + 1..)?)));
    divided
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| Malformed::new("the name of an interface, a colon and numbers", line))
}

impl Interface {
    fn new(name: &str, choice: &Choice) -> Self {
        let shown = choice.takes(name, || name != "lo").then(|| {
            let sets = |key: &'static str| {
                ["receive", "transmit"].map(|direction| {
                    [KeyValue::new(key, name.to_owned()), KeyValue::new("network.io.direction", direction)]
                })
            };
            Box::new(Shown { interface: sets("network.interface.name"), device: sets("system.device") })
        });
        Interface { shown, directions: Default::default() }
    }
}

impl Traffic {
    /// The columns that are read; they come first in either direction.
    const COLUMNS: usize = 4;

    fn read<'a>(fields: &mut impl Iterator<Item = &'a [u8]>, faults: &mut Faults) -> Self {
        let mut next = |expected| faults.keep(scan::next_number(fields, expected));
        Traffic {
            bytes: next("a count of bytes"),
            packets: next("a count of packets"),
            errors: next("a count of errors"),
            dropped: next("a count of dropped packets"),
        }
    }
}

impl Reading {
    /// Observes a value of either direction of every interface that is shown.
    fn by_direction(
        &self,
        instrument: &dyn AsyncInstrument<u64>,
        attributes: impl Fn(&Shown) -> &[[KeyValue; 2]; 2],
        value: impl Fn(&Traffic) -> Option<u64>,
    ) {
        for interface in self.interfaces.iter() {
            let Some(shown) = &interface.shown else { continue };
            for (traffic, attributes) in interface.directions.iter().zip(attributes(shown)) {
                if let Some(value) = value(traffic) {
                    instrument.observe(value, attributes);
                }
            }
        }
    }
}

pub(crate) fn register(meter: &Meter, context: &SourceContext, roots: &Roots, options: &NetworkOptions) {
    let mut file = KernelFile::short_records(roots.of_process("net/dev"));
    let choice = Choice::new(&options.interfaces);
    let source = context.source("system.network", Reading::default(), move |reading: &mut Reading| {
        file.parse(|bytes| read(bytes, reading, &choice))
    });
    meter
        .u64_observable_counter("system.network.io")
        .with_unit("By")
        .with_description("Bytes received and transmitted.")
        .with_callback(source.observe(|reading, instrument| {
            reading.by_direction(instrument, |shown| &shown.interface, |traffic| traffic.bytes);
        }))
        .build();
    meter
        .u64_observable_counter("system.network.packet.count")
        .with_unit("{packet}")
        .with_description("Packets received and transmitted.")
        .with_callback(source.observe(|reading, instrument| {
            reading.by_direction(instrument, |shown| &shown.device, |traffic| traffic.packets);
        }))
        .build();
    meter
        .u64_observable_counter("system.network.packet.dropped")
        .with_unit("{packet}")
        .with_description("Packets that were dropped although there was no error.")
        .with_callback(source.observe(|reading, instrument| {
            reading.by_direction(instrument, |shown| &shown.interface, |traffic| traffic.dropped);
        }))
        .build();
    meter
        .u64_observable_counter("system.network.errors")
        .with_unit("{error}")
        .with_description("Errors in receiving and transmitting.")
        .with_callback(source.observe(|reading, instrument| {
            reading.by_direction(instrument, |shown| &shown.interface, |traffic| traffic.errors);
        }))
        .build();
    sockets::register(meter, context, roots);
}

#[cfg(test)]
mod tests;
