//! What is told over HTTP, to whom, and from which thresholds on something is wrong.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

pub use super::secrets::{Tokens, Users};

/// The routes that `otel-vitals-actix` mounts, what they need and who may ask them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MonitorConfig {
    /// What comes before every route; empty or a path such as `/internal`.
    pub prefix: String,
    /// The heartbeat and the three probes.
    pub status: bool,
    /// Route of the heartbeat.
    pub health: String,
    /// Route of the liveness probe.
    pub live: String,
    /// Route of the readiness probe.
    pub ready: String,
    /// Route of the startup probe.
    pub startup: String,
    /// How often the own heartbeat is asked at the start until it answers, a second apart; 0 is not at all.
    pub retry_count: u32,
    /// The URL of the own heartbeat, where it is another than the address that the server listens on and its route:
    /// under a scope, or behind TLS that something else ends.
    pub self_check: Option<String>,
    /// How long readiness fails before a server that `otel_vitals_actix::serve` runs stops to take requests.
    pub drain: Duration,
    /// The routes of `status_hardware`.
    pub hardware: bool,
    /// Where each of them is.
    pub status_hardware: HardwareRoutes,
    /// Paths on the file systems that are watched for space. The first is the one of the fields that gin users know.
    pub disks: Vec<String>,
    /// From when on something is wrong.
    pub thresholds: Thresholds,
    /// The status codes of bar-counter/monitor: 429 and 500 where ours are 200 and 503.
    pub legacy_status_codes: bool,
    /// The route of published variables.
    pub debug: bool,
    /// Where that is.
    pub debug_vars: String,
    /// Whether `cmdline` has the arguments, which may hold secrets, too.
    pub cmdline: bool,
    /// The routes of profiles.
    pub pprof: bool,
    /// What they are below.
    pub debug_pprof: String,
    /// Whether all but the heartbeat and the three probes ask who is there.
    pub security: bool,
    /// Users and their passwords.
    pub security_user: Users,
    /// Bearer tokens.
    pub security_token: Tokens,
    /// The stand-alone server.
    pub admin: AdminConfig,
}

/// Where the hardware is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HardwareRoutes {
    /// Space of the file systems.
    pub disk: String,
    /// Memory.
    pub ram: String,
    /// Load, as a line of text.
    pub cpu: String,
    /// Load and what the processor does, as JSON.
    pub cpu_info: String,
}

/// From when on something is wrong, in percent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Thresholds {
    /// Used space of a file system.
    pub disk: Threshold,
    /// Used memory: of the container's limit inside of one, else of the machine.
    pub ram: Threshold,
    /// Load average of five minutes in percent of the cores: 100 is one runnable task for each core.
    pub load: Threshold,
    /// Periods in which a container used up its CPU quota, in percent of its periods.
    pub throttled: Threshold,
}

/// Two percentages, the first not above the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Threshold {
    /// From here on it is a warning (percent).
    pub warning: u32,
    /// From here on it is critical (percent).
    pub critical: u32,
}

/// The stand-alone server of the same routes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdminConfig {
    /// What it listens on; port 0 is one that is free.
    pub address: SocketAddr,
}

impl Threshold {
    /// Two percentages.
    #[must_use]
    pub const fn new(warning: u32, critical: u32) -> Self {
        Threshold { warning, critical }
    }
}

impl Default for MonitorConfig {
    fn default() -> Self {
        MonitorConfig {
            prefix: String::new(),
            status: true,
            health: "/status/health".to_owned(),
            live: "/status/live".to_owned(),
            ready: "/status/ready".to_owned(),
            startup: "/status/startup".to_owned(),
            retry_count: 10,
            self_check: None,
            drain: Duration::ZERO,
            hardware: true,
            status_hardware: HardwareRoutes::default(),
            disks: vec!["/".to_owned()],
            thresholds: Thresholds::default(),
            legacy_status_codes: false,
            debug: false,
            debug_vars: "/debug/vars".to_owned(),
            cmdline: false,
            pprof: false,
            debug_pprof: "/debug/pprof".to_owned(),
            security: false,
            security_user: Users::default(),
            security_token: Tokens::default(),
            admin: AdminConfig::default(),
        }
    }
}

impl Default for HardwareRoutes {
    fn default() -> Self {
        HardwareRoutes {
            disk: "/status/hardware/disk".to_owned(),
            ram: "/status/hardware/ram".to_owned(),
            cpu: "/status/hardware/cpu".to_owned(),
            cpu_info: "/status/hardware/cpu_info".to_owned(),
        }
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds {
            disk: Threshold::new(80, 90),
            ram: Threshold::new(80, 95),
            load: Threshold::new(100, 200),
            throttled: Threshold::new(50, 90),
        }
    }
}

impl Default for AdminConfig {
    fn default() -> Self {
        AdminConfig { address: SocketAddr::from((Ipv4Addr::LOCALHOST, 38001)) }
    }
}
