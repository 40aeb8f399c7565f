//! All checks, and what is told of them.

use otel_vitals_core::quietly;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

use super::check::{Call, Check};
use super::entry::{Change, Entry, Next};
use super::instruments::Durations;
use super::report::weight;
use super::{Kind, MAX_CHECKS, Outcome, Probe, RegisterError, Report, Status};

#[derive(Default)]
pub(crate) struct Registry {
    /// In the order in which they came.
    entries: RwLock<Vec<Arc<Entry>>>,
    /// Runs of checks that were removed.
    orphans: AtomicUsize,
    shutting_down: AtomicBool,
    /// A check was registered or a report asked for.
    used: AtomicBool,
    /// True once nothing is to run any more.
    stop: watch::Sender<bool>,
    /// What was known then is what is told from then on.
    stopped_at: OnceLock<Instant>,
    /// There is something new to look at.
    wake: Notify,
    /// Whether the thread is there.
    thread: Mutex<bool>,
    cannot_start: AtomicBool,
    durations: OnceLock<Durations>,
}

impl Registry {
    pub(super) fn add(&self, name: &str, check: Check) -> Result<(), RegisterError> {
        if name.trim().is_empty() {
            return Err(RegisterError::EmptyName);
        }
        {
            let mut entries = self.entries_mut();
            // Under the lock, so that a shutdown finds either the check or nobody who registers.
            if self.is_stopped() {
                return Err(RegisterError::Stopped);
            }
            if entries.iter().any(|entry| entry.name == name) {
                return Err(RegisterError::Duplicate { name: name.to_owned() });
            }
            if entries.len() + self.orphans.load(Ordering::Acquire) >= MAX_CHECKS {
                return Err(RegisterError::TooMany { limit: MAX_CHECKS });
            }
            entries.push(Arc::new(Entry::new(name, check)));
        }
        self.used.store(true, Ordering::Release);
        self.wake.notify_one();
        Ok(())
    }

    pub(super) fn remove(&self, name: &str) -> bool {
        let removed = {
            let mut entries = self.entries_mut();
            let Some(at) = entries.iter().position(|entry| entry.name == name) else { return false };
            let removed = entries.remove(at).remove();
            if removed.1 {
                self.orphans.fetch_add(1, Ordering::AcqRel);
            }
            removed
        };
        // What the application's closure does when it is dropped is not done under the lock.
        drop(removed);
        true
    }

    pub(super) fn report(&self, probe: Probe) -> Report {
        if !self.is_used() {
            self.used.store(true, Ordering::Release);
        }
        let now = self.now();
        let entries = self.entries();
        let checks: Vec<_> = of_kind(&entries, probe.kind()).map(|entry| entry.report(now)).collect();
        let mut reasons = Vec::new();
        if probe == Probe::Ready {
            if self.is_shutting_down() {
                reasons.push((Status::Fail, "shutting down".to_owned()));
            }
            let unstarted = of_kind(&entries, Kind::Startup).map(|entry| entry.report(now));
            reasons.extend(
                unstarted
                    .filter(|check| check.weight() == Status::Fail)
                    .map(|check| (Status::Fail, format!("startup has not passed: {}", check.reason()))),
            );
        }
        reasons.extend(checks.iter().map(|check| (check.weight(), check.reason())));
        let status = reasons.iter().map(|(weight, _)| *weight).max().unwrap_or(Status::Pass);
        reasons.retain(|(weight, _)| status != Status::Pass && *weight == status);
        Report { status, reasons: reasons.into_iter().map(|(_, reason)| reason).collect(), checks }
    }

    /// The status of the report, and nothing else of it.
    pub(super) fn status(&self, probe: Probe) -> Status {
        let now = self.now();
        let entries = self.entries();
        let weight = |entry: &Arc<Entry>| weight(entry.status(now), entry.critical);
        let mut status = of_kind(&entries, probe.kind()).map(weight).max().unwrap_or(Status::Pass);
        if probe == Probe::Ready {
            let is_unstarted = of_kind(&entries, Kind::Startup).any(|entry| weight(entry) == Status::Fail);
            if is_unstarted || self.is_shutting_down() {
                status = Status::Fail;
            }
        }
        status
    }

    /// Each check with its status.
    pub(super) fn for_each(&self, mut look: impl FnMut(&Entry, Status)) {
        let now = self.now();
        self.entries().iter().for_each(|entry| look(entry, entry.status(now)));
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.entries().iter().map(|entry| entry.name.clone()).collect()
    }

    pub(super) fn begin_shutdown(&self) {
        self.shutting_down.store(true, Ordering::Release);
    }

    pub(super) fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(Ordering::Acquire)
    }

    pub(super) fn is_used(&self) -> bool {
        self.used.load(Ordering::Acquire)
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    pub(super) fn stop(&self) {
        {
            let _entries = self.entries_mut();
            let _ = self.stopped_at.set(Instant::now());
            self.stop.send_replace(true);
        }
        // The thread lets go what checks hold, which may take a while; where there is none, nobody else does.
        if !*self.thread() {
            self.release();
        }
    }

    /// Whether the thread is there.
    pub(super) fn thread(&self) -> MutexGuard<'_, bool> {
        // A flag is whole at any time.
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn thread_ended(&self) {
        *self.thread() = false;
        if self.is_stopped() {
            self.release();
        }
    }

    /// Lets go what checks hold, but for those that run.
    fn release(&self) {
        let entries = self.entries().clone();
        for entry in entries {
            // A destructor of the application's that panics costs nobody else.
            quietly(|| drop(entry.retire()));
        }
    }

    /// Told when nothing is to run any more.
    pub(super) fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Waits until there is something new to look at.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Has `start` run what is due. Returns when to look again.
    pub(super) fn run_due(&self, mut start: impl FnMut(Arc<Entry>, Call)) -> Option<Instant> {
        let entries = self.entries().clone();
        let mut next: Option<Instant> = None;
        for entry in entries {
            let at = match entry.next(Instant::now()) {
                Next::Run(call, silent_from) => {
                    start(entry, call);
                    Some(silent_from)
                }
                Next::At(at) => Some(at),
                Next::Nothing => {
                    // It may have become silent.
                    self.log_change(&entry);
                    None
                }
            };
            next = next.into_iter().chain(at).min();
        }
        next
    }

    /// Whether any check runs, those that were removed included.
    pub(super) fn is_running(&self) -> bool {
        self.orphans.load(Ordering::Acquire) > 0 || self.entries().iter().any(|entry| entry.is_running())
    }

    /// A run of `entry` has ended: with an outcome, unless it was cut short, after a time, unless it could not be begun.
    pub(super) fn ended(&self, entry: &Entry, outcome: Option<Outcome>, duration: Option<Duration>) {
        let is_told = outcome.is_some();
        let was_removed = entry.ended(outcome, duration);
        if was_removed {
            self.orphans.fetch_sub(1, Ordering::AcqRel);
        } else if let (true, Some(durations), Some(duration)) = (is_told, self.durations.get(), duration) {
            durations.record(duration, &entry.series);
        }
        // Before the log, which may take its time.
        self.wake.notify_one();
        if is_told && !was_removed {
            self.log_change(entry);
        }
    }

    /// Records how long runs take from now on.
    pub(super) fn measured(&self, durations: Durations) {
        let _ = self.durations.set(durations);
    }

    /// Nothing runs because of `error`, which is logged once.
    pub(super) fn cannot_start(&self, error: &std::io::Error) {
        if !self.cannot_start.swap(true, Ordering::AcqRel) {
            quietly(|| {
                tracing::error!(target: "otel_vitals", %error,
                    "the thread of health checks cannot be started; it is tried again with every report (logged once)");
            });
        }
    }

    /// Each change of what a check says is a line in the log.
    fn log_change(&self, entry: &Entry) {
        let Some(Change { status, output }) = entry.change(self.now()) else { return };
        let (check, kind, output) = (entry.name.as_str(), entry.kind.as_str(), output.unwrap_or_default());
        quietly(|| match status {
            Status::Pass => tracing::info!(target: "otel_vitals", check, kind, "a health check passes again"),
            Status::Warn => {
                tracing::warn!(target: "otel_vitals", check, kind, output, "a health check warns")
            }
            Status::Fail => {
                tracing::warn!(target: "otel_vitals", check, kind, output, "a health check fails")
            }
        });
    }

    fn now(&self) -> Instant {
        self.stopped_at.get().copied().unwrap_or_else(Instant::now)
    }

    fn entries(&self) -> RwLockReadGuard<'_, Vec<Arc<Entry>>> {
        // The list is whole at any time.
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn entries_mut(&self) -> RwLockWriteGuard<'_, Vec<Arc<Entry>>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of_kind(entries: &[Arc<Entry>], kind: Kind) -> impl Iterator<Item = &Arc<Entry>> {
    entries.iter().filter(move |entry| entry.kind == kind)
}
