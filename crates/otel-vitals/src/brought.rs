//! A provider that the application brought: measured on, flushed, and otherwise left alone.

use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use otel_vitals_core::Collection;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use crate::error::Error;

const OPERATION: &str = "flush";

/// The application's provider, and what we do there.
pub(crate) struct Brought {
    provider: SdkMeterProvider,
    collection: Collection,
    gate: Arc<Gate>,
}

/// Lets one flush through at a time: the SDK's waits without limit, and those that hang must not pile up.
#[derive(Default)]
struct Gate {
    is_taken: Mutex<bool>,
    left: Condvar,
}

impl Brought {
    pub(crate) fn new(provider: SdkMeterProvider, collection: Collection) -> Self {
        Brought { provider, collection, gate: Arc::default() }
    }

    /// Flushes the provider, after a flush that is under way, and returns after `limit` at the latest.
    pub(crate) fn flush(&self, limit: Duration) -> Result<(), Error> {
        let timed_out = || Error::Timeout { operation: OPERATION, limit };
        if !self.gate.enter(limit) {
            return Err(timed_out());
        }
        let (reply, answer) = mpsc::sync_channel(1);
        let (provider, gate) = (self.provider.clone(), Arc::clone(&self.gate));
        let flush = move || {
            let outcome = provider.force_flush();
            gate.leave();
            // Who asked may have stopped waiting.
            let _ = reply.send(outcome);
        };
        if let Err(source) = std::thread::Builder::new().name("otel-vitals-flush".to_owned()).spawn(flush) {
            self.gate.leave();
            return Err(Error::Start { what: "a thread to flush on", source });
        }
        match answer.recv_timeout(limit) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(OTelSdkError::AlreadyShutdown)) => Err(Error::Stopped),
            Ok(Err(error)) => Err(Error::Export { operation: OPERATION, reason: error.to_string() }),
            Err(_) => Err(timed_out()),
        }
    }

    /// Measures no more. The SDK keeps callbacks as long as the provider lives; ours let go what they hold.
    pub(crate) fn close(&self) {
        self.collection.close();
    }
}

impl Gate {
    /// Whether the caller is let through within `limit`.
    fn enter(&self, limit: Duration) -> bool {
        let waited = self.left.wait_timeout_while(self.lock(), limit, |is_taken| *is_taken);
        let (mut is_taken, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !std::mem::replace(&mut *is_taken, true)
    }

    fn leave(&self) {
        *self.lock() = false;
        self.left.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        // A flag is whole at any time.
        self.is_taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader};
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LONG: Duration = Duration::from_secs(30);

    fn provider() -> SdkMeterProvider {
        let reader =
            PeriodicReader::builder(InMemoryMetricExporter::default()).with_interval(LONG * 100).build();
        SdkMeterProvider::builder().with_reader(reader).build()
    }

    #[test]
    fn flushes_wait_for_each_other() {
        let provider = provider();
        let flushes = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&flushes);
        let count = move |_: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
            counted.fetch_add(1, Ordering::SeqCst);
        };
        provider.meter("test").u64_observable_gauge("a").with_callback(count).build();
        let brought = Brought::new(provider, Collection::default());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| brought.flush(LONG).unwrap());
            }
        });
        assert_eq!(flushes.load(Ordering::SeqCst), 8);
    }

    #[test]
    fn one_that_hangs_costs_the_others_their_bound_and_no_thread() {
        let provider = provider();
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let hang = move |_: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
            let _ = released.lock().unwrap().recv();
        };
        provider.meter("test").u64_observable_gauge("a").with_callback(hang).build();
        let brought = Brought::new(provider, Collection::default());
        for _ in 0..3 {
            let error = brought.flush(Duration::from_millis(50)).unwrap_err();
            assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
        }
        drop(release);
        brought.flush(LONG).unwrap();
    }
}
