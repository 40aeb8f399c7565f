//! Vitals with health checks, and how to wait for what they say.
#![allow(dead_code, reason = "each test uses what it needs")]

use opentelemetry_sdk::metrics::SdkMeterProvider;
use otel_vitals::health::{CheckReport, Probe, Report, Status};
use otel_vitals::{Config, Vitals};
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything takes that goes on at all.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// So short that a check runs again and again.
pub(crate) const SHORT: Duration = Duration::from_millis(10);

/// So long that a check runs once.
pub(crate) const LONG: Duration = Duration::from_secs(3_600);

/// Vitals that are shut down at the end; a process has one set at a time.
pub(crate) struct Served {
    vitals: Vitals,
    _alone: MutexGuard<'static, ()>,
}

impl Served {
    pub(crate) fn start() -> Self {
        Served::on(SdkMeterProvider::default(), Config::default())
    }

    pub(crate) fn on(provider: SdkMeterProvider, config: Config) -> Self {
        let alone = alone();
        let vitals = Vitals::builder().config(config).meter_provider(provider).start().unwrap();
        Served { vitals, _alone: alone }
    }

    /// What the check called `name` says.
    pub(crate) fn check(&self, probe: Probe, name: &str) -> CheckReport {
        let checks = self.health().report(probe).checks;
        checks.into_iter().find(|check| check.name == name).unwrap()
    }

    /// Waits until the report is as `is`, and returns it.
    pub(crate) fn wait_for(&self, probe: Probe, is: impl Fn(&Report) -> bool) -> Report {
        let mut report = self.health().report(probe);
        let seen = until(|| {
            report = self.health().report(probe);
            is(&report)
        });
        assert!(seen, "{report:?}");
        report
    }

    pub(crate) fn wait_for_status(&self, probe: Probe, status: Status) -> Report {
        self.wait_for(probe, |report| report.status == status)
    }
}

impl Deref for Served {
    type Target = Vitals;

    fn deref(&self) -> &Vitals {
        &self.vitals
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.vitals.shutdown();
    }
}

pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until `condition` holds, or too long.
pub(crate) fn until(mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if started.elapsed() > DEADLINE {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// How many threads of this process are called `name`.
#[cfg(target_os = "linux")]
pub(crate) fn threads(name: &str) -> usize {
    threads_called(name).len()
}

/// The numbers of the threads of this process that are called `name`.
#[cfg(target_os = "linux")]
pub(crate) fn threads_called(name: &str) -> Vec<std::ffi::OsString> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
    let is_called = |comm: std::io::Result<String>| comm.is_ok_and(|comm| comm.trim() == name);
    let called = tasks.filter(|task| is_called(std::fs::read_to_string(task.path().join("comm"))));
    called.map(|task| task.file_name()).collect()
}
