//! The handle that the one call returns.

mod inner;
mod running;

use opentelemetry_sdk::metrics::SdkMeterProvider;
#[cfg(feature = "profiling")]
use otel_vitals_runtime::Runtimes;
use otel_vitals_runtime::{MemStats, PauseMonitor, Pauses};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

use crate::builder::VitalsBuilder;
use crate::config::Config;
use crate::error::Error;
use crate::hardware::Hardware;
use crate::health::{Check, Health};
use crate::memstats;
use crate::vars::Vars;
pub(crate) use inner::Exporting;
use inner::{Export, Inner};

/// How long [`Vitals::shutdown`] and the drop of the last handle wait for the last export at most.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// Name of the runtime that vitals are started in, if it has none.
const MAIN: &str = "main";

/// The running vitals of this process. Cheap to clone; dropping the last clone exports a last time, as
/// [`shutdown`](Vitals::shutdown) does.
///
/// A clone that outlives `main` is never dropped: what actix keeps for its workers, for one, lives to the end of the
/// process. Call [`shutdown`](Vitals::shutdown) there.
///
/// ```no_run
/// # fn serve() {}
/// let vitals = otel_vitals::init()?;
/// serve();
/// vitals.shutdown()?;
/// # Ok::<(), otel_vitals::Error>(())
/// ```
#[derive(Clone)]
pub struct Vitals {
    inner: Arc<Inner>,
}

impl Vitals {
    /// Starts the long form of [`init`](crate::init).
    pub fn builder() -> VitalsBuilder {
        VitalsBuilder::default()
    }

    /// Watches `named`, and the runtime that it is called in.
    pub(crate) fn start(
        config: Config,
        provider: Option<SdkMeterProvider>,
        named: &[(String, Handle)],
        checks: Vec<(String, Check)>,
    ) -> Result<Self, Error> {
        let vitals = Vitals { inner: Arc::new(Inner::start(config, provider, checks)?) };
        for (name, handle) in named {
            vitals.watch_runtime(name, handle);
        }
        if let Ok(own) = Handle::try_current() {
            vitals.watch_runtime(own.name().unwrap_or(MAIN), &own);
        }
        Ok(vitals)
    }

    /// The provider that everything is measured on, for instruments of the application's own. It is also the
    /// global one, unless the application brought it.
    ///
    /// ```no_run
    /// use opentelemetry::metrics::MeterProvider as _;
    ///
    /// let vitals = otel_vitals::init()?;
    /// let orders = vitals.meter_provider().meter("shop").u64_counter("shop.orders").build();
    /// orders.add(1, &[]);
    /// # Ok::<(), otel_vitals::Error>(())
    /// ```
    #[must_use]
    pub fn meter_provider(&self) -> &SdkMeterProvider {
        &self.inner.provider
    }

    /// What Go's `runtime.ReadMemStats` tells, of this program: a snapshot of what is counted now, whatever is configured,
    /// and of what the allocator was last asked to tell by a collection; with the last pauses. All but those zero unless an
    /// [`alloc::Counting`](crate::alloc::Counting) is the program's global allocator.
    ///
    /// ```no_run
    /// let vitals = otel_vitals::init()?;
    /// println!("{} bytes in {} blocks", vitals.memstats().heap_alloc, vitals.memstats().heap_objects);
    /// println!("{}", vitals.memstats().to_json()); // as Go writes it
    /// # Ok::<(), otel_vitals::Error>(())
    /// ```
    #[must_use]
    pub fn memstats(&self) -> MemStats {
        memstats::read(&self.pauses())
    }

    /// What has stood still since the start, the process or a runtime in it, how long and why; and what does now. Nothing when
    /// `metrics.pauses` is off.
    ///
    /// ```no_run
    /// let vitals = otel_vitals::init()?;
    /// if let Some(pause) = vitals.pauses().last().last() {
    ///     println!("the last pause took {:?}: {}", pause.duration, pause.cause);
    /// }
    /// # Ok::<(), otel_vitals::Error>(())
    /// ```
    #[must_use]
    pub fn pauses(&self) -> Pauses {
        self.inner.pauses.as_ref().map(PauseMonitor::pauses).unwrap_or_default()
    }

    /// The published variables, as Go's `expvar` has them; `/debug/vars` of otel-vitals-actix shows them.
    ///
    /// ```no_run
    /// let vitals = otel_vitals::init()?;
    /// let orders = otel_vitals::vars::Counter::new();
    /// vitals.vars().publish("orders", orders.clone())?;
    /// orders.add(1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn vars(&self) -> &Vars {
        &self.inner.vars
    }

    /// What is checked of this service, and how it is: see [`health`](crate::health). Works whatever is configured, `disabled` included.
    ///
    /// ```
    /// use otel_vitals::health::{Probe, Status};
    ///
    /// # let provider = opentelemetry_sdk::metrics::SdkMeterProvider::default();
    /// # let vitals = otel_vitals::Vitals::builder().meter_provider(provider).start()?;
    /// assert_eq!(vitals.health().report(Probe::Ready).status, Status::Pass, "nothing is checked");
    /// vitals.health().begin_shutdown();
    /// assert_eq!(vitals.health().report(Probe::Ready).reasons, ["shutting down"]);
    /// # Ok::<(), otel_vitals::Error>(())
    /// ```
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.inner.health
    }

    /// Disks, memory and processors, and whether they are still enough.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), otel_vitals::Error> {
    /// let vitals = otel_vitals::init()?;
    /// println!("{}", vitals.hardware().snapshot().await.level());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn hardware(&self) -> &Hardware {
        &self.inner.hardware
    }

    /// Watches the tokio runtime of `handle` under `name`, which gets a number when another runtime has it (`name-1`).
    /// The runtime that vitals were started in is watched without this. A runtime that is dropped is not watched any more,
    /// and none is kept running by being watched.
    ///
    /// Does nothing for a runtime that is watched already, after a shutdown, with `disabled` and with
    /// `metrics.tokio: false`. It may be called anywhere, inside and outside of any runtime.
    ///
    /// ```
    /// # let provider = opentelemetry_sdk::metrics::SdkMeterProvider::default();
    /// # let vitals = otel_vitals::Vitals::builder().meter_provider(provider).start()?;
    /// let background = tokio::runtime::Builder::new_current_thread().build()?;
    /// vitals.watch_runtime("background", background.handle());
    /// assert_eq!(vitals.runtimes(), ["background"]);
    /// drop(background);
    /// assert!(vitals.runtimes().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn watch_runtime(&self, name: &str, handle: &Handle) {
        self.inner.watching(|runtimes| runtimes.watch(name, handle));
    }

    /// Watches the tokio runtime that the calling thread is in under `name` and the first number that is free: `name-0`,
    /// `name-1`, …. For services with many runtimes that are alike. Outside of any runtime it does nothing, nor where
    /// [`watch_runtime`](Vitals::watch_runtime) does nothing.
    ///
    /// ```
    /// # let provider = opentelemetry_sdk::metrics::SdkMeterProvider::default();
    /// # let vitals = otel_vitals::Vitals::builder().meter_provider(provider).start()?;
    /// let workers = [(); 2].map(|()| {
    ///     let vitals = vitals.clone();
    ///     let worker = tokio::runtime::Builder::new_current_thread().build().unwrap();
    ///     worker.block_on(async move { vitals.watch_worker("worker") });
    ///     worker
    /// });
    /// assert_eq!(vitals.runtimes(), ["worker-0", "worker-1"]);
    /// drop(workers);
    /// assert!(vitals.runtimes().is_empty());
    /// # Ok::<(), otel_vitals::Error>(())
    /// ```
    ///
    /// # actix
    /// Every worker of actix-server is a thread with a current-thread runtime of its own: under `#[actix_web::main]` the one
    /// of an arbiter, under `#[tokio::main]` one that it builds for itself. The closure that `HttpServer::new` takes runs on
    /// each worker, inside of its runtime, once for each address that is bound, and again when a worker died and another
    /// takes its place. So it is the place for `vitals.watch_worker("actix-worker")`, which does nothing from the second time on.
    /// When the server stops, its workers drop their runtimes, and those of the next server have the same names.
    pub fn watch_worker(&self, name: &str) {
        self.inner.watching(|runtimes| runtimes.watch_worker(name));
    }

    /// The names of the tokio runtimes that are watched now, in the order in which they came.
    #[must_use]
    pub fn runtimes(&self) -> Vec<String> {
        self.inner.runtimes.names()
    }

    /// Tasks that are alive on them, without those that watch.
    #[must_use]
    pub fn alive_tasks(&self) -> usize {
        self.inner.runtimes.alive_tasks()
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Whether pauses are watched for.
    pub(crate) fn is_watching_pauses(&self) -> bool {
        self.inner.pauses.is_some()
    }

    /// The tokio runtimes that are watched.
    #[cfg(feature = "profiling")]
    pub(crate) fn watched(&self) -> &Runtimes {
        &self.inner.runtimes
    }

    /// Who exports.
    pub(crate) fn exporting(&self) -> Exporting {
        match &self.inner.export {
            Export::Pipeline(control) => Exporting::Pipeline(control.last_export().clone()),
            Export::Application(_) => Exporting::Application,
            Export::Nobody => Exporting::Nobody,
        }
    }

    /// Collects and exports now, within `metrics.timeout`.
    ///
    /// # Errors
    /// [`Error::Export`] when the receiver refused, [`Error::Timeout`] when it did not answer in time,
    /// [`Error::Stopped`] after a shutdown. None of them concerns the application: the next interval tries again.
    pub fn flush(&self) -> Result<(), Error> {
        self.flush_within(self.inner.config.metrics.timeout)
    }

    /// Collects and exports now, and returns after `limit` at the latest.
    ///
    /// # Errors
    /// As [`flush`](Vitals::flush).
    pub fn flush_within(&self, limit: Duration) -> Result<(), Error> {
        match &self.inner.export {
            Export::Pipeline(control) => control.flush(limit),
            Export::Application(_) if !self.inner.running.is_held() => Err(Error::Stopped),
            Export::Application(brought) => brought.flush(limit),
            Export::Nobody => Ok(()),
        }
    }

    /// Collects and exports a last time, within five seconds, and stops. From its beginning the service is not
    /// [ready](crate::health::Probe::Ready), and at its end health checks stop. Later calls report what the first came
    /// to. A provider that the application brought is flushed and goes on without ours.
    ///
    /// # Errors
    /// [`Error::Export`] and [`Error::Timeout`] when the last export did not arrive.
    pub fn shutdown(&self) -> Result<(), Error> {
        self.shutdown_within(SHUTDOWN)
    }

    /// Collects and exports a last time and stops, and returns after `limit` at the latest.
    ///
    /// # Errors
    /// As [`shutdown`](Vitals::shutdown).
    pub fn shutdown_within(&self, limit: Duration) -> Result<(), Error> {
        self.inner.shutdown(limit)
    }
}

impl fmt::Debug for Vitals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Vitals").field("config", &self.inner.config).finish_non_exhaustive()
    }
}
