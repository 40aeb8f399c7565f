//! The variables that are always there.

use otel_vitals_runtime::{Pauses, Runtimes};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{Value, json};
use crate::config::Config;
use crate::memstats;

/// Their names, which no other variable can have.
pub(super) const NAMES: [&str; 9] = [
    "build",
    "cmdline",
    "last_pause",
    "memstats",
    "os",
    "os_cores",
    "rust_version",
    "tasks",
    "uptime_seconds",
];

/// What they are made of.
#[derive(Clone)]
pub(crate) struct Standard {
    fixed: Arc<BTreeMap<String, String>>,
    runtimes: Runtimes,
    pauses: Pauses,
    started: Instant,
    /// How old the process was then.
    age: Duration,
}

impl Standard {
    pub(crate) fn new(config: &Config, runtimes: Runtimes, pauses: Pauses) -> Self {
        let age = otel_vitals_runtime::creation_time().and_then(|created| created.elapsed().ok());
        let fixed = [
            ("build", build(config)),
            ("cmdline", Value::from(cmdline(config.monitor.cmdline))),
            ("os", Value::from(os())),
            ("os_cores", Value::from(std::thread::available_parallelism().ok().map(usize::from))),
            ("rust_version", Value::from(option_env!("OTEL_VITALS_RUSTC_VERSION"))),
        ];
        let fixed = fixed.into_iter().map(|(name, value)| (name.to_owned(), json::written(&value)));
        Standard {
            fixed: Arc::new(fixed.collect()),
            runtimes,
            pauses,
            started: Instant::now(),
            age: age.unwrap_or_default(),
        }
    }

    /// All of them as JSON, by name.
    pub(super) fn values(&self) -> BTreeMap<String, String> {
        let stats = memstats::read(&self.pauses);
        let uptime = self.age + self.started.elapsed();
        let mut values = (*self.fixed).clone();
        values.extend([
            ("last_pause".to_owned(), json::written(&self.last_pause())),
            ("memstats".to_owned(), stats.to_json()),
            ("tasks".to_owned(), json::written(&Value::from(self.runtimes.alive_tasks()))),
            ("uptime_seconds".to_owned(), json::written(&Value::from(milliseconds(uptime)))),
        ]);
        values
    }

    fn last_pause(&self) -> Value {
        let last = self.pauses.last().pop();
        last.map_or(Value::Null, |pause| {
            let fields = [
                ("cause", Value::from(pause.cause.as_str())),
                ("duration_seconds", Value::from(pause.duration)),
                ("ended_at", Value::from(unix(pause.ended_at))),
                ("runtime", Value::from(pause.runtime)),
                ("scope", Value::from(pause.scope.as_str())),
            ];
            Value::from(BTreeMap::from(fields))
        })
    }
}

/// What was built: the service, this crate, and for what.
fn build(config: &Config) -> Value {
    let fields = [
        ("debug_assertions", Value::from(cfg!(debug_assertions))),
        ("otel_vitals", Value::from(env!("CARGO_PKG_VERSION"))),
        ("service_name", Value::from(config.service.name.clone())),
        ("service_version", Value::from(config.service.version.clone())),
        ("target", Value::from(format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS))),
    ];
    Value::from(BTreeMap::from(fields))
}

/// The program, and what it was started with if that is asked for: arguments can hold secrets.
fn cmdline(arguments: bool) -> Vec<String> {
    let most = if arguments { usize::MAX } else { 1 };
    std::env::args_os().take(most).map(|argument| argument.to_string_lossy().into_owned()).collect()
}

/// The system as Go calls it.
fn os() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    }
}

fn unix(time: SystemTime) -> Option<f64> {
    time.duration_since(UNIX_EPOCH).ok().map(milliseconds)
}

/// Seconds, cut to whole milliseconds: finer than that is noise.
fn milliseconds(time: Duration) -> f64 {
    time.as_millis() as f64 / 1e3
}
