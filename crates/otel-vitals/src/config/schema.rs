//! Every key that a configuration may have. The file and the environment are both read by this table: a new
//! section is a new table, and a new option a line in one.

mod field;
mod monitor;
mod profiling;

pub(super) use field::{Field, Given, Shape};

use std::time::Duration;

use super::Config;
use super::value::{Numbers, Span};
use field::choose;

/// A key and what may stand behind it.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// Further keys.
    Section(&'static [Key]),
    /// Further keys, or `true` or `false` for all that they turn on.
    Group(&'static [Key]),
    /// A value.
    Field(Field),
    /// A key of a version to come.
    Later,
}

/// Name of the switch that `true` or `false` in place of a group sets.
const ENABLED: &str = "enabled";

/// A key with its path from the top, such as `metrics.host.cpu`.
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) kind: &'static Kind,
}

/// All keys, a section before what is in it.
pub(super) fn entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    collect(ROOT, "", &mut entries);
    entries
}

/// The field at `path`.
pub(super) fn find(path: &str) -> Option<&'static Field> {
    let mut keys = ROOT;
    for name in path.split('.') {
        match &keys.iter().find(|key| key.name == name)?.kind {
            Kind::Section(inside) | Kind::Group(inside) => keys = inside,
            Kind::Field(field) => return Some(field),
            Kind::Later => return None,
        }
    }
    None
}

/// Sets what `true` or `false` in place of the group `keys` stands for: its switch, or else its groups.
pub(super) fn switch_group(keys: &'static [Key], config: &mut Config, on: bool) {
    for key in keys {
        match &key.kind {
            Kind::Field(Field::Switch(at)) if key.name == ENABLED => return *at(config) = on,
            Kind::Group(inside) => switch_group(inside, config, on),
            _ => {}
        }
    }
}

/// The path of the key that `name` in the section at `path` probably means: the one there that looks most like it,
/// unless one elsewhere looks much more like it.
pub(super) fn nearest(path: &str, keys: &'static [Key], name: &str) -> String {
    const MUCH: f64 = 0.3;
    let likeness = |path: &String| strsim::normalized_damerau_levenshtein(name, last(path));
    let best = |paths: &mut dyn Iterator<Item = String>| {
        let alike = paths.map(|path| (likeness(&path), path));
        alike.max_by(|(one, _), (other, _)| one.total_cmp(other)).unwrap_or_default()
    };
    let there = keys.iter().filter(|key| !matches!(key.kind, Kind::Later));
    let (likeness_there, there) = best(&mut there.map(|key| join(path, key.name)));
    let anywhere = entries().into_iter().filter(|entry| !matches!(entry.kind, Kind::Later));
    let (likeness_anywhere, anywhere) = best(&mut anywhere.map(|entry| entry.path));
    if likeness_anywhere > likeness_there + MUCH { anywhere } else { there }
}

/// `name` below `path`.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The place of an item of the list at `path`.
pub(super) fn item(path: &str, index: usize) -> String {
    format!("{path}.{index}")
}

/// Whether `path` is the key `key` or below it.
pub(super) fn is_in(path: &str, key: &str) -> bool {
    path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn collect(keys: &'static [Key], path: &str, entries: &mut Vec<Entry>) {
    for key in keys {
        let path = join(path, key.name);
        entries.push(Entry { path: path.clone(), kind: &key.kind });
        if let Kind::Section(inside) | Kind::Group(inside) = &key.kind {
            collect(inside, &path, entries);
        }
    }
}

const fn section(name: &'static str, keys: &'static [Key]) -> Key {
    Key { name, kind: Kind::Section(keys) }
}

const fn group(name: &'static str, keys: &'static [Key]) -> Key {
    Key { name, kind: Kind::Group(keys) }
}

const fn later(name: &'static str) -> Key {
    Key { name, kind: Kind::Later }
}

const fn field(name: &'static str, field: Field) -> Key {
    Key { name, kind: Kind::Field(field) }
}

const fn switch(name: &'static str, at: fn(&mut Config) -> &mut bool) -> Key {
    field(name, Field::Switch(at))
}

const fn time(name: &'static str, span: Span, at: fn(&mut Config) -> &mut Duration) -> Key {
    field(name, Field::Time(at, span))
}

const fn names(name: &'static str, at: fn(&mut Config) -> &mut Vec<String>) -> Key {
    field(name, Field::Names(at))
}

const fn number(name: &'static str, numbers: Numbers, at: fn(&mut Config) -> &mut u32) -> Key {
    field(name, Field::Number(at, numbers))
}

const fn route(name: &'static str, at: fn(&mut Config) -> &mut String) -> Key {
    field(name, Field::Route(at))
}

const MILLISECOND: Duration = Duration::from_millis(1);
const INTERVAL: Span = Span::new(Duration::from_millis(10), Duration::from_secs(24 * 3600));
const TIMEOUT: Span = Span::new(MILLISECOND, Duration::from_secs(3600));
const FRESHNESS: Span = Span::new(MILLISECOND, Duration::from_secs(10));
const TICK: Span = Span::new(Duration::from_millis(5), Duration::from_secs(10));
const STALL: Span = Span::new(Duration::from_micros(100), Duration::from_secs(3600));
const QUIET: Span = Span::new(MILLISECOND, Duration::from_secs(24 * 3600));
const DEADLINE: Span = Span::new(MILLISECOND, Duration::from_secs(10));

/// The top of the file. A field that two keys set takes the later of them in this order: `service` says more than
/// the attributes of `resource`.
pub(super) static ROOT: &[Key] = &[
    switch("disabled", |config| &mut config.disabled),
    section("resource", &[field("attributes", Field::Attributes)]),
    section("service", SERVICE),
    section("metrics", METRICS),
    section("otlp", OTLP),
    section("monitor", monitor::MONITOR),
    section("profiling", profiling::PROFILING),
];

static SERVICE: &[Key] = &[
    field("name", Field::Text(|config| &mut config.service.name)),
    field("namespace", Field::Text(|config| &mut config.service.namespace)),
    field("version", Field::Text(|config| &mut config.service.version)),
    field("instance_id", Field::Text(|config| &mut config.service.instance_id)),
];

static METRICS: &[Key] = &[
    field("exporters", Field::Exporters),
    time("interval", INTERVAL, |config| &mut config.metrics.interval),
    time("timeout", TIMEOUT, |config| &mut config.metrics.timeout),
    time("freshness", FRESHNESS, |config| &mut config.metrics.freshness),
    group("process", PROCESS),
    group("allocator", ALLOCATOR),
    group("tokio", TOKIO),
    group("pauses", PAUSES),
    switch("health", |config| &mut config.metrics.health),
    group("host", HOST),
];

static PROCESS: &[Key] = &[
    switch(ENABLED, |config| &mut config.metrics.process.enabled),
    switch("cpu_utilization", |config| &mut config.metrics.process.cpu_utilization),
    switch("memory_utilization", |config| &mut config.metrics.process.memory_utilization),
    switch("signals_pending", |config| &mut config.metrics.process.signals_pending),
    switch("disk_operations", |config| &mut config.metrics.process.disk_operations),
    switch("scheduler_wait", |config| &mut config.metrics.process.scheduler_wait),
];

static ALLOCATOR: &[Key] = &[
    switch(ENABLED, |config| &mut config.metrics.allocator.enabled),
    switch("size_classes", |config| &mut config.metrics.allocator.size_classes),
];

static TOKIO: &[Key] = &[
    switch(ENABLED, |config| &mut config.metrics.tokio.enabled),
    switch("per_worker", |config| &mut config.metrics.tokio.per_worker),
];

static PAUSES: &[Key] = &[
    switch(ENABLED, |config| &mut config.metrics.pauses.enabled),
    time("tick", TICK, |config| &mut config.metrics.pauses.tick),
    time("threshold", STALL, |config| &mut config.metrics.pauses.threshold),
    time("runtime_threshold", STALL, |config| &mut config.metrics.pauses.runtime_threshold),
    group(
        "warnings",
        &[
            switch(ENABLED, |config| &mut config.metrics.pauses.warnings.enabled),
            time("threshold", STALL, |config| &mut config.metrics.pauses.warnings.threshold),
            time("interval", QUIET, |config| &mut config.metrics.pauses.warnings.interval),
        ],
    ),
];

static HOST: &[Key] = &[
    field("root_path", Field::Path(|config| &mut config.metrics.host.root_path)),
    group("cpu", CPU),
    group("memory", MEMORY),
    group("paging", &[switch(ENABLED, |config| &mut config.metrics.host.paging.enabled)]),
    group("disk", DISK),
    group("filesystem", FILESYSTEM),
    group("network", NETWORK),
    group("load", &[switch(ENABLED, |config| &mut config.metrics.host.load.enabled)]),
    group("uptime", &[switch(ENABLED, |config| &mut config.metrics.host.uptime.enabled)]),
    group("processes", &[switch(ENABLED, |config| &mut config.metrics.host.processes.enabled)]),
    group("cgroup", &[switch(ENABLED, |config| &mut config.metrics.host.cgroup.enabled)]),
    group("pressure", PRESSURE),
    later("hardware"),
    later("container"),
];

static CPU: &[Key] = &[
    switch(ENABLED, |config| &mut config.metrics.host.cpu.enabled),
    switch("per_core", |config| &mut config.metrics.host.cpu.per_core),
    switch("utilization", |config| &mut config.metrics.host.cpu.utilization),
    switch("frequency", |config| &mut config.metrics.host.cpu.frequency),
];

static MEMORY: &[Key] = &[
    switch(ENABLED, |config| &mut config.metrics.host.memory.enabled),
    switch("limit", |config| &mut config.metrics.host.memory.limit),
    switch("shared", |config| &mut config.metrics.host.memory.shared),
    switch("hugepages", |config| &mut config.metrics.host.memory.hugepages),
];

static DISK: &[Key] = &[
    switch(ENABLED, |config| &mut config.metrics.host.disk.enabled),
    switch("limit", |config| &mut config.metrics.host.disk.limit),
    section(
        "devices",
        &[
            names("include", |config| &mut config.metrics.host.disk.devices.include),
            names("exclude", |config| &mut config.metrics.host.disk.devices.exclude),
        ],
    ),
];

static FILESYSTEM: &[Key] = &[
    switch(ENABLED, |config| &mut config.metrics.host.filesystem.enabled),
    switch("limit", |config| &mut config.metrics.host.filesystem.limit),
    section(
        "types",
        &[
            names("include", |config| &mut config.metrics.host.filesystem.types.include),
            names("exclude", |config| &mut config.metrics.host.filesystem.types.exclude),
        ],
    ),
    section(
        "mountpoints",
        &[
            names("include", |config| &mut config.metrics.host.filesystem.mountpoints.include),
            names("exclude", |config| &mut config.metrics.host.filesystem.mountpoints.exclude),
        ],
    ),
    switch("network", |config| &mut config.metrics.host.filesystem.network),
    time("deadline", DEADLINE, |config| &mut config.metrics.host.filesystem.deadline),
];

static NETWORK: &[Key] = &[
    switch(ENABLED, |config| &mut config.metrics.host.network.enabled),
    section(
        "interfaces",
        &[
            names("include", |config| &mut config.metrics.host.network.interfaces.include),
            names("exclude", |config| &mut config.metrics.host.network.interfaces.exclude),
        ],
    ),
];

static PRESSURE: &[Key] = &[
    switch(ENABLED, |config| &mut config.metrics.host.pressure.enabled),
    switch("cgroup", |config| &mut config.metrics.host.pressure.cgroup),
];

static OTLP: &[Key] = &[
    field("endpoint", Field::Endpoint),
    field("metrics_endpoint", Field::MetricsEndpoint),
    field("protocol", Field::Choice(|config, text| choose(&mut config.otlp.protocol, text))),
    field("headers", Field::Headers),
    time("timeout", TIMEOUT, |config| &mut config.otlp.timeout),
    field("compression", Field::Choice(|config, text| choose(&mut config.otlp.compression, text))),
    field("certificate", Field::Path(|config| &mut config.otlp.certificate)),
    field("client_certificate", Field::Path(|config| &mut config.otlp.client_certificate)),
    field("client_key", Field::Path(|config| &mut config.otlp.client_key)),
    switch("insecure", |config| &mut config.otlp.insecure),
    field("temporality", Field::Choice(|config, text| choose(&mut config.otlp.temporality, text))),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_path_is_found_and_unique() {
        let mut seen = HashSet::new();
        for entry in entries() {
            assert!(seen.insert(entry.path.clone()), "{} twice", entry.path);
            let expected = matches!(entry.kind, Kind::Field(_));
            assert_eq!(find(&entry.path).is_some(), expected, "{}", entry.path);
        }
        assert!(find("metrics.host.cpu.per_core").is_some());
        assert!(find("metrics.nothing").is_none());
    }

    #[test]
    fn every_group_can_be_switched() {
        for entry in entries() {
            let Kind::Group(keys) = entry.kind else { continue };
            let mut config = Config::default();
            switch_group(keys, &mut config, false);
            assert_ne!(config, Config::default(), "{}", entry.path);
            switch_group(keys, &mut config, true);
            assert_eq!(config, Config::default(), "{}", entry.path);
        }
    }

    #[test]
    fn the_nearest_key_is_there_unless_one_elsewhere_is_much_nearer() {
        assert_eq!(nearest("metrics.host.cpu", CPU, "per_cores"), "metrics.host.cpu.per_core");
        assert_eq!(nearest("", ROOT, "endpoint"), "otlp.endpoint");
        assert_eq!(nearest("", ROOT, "exporter"), "metrics.exporters");
        assert_eq!(nearest("", ROOT, "servce"), "service");
        assert_eq!(nearest("metrics.host.load", CPU, "enable"), "metrics.host.load.enabled");
        assert!(!nearest("", ROOT, "zzz").is_empty());
    }
}
