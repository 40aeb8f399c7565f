//! The keys of `monitor`, spelled as users of gin's bar-counter/monitor have them.

use std::time::Duration;

use super::field::Field;
use super::{Key, field, number, route, section, switch, time};
use crate::config::value::{Numbers, Span};

const RETRIES: Numbers = Numbers::new(0, 1000);
const DRAIN: Span = Span::new(Duration::ZERO, Duration::from_secs(600));
/// What is in use of something that has an end.
const SHARE: Numbers = Numbers::percentages(1, 100);
/// More can be runnable than there are cores.
const LOAD: Numbers = Numbers::percentages(1, 100_000);

pub(super) static MONITOR: &[Key] = &[
    field("prefix", Field::Prefix(|config| &mut config.monitor.prefix)),
    switch("status", |config| &mut config.monitor.status),
    route("health", |config| &mut config.monitor.health),
    route("live", |config| &mut config.monitor.live),
    route("ready", |config| &mut config.monitor.ready),
    route("startup", |config| &mut config.monitor.startup),
    number("retryCount", RETRIES, |config| &mut config.monitor.retry_count),
    field("self_check", Field::SelfCheck(|config| &mut config.monitor.self_check)),
    time("drain", DRAIN, |config| &mut config.monitor.drain),
    switch("hardware", |config| &mut config.monitor.hardware),
    section("status_hardware", HARDWARE),
    field("disks", Field::Folders(|config| &mut config.monitor.disks)),
    section("thresholds", THRESHOLDS),
    switch("legacy_status_codes", |config| &mut config.monitor.legacy_status_codes),
    switch("debug", |config| &mut config.monitor.debug),
    route("debug_vars", |config| &mut config.monitor.debug_vars),
    switch("cmdline", |config| &mut config.monitor.cmdline),
    switch("pprof", |config| &mut config.monitor.pprof),
    route("debug_pprof", |config| &mut config.monitor.debug_pprof),
    switch("security", |config| &mut config.monitor.security),
    field("securityUser", Field::Users(|config| &mut config.monitor.security_user)),
    field("securityToken", Field::Tokens(|config| &mut config.monitor.security_token)),
    section("admin", &[field("address", Field::Address(|config| &mut config.monitor.admin.address))]),
];

static HARDWARE: &[Key] = &[
    route("disk", |config| &mut config.monitor.status_hardware.disk),
    route("ram", |config| &mut config.monitor.status_hardware.ram),
    route("cpu", |config| &mut config.monitor.status_hardware.cpu),
    route("cpu_info", |config| &mut config.monitor.status_hardware.cpu_info),
];

static THRESHOLDS: &[Key] = &[
    section(
        "disk",
        &[
            number("warning", SHARE, |config| &mut config.monitor.thresholds.disk.warning),
            number("critical", SHARE, |config| &mut config.monitor.thresholds.disk.critical),
        ],
    ),
    section(
        "ram",
        &[
            number("warning", SHARE, |config| &mut config.monitor.thresholds.ram.warning),
            number("critical", SHARE, |config| &mut config.monitor.thresholds.ram.critical),
        ],
    ),
    section(
        "load",
        &[
            number("warning", LOAD, |config| &mut config.monitor.thresholds.load.warning),
            number("critical", LOAD, |config| &mut config.monitor.thresholds.load.critical),
        ],
    ),
    section(
        "throttled",
        &[
            number("warning", SHARE, |config| &mut config.monitor.thresholds.throttled.warning),
            number("critical", SHARE, |config| &mut config.monitor.thresholds.throttled.critical),
        ],
    ),
];
