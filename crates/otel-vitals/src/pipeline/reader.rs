//! The SDK's side of the pipeline: what a `flush` or `shutdown` of the provider reaches, and how to ask the worker.

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline, Temporality};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak, mpsc};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc as requests, watch};

use super::last_export::LastExport;
use super::{deadline, remaining};
use crate::error::Error;

/// More flushes than this waiting at once means that the collector hangs; the next one is told so.
const WAITING_FLUSHES: usize = 64;

const FLUSH: &str = "flush";
const SHUTDOWN: &str = "shutdown";

/// What an export came to: nothing, or the reason why it did not arrive.
pub(super) type Outcome = Result<(), Failure>;

/// Why an export did not arrive.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The exporter, or the receiver, refused.
    Refused(String),
    /// Nobody answered in time.
    TimedOut(Duration),
    /// A shutdown needed the rest of the time.
    Interrupted,
}

/// Asks the worker for something and waits for it, with a bound. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    flush: requests::Sender<mpsc::SyncSender<Outcome>>,
    /// The time by which a shutdown must be over, once one is asked for.
    stop: Arc<watch::Sender<Option<Instant>>>,
    stopped: Arc<Stopped>,
    /// The thread that exports.
    worker: Arc<OnceLock<ThreadId>>,
    last_export: LastExport,
}

/// The worker's end of [`Control`].
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) flush: requests::Receiver<mpsc::SyncSender<Outcome>>,
    pub(super) stop: watch::Receiver<Option<Instant>>,
}

/// What the worker's last export came to, once it has ended.
#[derive(Debug, Default)]
struct Stopped {
    last: Mutex<Option<Outcome>>,
    changed: Condvar,
}

impl Control {
    pub(super) fn new() -> (Self, Requests) {
        let (flush, flush_requests) = requests::channel(WAITING_FLUSHES);
        let (stop, stop_requests) = watch::channel(None);
        let control = Control {
            flush,
            stop: Arc::new(stop),
            stopped: Arc::default(),
            worker: Arc::default(),
            last_export: LastExport::new(),
        };
        (control, Requests { flush: flush_requests, stop: stop_requests })
    }

    /// Collects and exports now; returns when that is done or `limit` is over.
    pub(crate) fn flush(&self, limit: Duration) -> Result<(), Error> {
        if self.worker.get() == Some(&thread::current().id()) {
            let reason = "a callback cannot wait for the collection that it is part of".to_owned();
            return Err(Error::Export { operation: FLUSH, reason });
        }
        let (reply, answer) = mpsc::sync_channel(1);
        match self.flush.try_send(reply) {
            Ok(()) => {}
            Err(requests::error::TrySendError::Full(_)) => {
                return Err(Error::Timeout { operation: FLUSH, limit });
            }
            Err(requests::error::TrySendError::Closed(_)) => return Err(Error::Stopped),
        }
        match answer.recv_timeout(limit) {
            Ok(outcome) => outcome.map_err(|failure| failure.of(FLUSH)),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(Error::Timeout { operation: FLUSH, limit }),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(Error::Stopped),
        }
    }

    /// Collects and exports a last time and ends the thread; returns when that is done or `limit` is over. Later
    /// calls wait for the first and report what it came to.
    pub(crate) fn shutdown(&self, limit: Duration) -> Result<(), Error> {
        let mut deadline = deadline(limit);
        self.stop.send_if_modified(|stop| {
            let first = stop.is_none();
            // Once the first has waited in vain, nobody need wait again: not the drop of the provider, for one, which the
            // SDK does under the lock of the global one.
            deadline = deadline.min(*stop.get_or_insert(deadline));
            first
        });
        match self.stopped.wait(deadline) {
            Some(outcome) => outcome.map_err(|failure| failure.of(SHUTDOWN)),
            None => Err(Error::Timeout { operation: SHUTDOWN, limit }),
        }
    }

    /// What the last export came to.
    pub(crate) fn last_export(&self) -> &LastExport {
        &self.last_export
    }

    /// To be called on the thread that exports.
    pub(super) fn is_worker(&self) {
        self.worker.get_or_init(|| thread::current().id());
    }

    pub(super) fn stopped(&self, last: Outcome) {
        self.stopped.lock().get_or_insert(last);
        self.stopped.changed.notify_all();
    }
}

impl Stopped {
    fn wait(&self, deadline: Instant) -> Option<Outcome> {
        let running = |last: &mut Option<Outcome>| last.is_none();
        let waited = self.changed.wait_timeout_while(self.lock(), remaining(deadline), running);
        let (last, _) = waited.unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Outcome>> {
        // Nothing panics while it holds the lock, and an Option is whole at any time.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failure {
    fn of(self, operation: &'static str) -> Error {
        match self {
            Failure::Refused(reason) => Error::Export { operation, reason },
            Failure::TimedOut(limit) => Error::Timeout { operation, limit },
            Failure::Interrupted => Error::Stopped,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(reason) => formatter.write_str(reason),
            Failure::TimedOut(limit) => write!(formatter, "no answer within {limit:?}"),
            Failure::Interrupted => formatter.write_str("interrupted by a shutdown"),
        }
    }
}

/// The reader that the provider knows: it collects for the worker, and turns the provider's flush and shutdown into
/// requests to it.
#[derive(Clone)]
pub(super) struct Reader {
    inner: Arc<ManualReader>,
    control: Control,
    flush_limit: Duration,
}

impl Reader {
    pub(super) fn new(temporality: Temporality, control: Control, flush_limit: Duration) -> Self {
        let inner = ManualReader::builder().with_temporality(temporality).build();
        Reader { inner: Arc::new(inner), control, flush_limit }
    }

    /// Tells everybody who waits for the end what the last export came to.
    pub(super) fn stopped(&self, last: Outcome) {
        self.control.stopped(last);
    }

    /// Takes the pipeline away from the reader: later collections are errors.
    pub(super) fn close(&self) {
        // It only fails when the lock is poisoned, and then there is nothing left to collect either.
        let _ = self.inner.shutdown();
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("otel_vitals::Reader")
    }
}

impl MetricReader for Reader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.inner.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.inner.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.control.flush(self.flush_limit).map_err(for_sdk)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.control.shutdown(timeout).map_err(for_sdk)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.inner.temporality(kind)
    }
}

fn for_sdk(error: Error) -> OTelSdkError {
    match error {
        Error::Timeout { limit, .. } => OTelSdkError::Timeout(limit),
        Error::Stopped => OTelSdkError::AlreadyShutdown,
        other => OTelSdkError::InternalFailure(other.to_string()),
    }
}
