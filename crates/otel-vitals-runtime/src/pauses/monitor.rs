//! The pause monitor: its thread, and what the thread shares with everybody else.

use opentelemetry::metrics::Meter;
use otel_vitals_core::SourceContext;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use super::ongoing::{self, Ongoing};
use super::ring::Ring;
use super::ticker::Ticker;
use super::{OngoingPause, PauseScope, Pauses};
use crate::{PauseOptions, Runtimes, moments};

/// The name of the thread.
const THREAD: &str = "vitals-pauses";

/// Watches the process and its runtimes for stalls, on a thread of its own, until it is dropped or [stopped](PauseMonitor::stop).
///
/// ```
/// use otel_vitals_core::SourceContext;
/// use otel_vitals_runtime::{PauseMonitor, PauseOptions, Runtimes};
/// use std::time::Duration;
///
/// let meter = opentelemetry::global::meter_provider().meter_with_scope(otel_vitals_runtime::scope());
/// let context = SourceContext::new(&meter, Duration::from_millis(100));
/// let monitor = PauseMonitor::start(&meter, &context, &Runtimes::default(), &PauseOptions::default())?;
/// println!("{:?}", monitor.map(|monitor| monitor.pauses()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct PauseMonitor {
    shared: Arc<Shared>,
}

/// What the ticker writes and others read.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) ring: Arc<Ring>,
    /// When the ticker is to wake up, and nothing while it is awake.
    due: AtomicU64,
    /// Nanoseconds from which on it is late.
    threshold: u64,
    /// The process that the ticker is in.
    process: u32,
    ongoing: Mutex<Vec<Ongoing>>,
    stop: AtomicBool,
    thread: OnceLock<Thread>,
}

impl PauseMonitor {
    /// Starts to watch, and declares the instruments on `meter`. Runtimes that come to `runtimes` later are watched from then
    /// on, by one monitor at a time: a runtime has one stamp. With [`PauseOptions::enabled`] false, there is no thread, and there are no instruments.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(
        meter: &Meter,
        context: &SourceContext,
        runtimes: &Runtimes,
        options: &PauseOptions,
    ) -> io::Result<Option<Self>> {
        if !options.enabled {
            return Ok(None);
        }
        let (ring, writer) = Ring::new();
        let shared = Arc::new(Shared {
            ring,
            due: AtomicU64::new(0),
            threshold: moments::nanoseconds(options.threshold),
            process: std::process::id(),
            ongoing: Mutex::default(),
            stop: AtomicBool::new(false),
            thread: OnceLock::new(),
        });
        let ticker = Ticker::new(Arc::clone(&shared), writer, runtimes.clone(), meter, options);
        let thread = std::thread::Builder::new().name(THREAD.to_owned()).spawn(move || ticker.run())?;
        let _ = shared.thread.set(thread.thread().clone());
        ongoing::register(meter, context, &shared, runtimes);
        Ok(Some(PauseMonitor { shared }))
    }

    /// What has stood still, and does.
    #[must_use]
    pub fn pauses(&self) -> Pauses {
        Pauses { shared: Some(Arc::clone(&self.shared)) }
    }

    /// Ends the watch, for good. Does not wait for the thread, which ends at once unless the process stands still.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.shared.thread.get() {
            thread.unpark();
        }
    }
}

impl Drop for PauseMonitor {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    /// Nobody watches any more.
    pub(super) fn end(&self) {
        self.stop.store(true, Ordering::Release);
        self.sleeps_until(0);
        self.lock().clear();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// The ticker sleeps until `due`; 0 is that it does not.
    pub(super) fn sleeps_until(&self, due: u64) {
        self.due.store(due, Ordering::Relaxed);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Ongoing>> {
        // The list is whole at any time.
        self.ongoing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when the whole process stands still, by what one can tell who does not.
    pub(super) fn process_since(&self, now: u64) -> Option<u64> {
        let due = self.due.load(Ordering::Relaxed);
        // A child that was forked has no thread that would wake up.
        if self.process != std::process::id() {
            return None;
        }
        (due != 0 && now.saturating_sub(due) >= self.threshold).then_some(due)
    }

    pub(super) fn ongoing(&self) -> Vec<OngoingPause> {
        let now = moments::now();
        let since = |moment: u64| Duration::from_nanos(now.saturating_sub(moment));
        let process = self.process_since(now).map(|due| OngoingPause {
            duration: since(due),
            scope: PauseScope::Process,
            runtime: None,
            worker: None,
        });
        let mut all: Vec<_> = process.into_iter().collect();
        all.extend(self.lock().iter().map(|ongoing| OngoingPause {
            duration: since(ongoing.since),
            scope: PauseScope::Runtime,
            runtime: Some(ongoing.watched.name.to_string()),
            worker: ongoing.worker.map(|worker| worker as usize),
        }));
        all.sort_by_key(|pause| std::cmp::Reverse(pause.duration));
        all
    }
}
