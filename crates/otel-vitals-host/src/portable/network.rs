//! Network interfaces.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `system.network.io` | `NetworkData::total_received`, `total_transmitted` | `network.interface.name`, `network.io.direction` = receive, transmit |
//! | `system.network.packet.count` | `total_packets_received`, `total_packets_transmitted` | `system.device`, `network.io.direction` |
//! | `system.network.errors` | `total_errors_on_received`, `total_errors_on_transmitted` | `network.interface.name`, `network.io.direction` |
//!
//! By default all interfaces are taken but the loopback.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};
use otel_vitals_core::{ReadError, Source, SourceContext, Table};
use sysinfo::{NetworkData, Networks};

use super::ready;
use crate::NetworkOptions;
use crate::filter::Choice;

#[derive(Debug, Default)]
struct Reading {
    interfaces: Table<Interface>,
}

#[derive(Debug)]
struct Interface {
    /// Whether the options take this interface.
    shown: bool,
    /// With `network.interface.name`; receive, then transmit.
    interface: [[KeyValue; 2]; 2],
    /// With `system.device`.
    device: [[KeyValue; 2]; 2],
    traffic: Option<Traffic>,
}

/// Received, then transmitted, since the interface came up.
#[derive(Clone, Copy, Debug)]
struct Traffic {
    /// Bytes (By).
    bytes: [u64; 2],
    packets: [u64; 2],
    /// Packets that were faulty.
    errors: [u64; 2],
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        self.interfaces.iter_mut().for_each(|interface| interface.traffic = None);
    }
}

fn read(networks: &mut Option<Networks>, choice: &Choice, reading: &mut Reading) -> Result<(), ReadError> {
    let networks = ready(networks, Networks::new, "network interfaces")?;
    networks.refresh(true);
    reading.interfaces.update(|rows| {
        for (name, data) in networks.iter() {
            let name = name.to_string_lossy();
            rows.row(name.as_bytes(), |name| Interface::new(name, choice)).traffic = Some(Traffic::of(data));
        }
    });
    Ok(())
}

impl Interface {
    fn new(name: &str, choice: &Choice) -> Self {
        let sets = |key: &'static str| {
            ["receive", "transmit"].map(|direction| {
                [KeyValue::new(key, name.to_owned()), KeyValue::new("network.io.direction", direction)]
            })
        };
        Interface {
            shown: choice.takes(name, || !is_loopback(name)),
            interface: sets("network.interface.name"),
            device: sets("system.device"),
            traffic: None,
        }
    }
}

/// `lo` on Linux, `lo0` on BSD and macOS, `Loopback Pseudo-Interface 1` on Windows.
fn is_loopback(name: &str) -> bool {
    name.starts_with("Loopback")
        || name.strip_prefix("lo").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Traffic {
    fn of(data: &NetworkData) -> Self {
        Traffic {
            bytes: [data.total_received(), data.total_transmitted()],
            packets: [data.total_packets_received(), data.total_packets_transmitted()],
            errors: [data.total_errors_on_received(), data.total_errors_on_transmitted()],
        }
    }
}

pub(super) fn register(meter: &Meter, context: &SourceContext, options: &NetworkOptions) {
    let (mut networks, choice) = (None, Choice::new(&options.interfaces));
    let source = context.source("system.network", Reading::default(), move |reading: &mut Reading| {
        read(&mut networks, &choice, reading)
    });
    counter(meter, &source, ("system.network.io", "By", "Bytes received and transmitted."), |interface| {
        Some((interface.traffic?.bytes, &interface.interface))
    });
    let packets = ("system.network.packet.count", "{packet}", "Packets received and transmitted.");
    counter(meter, &source, packets, |interface| Some((interface.traffic?.packets, &interface.device)));
    let errors = ("system.network.errors", "{error}", "Packets that were faulty.");
    counter(meter, &source, errors, |interface| Some((interface.traffic?.errors, &interface.interface)));
}

/// Values by direction, and their attributes.
type ByDirection<'a> = Option<([u64; 2], &'a [[KeyValue; 2]; 2])>;

fn counter(
    meter: &Meter,
    source: &Source<Reading>,
    (name, unit, description): (&'static str, &'static str, &'static str),
    values: fn(&Interface) -> ByDirection<'_>,
) {
    meter
        .u64_observable_counter(name)
        .with_unit(unit)
        .with_description(description)
        .with_callback(source.observe(move |reading, instrument: &dyn AsyncInstrument<u64>| {
            for interface in reading.interfaces.iter().filter(|interface| interface.shown) {
                let Some((values, attributes)) = values(interface) else { continue };
                for (value, attributes) in values.into_iter().zip(attributes) {
                    instrument.observe(value, attributes);
                }
            }
        }))
        .build();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_by_its_names() {
        for name in ["lo", "lo0", "Loopback Pseudo-Interface 1"] {
            assert!(is_loopback(name), "{name}");
        }
        for name in ["eth0", "en0", "local", "low0", "Ethernet"] {
            assert!(!is_loopback(name), "{name}");
        }
    }
}
