//! Connections, as the kernel sums them up.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `system.network.connection.count` | `/proc/self/net/sockstat`, `TCP: tw` | `network.transport` = tcp, `network.connection.state` = time_wait |
//! | | `sockstat`, `TCP: inuse` + `sockstat6`, `TCP6: inuse` | `network.transport` = tcp |
//! | | `sockstat`, `UDP: inuse` + `sockstat6`, `UDP6: inuse` | `network.transport` = udp |
//!
//! Of TCP, the series without a state is every socket that listens, connects, is established or is closing; one in
//! `time_wait` is in the other series and in no other, so the two sum up to all of TCP. Telling the remaining states apart
//! needs a walk over every socket, which costs milliseconds on a busy server, so they are absent. A UDP socket is
//! counted while it has a port. `network.interface.name` is absent: a socket belongs to no interface.
//!
//! Sockets are those of this process's network namespace (kernels before 4.1 count `time_wait` over all of them);
//! under a `root_path`, of that machine's process 1.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_core::scan::{self, Faults};
use otel_vitals_core::{KernelFile, Malformed, ReadError, SourceContext, signed};

use crate::roots::Roots;

/// How many sockets there are.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    /// TCP, but not those in time-wait.
    tcp: Option<u64>,
    /// TCP in time-wait.
    time_wait: Option<u64>,
    /// UDP that have a port.
    udp: Option<u64>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        *self = Reading::default();
    }
}

/// `sockstat`: lines such as `TCP: inuse 27 orphan 0 tw 3 alloc 28 mem 4`.
fn read_v4(bytes: &[u8], reading: &mut Reading) -> Result<(), Malformed> {
    let mut faults = Faults::default();
    reading.tcp = faults.keep(value(bytes, b"TCP:", b"inuse", "inuse of TCP"));
    reading.time_wait = faults.keep(value(bytes, b"TCP:", b"tw", "tw of TCP"));
    reading.udp = faults.keep(value(bytes, b"UDP:", b"inuse", "inuse of UDP"));
    faults.result()
}

/// `sockstat6`, added to what is there.
fn read_v6(bytes: &[u8], reading: &mut Reading) -> Result<(), Malformed> {
    let mut faults = Faults::default();
    let tcp = faults.keep(value(bytes, b"TCP6:", b"inuse", "inuse of TCP6"));
    let udp = faults.keep(value(bytes, b"UDP6:", b"inuse", "inuse of UDP6"));
    reading.add_v6(tcp, udp);
    faults.result()
}

impl Reading {
    /// A sum with an unknown part is unknown.
    fn add_v6(&mut self, tcp: Option<u64>, udp: Option<u64>) {
        let sum = |v4: Option<u64>, v6: Option<u64>| Some(v4?.saturating_add(v6?));
        self.tcp = sum(self.tcp, tcp);
        self.udp = sum(self.udp, udp);
    }
}

/// The number after `key` in the line that starts with `label`.
fn value(bytes: &[u8], label: &[u8], key: &[u8], expected: &'static str) -> Result<u64, Malformed> {
    let line = scan::lines(bytes).find_map(|line| line.strip_prefix(label)).unwrap_or_default();
    let mut fields = scan::fields(line);
    fields.find(|field| *field == key);
    scan::next_number(&mut fields, expected)
}

/// The two files; a kernel without IPv6 has only the first.
struct Files {
    v4: KernelFile,
    v6: KernelFile,
    has_v6: bool,
}

impl Files {
    fn read(&mut self, reading: &mut Reading) -> Result<(), ReadError> {
        let v4 = self.v4.parse(|bytes| read_v4(bytes, reading));
        self.has_v6 = self.has_v6 || self.v6.path().exists();
        if !self.has_v6 {
            return v4;
        }
        let mut read = false;
        let v6 = self.v6.parse(|bytes| {
            read = true;
            read_v6(bytes, reading)
        });
        if !read {
            reading.add_v6(None, None);
        }
        v4.and(v6)
    }
}

pub(super) fn register(meter: &Meter, context: &SourceContext, roots: &Roots) {
    let mut files = Files {
        v4: KernelFile::short_records(roots.of_process("net/sockstat")),
        v6: KernelFile::short_records(roots.of_process("net/sockstat6")),
        has_v6: false,
    };
    let source = context.source("system.sockets", Reading::default(), move |reading| files.read(reading));
    let transport = |name: &'static str| KeyValue::new("network.transport", name);
    let time_wait = [transport("tcp"), KeyValue::new("network.connection.state", "time_wait")];
    let (tcp, udp) = ([transport("tcp")], [transport("udp")]);
    meter
        .i64_observable_up_down_counter("system.network.connection.count")
        .with_unit("{connection}")
        .with_description(
            "TCP sockets, with those in time-wait apart and the other states in one series without a state, and \
             UDP sockets that have a port.",
        )
        .with_callback(source.observe(move |reading: &Reading, instrument| {
            for (count, attributes) in
                [(reading.tcp, &tcp[..]), (reading.time_wait, &time_wait), (reading.udp, &udp)]
            {
                if let Some(count) = count {
                    instrument.observe(signed(count), attributes);
                }
            }
        }))
        .build();
}

#[cfg(test)]
mod tests;
