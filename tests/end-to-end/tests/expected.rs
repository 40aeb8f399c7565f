//! The default set, written down once more and by hand from the semantic conventions 1.44.0 and the design: what
//! must arrive on this machine, and what may.

use std::fs;
use std::path::Path;

/// What all of our scopes and the resource say.
pub(crate) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// How a metric must arrive.
pub(crate) struct Expected {
    pub(crate) scope: &'static str,
    pub(crate) name: &'static str,
    pub(crate) instrument: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) integer: bool,
    /// Attribute keys, sorted; with `?` those that only some series have.
    pub(crate) keys: &'static [&'static str],
    /// Whether a value of it can be true of a small program and a healthy machine.
    pub(crate) plausible: fn(f64) -> bool,
}

impl Expected {
    /// Whether a series may have these keys.
    pub(crate) fn allows<'a>(&self, mut keys: impl Iterator<Item = &'a str> + Clone) -> bool {
        let required = self.keys.iter().filter(|key| !key.ends_with('?'));
        let present = |key: &&str| keys.clone().any(|given| given == *key);
        required.copied().all(|key| present(&key))
            && keys.all(|given| self.keys.iter().any(|key| key.trim_end_matches('?') == given))
    }
}

/// What must arrive on this machine with the second export at the latest.
pub(crate) fn expected() -> Vec<Expected> {
    let mut expected = Vec::new();
    expected.extend(rows("otel-vitals-runtime", PROCESS));
    expected.extend(rows("otel-vitals-runtime", ALLOCATOR));
    expected.extend(rows("otel-vitals-runtime", PAUSES));
    expected.extend(rows("otel-vitals-host", HOST));
    expected.extend(rows("otel-vitals", OURSELVES));
    if has_disk() {
        expected.extend(rows("otel-vitals-host", DISK));
    }
    if has_filesystem() {
        expected.extend(rows("otel-vitals-host", FILESYSTEM));
    }
    if has_network() {
        expected.extend(rows("otel-vitals-host", NETWORK));
    }
    if Path::new("/proc/self/net/sockstat").exists() {
        expected.extend(rows("otel-vitals-host", SOCKETS));
    }
    if Path::new("/proc/pressure/cpu").exists() {
        expected.extend(rows("otel-vitals-host", PRESSURE));
    }
    if has_throttling() {
        expected.extend(rows("otel-vitals-host", CGROUP));
    }
    if Path::new("/proc/self/schedstat").exists() {
        expected.extend(rows("otel-vitals-runtime", SCHEDULER));
    }
    if has_swap() {
        expected.extend(rows("otel-vitals-host", SWAP));
    }
    if Path::new("/sys/devices/system/cpu/cpu0/topology/core_id").exists() {
        expected.extend(rows("otel-vitals-host", TOPOLOGY));
    }
    expected
}

/// The same of a program in whose runtime vitals were started.
pub(crate) fn expected_in_runtime() -> Vec<Expected> {
    let mut expected = expected();
    expected.extend(rows("otel-vitals-runtime", TOKIO));
    expected
}

/// What may arrive besides.
pub(crate) fn optional() -> Vec<Expected> {
    let host = [CGROUP, DISK, FILESYSTEM, NETWORK, PRESSURE, SWAP, TOPOLOGY];
    let host = host.iter().flat_map(|table| rows("otel-vitals-host", table));
    host.chain(rows("otel-vitals-runtime", PAUSED)).collect()
}

type Row = (&'static str, &'static str, &'static str, &'static [&'static str], fn(f64) -> bool);

/// Rows are name, instrument and value type, unit, attribute keys, plausible values.
fn rows(scope: &'static str, table: &'static [Row]) -> impl Iterator<Item = Expected> {
    table.iter().map(move |&(name, kind, unit, keys, plausible)| {
        let (instrument, value) = kind.split_once(' ').unwrap();
        Expected { scope, name, instrument, unit, integer: value == "int", keys, plausible }
    })
}

const PROCESS: &[Row] = &[
    ("process.cpu.time", "counter double", "s", &["cpu.mode"], |value| (0.0..60.0).contains(&value)),
    ("process.memory.usage", "updowncounter int", "By", &[], |value| (1e6..1e9).contains(&value)),
    ("process.memory.virtual", "updowncounter int", "By", &[], |value| (1e6..1e12).contains(&value)),
    ("process.disk.io", "counter int", "By", &["disk.io.direction"], |value| (0.0..1e9).contains(&value)),
    ("process.thread.count", "updowncounter int", "{thread}", &[], |value| (2.0..20.0).contains(&value)),
    ("process.unix.file_descriptor.count", "updowncounter int", "{file_descriptor}", &[], |value| {
        (3.0..200.0).contains(&value)
    }),
    (
        "process.context_switches",
        "counter int",
        "{context_switch}",
        &["process.context_switch.type"],
        |value| (0.0..1e5).contains(&value),
    ),
    ("process.paging.faults", "counter int", "{fault}", &["system.paging.fault.type"], |value| {
        (0.0..1e6).contains(&value)
    }),
    ("process.uptime", "gauge double", "s", &[], |value| (0.0..600.0).contains(&value)),
];

/// Of a program whose allocator counts.
const ALLOCATOR: &[Row] = &[
    ("rust.memory.allocated", "counter int", "By", &[], |value| (1e4..1e9).contains(&value)),
    ("rust.memory.freed", "counter int", "By", &[], |value| (1e3..1e9).contains(&value)),
    ("rust.memory.allocations", "counter int", "{allocation}", &[], |value| (1e2..1e7).contains(&value)),
    ("rust.memory.deallocations", "counter int", "{deallocation}", &[], |value| (1e2..1e7).contains(&value)),
    ("rust.memory.reallocations", "counter int", "{reallocation}", &[], |value| (1.0..1e6).contains(&value)),
    ("rust.memory.used", "updowncounter int", "By", &[], |value| (1e4..1e9).contains(&value)),
    ("rust.memory.object.count", "updowncounter int", "{object}", &[], |value| (1e2..1e6).contains(&value)),
    (
        "rust.allocator.memory.size",
        "updowncounter int",
        "By",
        &["rust.allocator.memory.state", "rust.allocator.name"],
        |value| (1e4..1e9).contains(&value),
    ),
];

const PAUSES: &[Row] = &[
    (
        "rust.pause.ongoing.duration",
        "gauge double",
        "s",
        &["rust.pause.scope", "tokio.runtime.name?"],
        seconds,
    ),
    ("rust.wakeup.delay", "histogram double", "s", &[], seconds),
];

/// What there is only after something has stood still, or of a runtime.
const PAUSED: &[Row] = &[
    ("rust.pause.duration", "histogram double", "s", &["rust.pause.cause", "rust.pause.scope"], seconds),
    ("tokio.schedule.delay", "histogram double", "s", &["tokio.runtime.name"], seconds),
];

const TOKIO: &[Row] = &[
    ("tokio.worker.count", "updowncounter int", "{worker}", RUNTIME, |value| value == 2.0),
    ("tokio.task.count", "updowncounter int", "{task}", RUNTIME, |value| value == 0.0),
    ("tokio.global_queue.length", "updowncounter int", "{task}", RUNTIME, |value| {
        (0.0..=1.0).contains(&value)
    }),
    ("tokio.worker.busy.time", "counter double", "s", RUNTIME, |value| (0.0..60.0).contains(&value)),
    ("tokio.worker.parks", "counter int", "{park}", RUNTIME, |value| (0.0..1e4).contains(&value)),
];

const RUNTIME: &[&str] = &["tokio.runtime.name"];

const HOST: &[Row] = &[
    ("system.cpu.time", "counter double", "s", &["cpu.mode"], |value| (0.0..1e12).contains(&value)),
    ("system.cpu.logical.count", "updowncounter int", "{cpu}", &[], |value| value == processors()),
    ("system.memory.usage", "updowncounter int", "By", &["system.memory.state"], |value| {
        (0.0..=memory()).contains(&value)
    }),
    ("system.memory.utilization", "gauge double", "1", &["system.memory.state"], share),
    ("system.memory.linux.available", "updowncounter int", "By", &[], |value| {
        (1e6..=memory()).contains(&value)
    }),
    (
        "system.memory.linux.slab.usage",
        "updowncounter int",
        "By",
        &["system.memory.linux.slab.state"],
        |value| (0.0..=memory()).contains(&value),
    ),
    ("system.paging.faults", "counter int", "{fault}", &["system.paging.fault.type"], whole),
    (
        "system.paging.operations",
        "counter int",
        "{operation}",
        &["system.paging.direction", "system.paging.fault.type"],
        whole,
    ),
    ("linux.load.average", "gauge double", "1", &["linux.load.period"], |value| (0.0..1e5).contains(&value)),
    ("system.uptime", "gauge double", "s", &[], |value| value > 1.0),
    ("system.process.created", "counter int", "{process}", &[], |value| value > 1.0),
    ("system.process.count", "updowncounter int", "{process}", &["process.state"], |value| {
        (1.0..1e6).contains(&value)
    }),
    ("system.process.limit", "updowncounter int", "{thread}", &[], |value| value > 100.0),
];

const TOPOLOGY: &[Row] = &[("system.cpu.physical.count", "updowncounter int", "{cpu}", &[], |value| {
    (1.0..=processors()).contains(&value)
})];

const DISK: &[Row] = &[
    ("system.disk.io", "counter int", "By", &["disk.io.direction", "system.device"], whole),
    ("system.disk.operations", "counter int", "{operation}", &["disk.io.direction", "system.device"], whole),
    ("system.disk.operation_time", "counter double", "s", &["disk.io.direction", "system.device"], |value| {
        value >= 0.0
    }),
    ("system.disk.merged", "counter int", "{operation}", &["disk.io.direction", "system.device"], whole),
    ("system.disk.io_time", "counter double", "s", &["system.device"], |value| value >= 0.0),
];

const FILESYSTEM: &[Row] = &[
    ("system.filesystem.usage", "updowncounter int", "By", FILESYSTEM_KEYS, whole),
    ("system.filesystem.utilization", "gauge double", "1", FILESYSTEM_KEYS, share),
];

const FILESYSTEM_KEYS: &[&str] = &[
    "system.device",
    "system.filesystem.mode",
    "system.filesystem.mountpoint",
    "system.filesystem.state",
    "system.filesystem.type",
];

const NETWORK: &[Row] = &[
    ("system.network.io", "counter int", "By", &["network.interface.name", "network.io.direction"], whole),
    (
        "system.network.packet.count",
        "counter int",
        "{packet}",
        &["network.io.direction", "system.device"],
        whole,
    ),
    (
        "system.network.packet.dropped",
        "counter int",
        "{packet}",
        &["network.interface.name", "network.io.direction"],
        whole,
    ),
    (
        "system.network.errors",
        "counter int",
        "{error}",
        &["network.interface.name", "network.io.direction"],
        whole,
    ),
];

/// The kernel's own sums; of one of them it tells the state.
const SOCKETS: &[Row] = &[(
    "system.network.connection.count",
    "updowncounter int",
    "{connection}",
    &["network.connection.state?", "network.transport"],
    whole,
)];

const PRESSURE: &[Row] = &[(
    "linux.pressure.stall.time",
    "counter double",
    "s",
    &["linux.pressure.kind", "linux.pressure.resource", "linux.pressure.scope"],
    |value| (0.0..=uptime()).contains(&value),
)];

const CGROUP: &[Row] = &[
    ("linux.cgroup.cpu.periods", "counter int", "{period}", &[], whole),
    ("linux.cgroup.cpu.throttled.periods", "counter int", "{period}", &[], whole),
    ("linux.cgroup.cpu.throttled.time", "counter double", "s", &[], |value| value >= 0.0),
];

const SCHEDULER: &[Row] =
    &[("linux.scheduler.wait.time", "counter double", "s", &[], |value| (0.0..600.0).contains(&value))];

const SWAP: &[Row] = &[
    ("system.paging.usage", "updowncounter int", "By", &["system.device", "system.paging.state"], whole),
    ("system.paging.utilization", "gauge double", "1", &["system.device", "system.paging.state"], share),
];

/// These tell of earlier collections and exports, and so come with the second.
const OURSELVES: &[Row] = &[
    ("otel_vitals.source.read.duration", "histogram double", "s", &["otel_vitals.source"], seconds),
    ("otel_vitals.source.errors", "counter int", "{error}", &["otel_vitals.source"], |value| value == 0.0),
    (
        "otel.sdk.metric_reader.collection.duration",
        "histogram double",
        "s",
        &["otel.component.name", "otel.component.type"],
        seconds,
    ),
    ("otel.sdk.exporter.operation.duration", "histogram double", "s", EXPORTER_KEYS, seconds),
    ("otel.sdk.exporter.metric_data_point.exported", "counter int", "{data_point}", EXPORTER_KEYS, |value| {
        value >= 40.0
    }),
    // A collection comes before its export: nothing is under way then.
    (
        "otel.sdk.exporter.metric_data_point.inflight",
        "updowncounter int",
        "{data_point}",
        EXPORTER_KEYS,
        |value| value == 0.0,
    ),
];

const EXPORTER_KEYS: &[&str] =
    &["otel.component.name", "otel.component.type", "server.address", "server.port"];

fn seconds(value: f64) -> bool {
    (0.0..60.0).contains(&value)
}

fn whole(value: f64) -> bool {
    value >= 0.0 && value.fract() == 0.0
}

fn share(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

fn processors() -> f64 {
    let lines = fs::read_to_string("/proc/cpuinfo").unwrap();
    lines.lines().filter(|line| line.starts_with("processor")).count() as f64
}

/// All memory of the machine, bytes.
fn memory() -> f64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let kibibytes: f64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes * 1024.0
}

fn has_disk() -> bool {
    let devices = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let names = devices.map(|device| device.file_name().to_string_lossy().into_owned());
    let mut real = names.filter(|name| ["sd", "vd", "nvme", "xvd"].iter().any(|kind| name.starts_with(kind)));
    real.next().is_some()
}

fn has_filesystem() -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| matches!(line.split(' ').nth(2), Some("ext4" | "xfs" | "btrfs")))
}

fn has_network() -> bool {
    let interfaces = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    interfaces.map(|interface| interface.file_name()).any(|name| name != "lo")
}

/// How long the machine has been up, seconds.
fn uptime() -> f64 {
    let text = fs::read_to_string("/proc/uptime").unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

/// Where the subjects' control group is surely one with figures: the CPU controller of version 1 in its usual place.
fn has_throttling() -> bool {
    let stat = fs::read_to_string("/sys/fs/cgroup/cpu/cpu.stat");
    stat.is_ok_and(|text| text.contains("nr_throttled"))
}

fn has_swap() -> bool {
    fs::read_to_string("/proc/swaps").is_ok_and(|text| text.lines().count() > 1)
}
