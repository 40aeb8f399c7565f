//! Sources: read once per collection, looked at by many instruments.

use opentelemetry::metrics::{AsyncInstrument, Meter};
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::self_metrics::{SelfMetrics, SourceMetrics};
use crate::{ReadError, quietly};

/// What a source says: a plain struct whose fields are `Option`s or reused collections.
pub trait Reading: Send + 'static {
    /// Forgets every value and keeps the memory. Called before each read, so that what the source no longer
    /// says is absent, never stale.
    fn clear(&mut self);
}

/// What all sources of one pipeline share: how long a reading is fresh, and where their own cost is recorded.
#[derive(Clone, Debug)]
pub struct SourceContext {
    freshness: Duration,
    collection: Collection,
    metrics: SelfMetrics,
}

/// Counts the collections of a pipeline, so that no reading serves two of them. Clones count together.
///
/// Who collects [begins](Collection::begin) each collection; where nobody does, as on a provider that the application
/// brought, the freshness window alone decides.
///
/// Sources are read under the SDK's lock, and a log call runs whatever the application has subscribed to logs: were that
/// to build an instrument, both would wait for ever. So what there is to log is kept until the collection
/// [ends](Collection::end).
#[derive(Clone, Debug, Default)]
pub struct Collection {
    shared: Arc<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    number: AtomicU64,
    closed: AtomicBool,
    journal: Mutex<Vec<Failed>>,
}

/// A failure to be logged.
#[derive(Debug)]
struct Failed {
    source: &'static str,
    error: String,
}

impl Collection {
    /// Makes every reading so far stale.
    pub fn begin(&self) {
        self.shared.number.fetch_add(1, Ordering::Relaxed);
    }

    /// Logs what failed. To be called when the SDK's lock is not held any more.
    pub fn end(&self) {
        let journal = std::mem::take(&mut *self.journal());
        journal.iter().for_each(Failed::log);
    }

    /// Ends the sources: each lets its files go when it is looked at next, and says nothing any more.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::Relaxed);
    }

    /// The number of the collection under way; none once it is over for good.
    fn number(&self) -> Option<u64> {
        (!self.shared.closed.load(Ordering::Relaxed)).then(|| self.shared.number.load(Ordering::Relaxed))
    }

    /// Keeps `failed` until the end of the collection; where nobody ever begins one, it is logged now.
    fn note(&self, failed: Failed) {
        if self.number() == Some(0) {
            failed.log();
        } else {
            self.journal().push(failed);
        }
    }

    fn journal(&self) -> MutexGuard<'_, Vec<Failed>> {
        // Pushing and taking leave a whole list, whatever happens.
        self.shared.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failed {
    fn log(&self) {
        let Failed { source, error } = self;
        // A subscriber of the application's that panics, as one does that prints to a closed pipe, is its own affair.
        quietly(|| {
            tracing::warn!(
                target: "otel_vitals",
                source,
                error,
                "a source could not be read; its values are absent until it can (logged once, \
                 counted in otel_vitals.source.errors)"
            );
        });
    }
}

impl SourceContext {
    /// A context whose sources record `otel_vitals.source.*` on `meter` and read again what is older than
    /// `freshness`.
    ///
    /// The window must be longer than one collection, so that all instruments of a group see the same reading,
    /// and shorter than the interval between two. Zero reads at every look. See also
    /// [`with_collection`](SourceContext::with_collection).
    #[must_use]
    pub fn new(meter: &Meter, freshness: Duration) -> Self {
        SourceContext { freshness, collection: Collection::default(), metrics: SelfMetrics::new(meter) }
    }

    /// The same context, whose sources also read again when `collection` begins.
    #[must_use]
    pub fn with_collection(mut self, collection: Collection) -> Self {
        self.collection = collection;
        self
    }

    /// A source called `name` (the value of `otel_vitals.source`), whose `reading` is filled by `read`.
    ///
    /// `read` may fail with part of the reading filled: what it filled is observed, the rest is absent.
    pub fn source<R: Reading>(
        &self,
        name: &'static str,
        reading: R,
        read: impl FnMut(&mut R) -> Result<(), ReadError> + Send + 'static,
    ) -> Source<R> {
        Source {
            shared: Arc::new(Shared {
                name,
                freshness: self.freshness,
                collection: self.collection.clone(),
                metrics: self.metrics.of(name),
                state: Mutex::new(State { reading, read: Box::new(read), read_at: None, logged: false }),
            }),
        }
    }
}

/// Something that is read once per collection and feeds several instruments. Cheap to clone.
///
/// # Failure
/// A read that fails or panics, and a look that panics, cost the values they would have given: those are absent
/// from that collection. The failure is counted in `otel_vitals.source.errors`, logged once for the life of
/// the source, and the source is read again at the next collection. (In a program built with `panic = "abort"`
/// there is nothing to catch.)
pub struct Source<R> {
    shared: Arc<Shared<R>>,
}

struct Shared<R> {
    name: &'static str,
    freshness: Duration,
    collection: Collection,
    metrics: SourceMetrics,
    state: Mutex<State<R>>,
}

struct State<R> {
    reading: R,
    read: Read<R>,
    /// When, and in which collection.
    read_at: Option<(Instant, u64)>,
    logged: bool,
}

type Read<R> = Box<dyn FnMut(&mut R) -> Result<(), ReadError> + Send>;

impl<R> Clone for Source<R> {
    fn clone(&self) -> Self {
        Source { shared: Arc::clone(&self.shared) }
    }
}

impl<R> fmt::Debug for Source<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Source").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

impl<R: Reading> Source<R> {
    /// The callback of an observable instrument: `look` finds a fresh reading and reports what is in it.
    ///
    /// `look` runs under the SDK's lock: it must neither block nor build instruments.
    pub fn observe<N: 'static>(
        &self,
        look: impl Fn(&R, &dyn AsyncInstrument<N>) + Send + Sync + 'static,
    ) -> impl Fn(&dyn AsyncInstrument<N>) + Send + Sync + 'static {
        let source = self.clone();
        move |instrument| source.look(|reading| look(reading, instrument)).unwrap_or_default()
    }

    /// What `look` makes of a fresh reading; none if it panics, or when the sources are [closed](Collection::close).
    pub fn look<T>(&self, look: impl FnOnce(&R) -> T) -> Option<T> {
        let mut state = self.lock();
        let Some(collection) = self.shared.collection.number() else {
            // What it holds open goes with it.
            state.read = Box::new(|_| Ok(()));
            state.reading.clear();
            return None;
        };
        let now = Instant::now();
        if state.is_stale(self.shared.freshness, now, collection) {
            self.refresh(&mut state, now, collection);
        }
        match catch_unwind(AssertUnwindSafe(|| look(&state.reading))) {
            Ok(seen) => Some(seen),
            Err(panic) => {
                self.failed(&mut state, &format_args!("panicked: {}", message(&*panic)));
                None
            }
        }
    }

    fn refresh(&self, state: &mut State<R>, started: Instant, collection: u64) {
        state.reading.clear();
        let State { reading, read, .. } = state;
        match catch_unwind(AssertUnwindSafe(|| read(reading))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.failed(state, &error),
            Err(panic) => {
                state.reading.clear();
                self.failed(state, &format_args!("panicked: {}", message(&*panic)));
            }
        }
        let ended = Instant::now();
        state.read_at = Some((ended, collection));
        self.shared.metrics.read(ended - started);
    }

    #[cold]
    fn failed(&self, state: &mut State<R>, error: &dyn fmt::Display) {
        self.shared.metrics.failed();
        if !std::mem::replace(&mut state.logged, true) {
            self.shared.collection.note(Failed { source: self.shared.name, error: error.to_string() });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<R>> {
        // Panics are caught inside the lock, so it is never poisoned; were it so, the reading is still whole,
        // because every read starts by clearing it.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R> State<R> {
    fn is_stale(&self, freshness: Duration, now: Instant, collection: u64) -> bool {
        self.read_at.is_none_or(|(at, read_in)| {
            read_in != collection || freshness.is_zero() || now.saturating_duration_since(at) > freshness
        })
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)")
}

#[cfg(test)]
mod tests;
