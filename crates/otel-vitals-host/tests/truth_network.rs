//! Interfaces and sockets against independent readings of this machine.
#![cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use otel_vitals_core::SourceContext;
use otel_vitals_host::{Filter, HostOptions};
use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};
use test_harness::{Collection, InMemory, Instrument};

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

fn pipeline(interfaces: Filter) -> InMemory {
    let mut options = HostOptions::default();
    options.network.interfaces = interfaces;
    of_options(options)
}

fn of_options(options: HostOptions) -> InMemory {
    let pipeline = InMemory::new();
    let meter = pipeline.meter("host");
    otel_vitals_host::register(&meter, &SourceContext::new(&meter, Duration::ZERO), &options);
    pipeline
}

/// Metric, key of the interface, direction, and the files of `/sys/class/net/<interface>/statistics` that it sums up.
const COUNTS: [(&str, &str, &str, &[&str]); 8] = [
    ("system.network.io", "network.interface.name", "receive", &["rx_bytes"]),
    ("system.network.io", "network.interface.name", "transmit", &["tx_bytes"]),
    ("system.network.packet.count", "system.device", "receive", &["rx_packets"]),
    ("system.network.packet.count", "system.device", "transmit", &["tx_packets"]),
    (
        "system.network.packet.dropped",
        "network.interface.name",
        "receive",
        &["rx_dropped", "rx_missed_errors"],
    ),
    ("system.network.packet.dropped", "network.interface.name", "transmit", &["tx_dropped"]),
    ("system.network.errors", "network.interface.name", "receive", &["rx_errors"]),
    ("system.network.errors", "network.interface.name", "transmit", &["tx_errors"]),
];

/// The counts of every interface, in the order of [`COUNTS`], as sysfs has them.
fn interfaces() -> BTreeMap<String, Vec<f64>> {
    let entries = fs::read_dir("/sys/class/net").into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let counts = |name: &str| {
        let file = |file: &&str| fs::read_to_string(format!("/sys/class/net/{name}/statistics/{file}")).ok();
        let count = |files: &[&str]| -> Option<f64> {
            files.iter().map(|name| Some(file(name)?.trim().parse::<f64>().unwrap())).sum()
        };
        COUNTS.iter().map(|(_, _, _, files)| count(files)).collect::<Option<Vec<f64>>>()
    };
    names.filter_map(|name| Some((name.clone(), counts(&name)?))).collect()
}

#[test]
fn every_count_of_every_interface_is_what_sysfs_says() {
    let pipeline = pipeline(Filter::new(["*"], [""; 0]));
    let before = interfaces();
    let collection = pipeline.collect();
    let after = interfaces();
    for (interface, before) in &before {
        let Some(after) = after.get(interface) else { continue };
        for (at, (metric, key, direction, _)) in COUNTS.iter().enumerate() {
            let attributes = [(*key, interface.as_str()), ("network.io.direction", *direction)];
            let value = collection.value(metric, &attributes).unwrap();
            let (before, after) = (before[at], after[at]);
            assert!(before <= value && value <= after, "{interface} {metric}: {before} {value} {after}");
        }
    }
}

#[test]
fn by_default_all_interfaces_are_shown_but_the_loopback() {
    let before = interfaces();
    let collection = pipeline(Filter::default()).collect();
    let after = interfaces();
    let points = collection.metric("system.network.io").map(|metric| &metric.points[..]).unwrap_or_default();
    let is_shown = |name: &str| points.iter().any(|point| point.attributes["network.interface.name"] == name);
    assert!(!is_shown("lo"));
    for name in before.keys().filter(|name| *name != "lo" && after.contains_key(*name)) {
        assert!(is_shown(name), "{name}");
    }
}

#[test]
fn bytes_that_are_sent_over_the_loopback_are_counted() {
    const DATAGRAMS: u32 = 64;
    const SIZE: usize = 1000;
    let pipeline = pipeline(Filter::new(["lo"], [""; 0]));
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    let before = pipeline.collect();
    for _ in 0..DATAGRAMS {
        sender.send(&[7; SIZE]).unwrap();
        // One at a time, so that none is dropped for want of room.
        receiver.recv(&mut [0; SIZE]).unwrap();
    }
    let after = pipeline.collect();
    for direction in ["receive", "transmit"] {
        let grown = |metric, key| {
            let value = |collection: &Collection| {
                collection.value(metric, &[(key, "lo"), ("network.io.direction", direction)]).unwrap()
            };
            value(&after) - value(&before)
        };
        let bytes = grown("system.network.io", "network.interface.name");
        // Each has 28 bytes of IPv4 and UDP headers, and may have 14 of Ethernet.
        assert!(bytes >= f64::from(DATAGRAMS) * (SIZE as f64 + 28.0), "{direction}: {bytes}");
        assert!(grown("system.network.packet.count", "system.device") >= f64::from(DATAGRAMS), "{direction}");
    }
    assert_eq!(after.metric("system.network.io").unwrap().points.len(), 2);
}

/// TCP without time-wait, TCP in time-wait, and UDP, as the kernel's own sums have them.
fn sockets() -> [f64; 3] {
    let v4 = fs::read_to_string("/proc/net/sockstat").unwrap();
    let v6 = fs::read_to_string("/proc/net/sockstat6").unwrap_or_default();
    let value = |text: &str, line: &str, key: &str| -> Option<f64> {
        let line = text.lines().find(|found| found.starts_with(line))?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words.iter().position(|word| *word == key)?;
        words[at + 1].parse().ok()
    };
    let v6_value = |line| value(&v6, line, "inuse").unwrap_or_default();
    [
        value(&v4, "TCP:", "inuse").unwrap() + v6_value("TCP6:"),
        value(&v4, "TCP:", "tw").unwrap(),
        value(&v4, "UDP:", "inuse").unwrap() + v6_value("UDP6:"),
    ]
}

fn collected(collection: &Collection) -> [f64; 3] {
    let value = |attributes: &[(&str, &str)]| {
        collection.value("system.network.connection.count", attributes).unwrap()
    };
    [
        value(&[("network.transport", "tcp")]),
        value(&[("network.transport", "tcp"), ("network.connection.state", "time_wait")]),
        value(&[("network.transport", "udp")]),
    ]
}

#[test]
fn connections_are_counted_as_the_kernel_counts_them() {
    const CONNECTIONS: usize = 24;
    let pipeline = pipeline(Filter::default());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let open: Vec<(TcpStream, TcpStream)> = (0..CONNECTIONS)
        .map(|_| (TcpStream::connect(address).unwrap(), listener.accept().unwrap().0))
        .collect();
    let udp: Vec<UdpSocket> =
        (0..CONNECTIONS).map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
    let started = Instant::now();
    loop {
        let before = sockets();
        let seen = collected(&pipeline.collect());
        assert!(seen[0] >= (2 * CONNECTIONS + 1) as f64, "both ends and the listener: {seen:?}");
        assert!(seen[2] >= CONNECTIONS as f64, "{seen:?}");
        let after = sockets();
        // Other programs open and close sockets too, some of them twice between two looks.
        if before == after && seen == before {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{before:?} {seen:?} {after:?}");
    }
    drop((open, udp));
}

#[test]
fn a_recorded_machine_is_told_completely() {
    use Instrument::{Counter, UpDownCounter};
    let mut options = HostOptions::default();
    options.root_path = Some(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/full").into());
    let collection = of_options(options).collect();
    let (interface, device) = ("network.interface.name", "system.device");
    for (name, unit, key, received, transmitted) in [
        ("system.network.io", "By", interface, 9_120_334_122.0, 2_203_341_200.0),
        ("system.network.packet.count", "{packet}", device, 7_122_034.0, 4_402_331.0),
        ("system.network.packet.dropped", "{packet}", interface, 340.0, 1.0),
        ("system.network.errors", "{error}", interface, 12.0, 3.0),
    ] {
        let metric = collection.metric(name).unwrap();
        assert_eq!((&*metric.unit, metric.instrument, metric.integer), (unit, Counter, true), "{name}");
        assert_eq!(metric.points.len(), 4, "{name}");
        let value = |direction| collection.value(name, &[(key, "eth0"), ("network.io.direction", direction)]);
        assert_eq!((value("receive"), value("transmit")), (Some(received), Some(transmitted)), "{name}");
    }
    assert_eq!(collected(&collection), [21.0, 5.0, 9.0]);
    let connections = collection.metric("system.network.connection.count").unwrap();
    assert_eq!(
        (&*connections.unit, connections.instrument, connections.integer),
        ("{connection}", UpDownCounter, true)
    );
}
