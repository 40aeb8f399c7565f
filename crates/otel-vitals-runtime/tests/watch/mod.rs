//! What the tests of pauses share: runtimes that are driven, and a monitor that watches them.

use opentelemetry::metrics::MeterProvider as _;
use otel_vitals_core::SourceContext;
use otel_vitals_runtime::{Pause, PauseCause, PauseMonitor, PauseOptions, PauseScope, Pauses, Runtimes};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use test_harness::InMemory;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

/// Whether a thread that waits for a core is told from one that computes.
pub(crate) const TELLS_WAITS: bool = cfg!(all(target_os = "linux", not(otel_vitals_portable)));

const PATIENCE: Duration = Duration::from_secs(20);

/// Tests that look for stalls must not make each other stall.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// With many ticks in little time.
pub(crate) fn quick() -> PauseOptions {
    let mut options = PauseOptions::default();
    options.tick = Duration::from_millis(5);
    options
}

pub(crate) struct Watch {
    pub(crate) runtimes: Runtimes,
    pub(crate) pipeline: InMemory,
    pub(crate) monitor: PauseMonitor,
}

impl Watch {
    pub(crate) fn start(options: &PauseOptions) -> Self {
        let pipeline = InMemory::new();
        let meter = pipeline.provider().meter_with_scope(otel_vitals_runtime::scope());
        let context = SourceContext::new(&meter, Duration::from_millis(100));
        let runtimes = Runtimes::default();
        let monitor = PauseMonitor::start(&meter, &context, &runtimes, options).unwrap().unwrap();
        Watch { runtimes, pipeline, monitor }
    }

    pub(crate) fn pauses(&self) -> Pauses {
        self.monitor.pauses()
    }

    /// The pauses of the runtime `name`.
    pub(crate) fn pauses_of(&self, name: &str) -> Vec<Pause> {
        let mut pauses = self.pauses().last();
        pauses.retain(|pause| (pause.scope, pause.runtime.as_deref()) == (PauseScope::Runtime, Some(name)));
        pauses
    }

    /// The pauses of the runtime `name` that its own tasks made.
    pub(crate) fn blocked(&self, name: &str) -> Vec<Pause> {
        let mut pauses = self.pauses_of(name);
        pauses.retain(|pause| pause.cause == PauseCause::BlockedExecutor);
        pauses
    }
}

/// A current-thread runtime that a thread drives until this is dropped.
pub(crate) struct Driven {
    pub(crate) handle: Handle,
    over: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Driven {
    pub(crate) fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        let (over, ended) = oneshot::channel();
        let thread = thread::spawn(move || drop(runtime.block_on(ended)));
        Driven { handle, over: Some(over), thread: Some(thread) }
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        drop(self.over.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

pub(crate) fn workers(number: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(number).enable_all().build().unwrap()
}

/// Blocks a worker of `runtime` by `block`, and returns how long that was.
pub(crate) fn block(runtime: &Handle, block: impl FnOnce() + Send + 'static) -> Duration {
    let task = runtime.spawn(async move {
        let started = Instant::now();
        block();
        started.elapsed()
    });
    let (told, tell) = std::sync::mpsc::channel();
    runtime.spawn(async move { told.send(task.await.unwrap()).ok() });
    tell.recv_timeout(PATIENCE).unwrap()
}

pub(crate) fn spin(time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} in {PATIENCE:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// How many stamps of the runtime `name` have come back.
pub(crate) fn stamps(watch: &Watch, name: &str) -> u64 {
    let collected = watch.pipeline.collect();
    let delays = collected.point("tokio.schedule.delay", "tokio.runtime.name", name);
    delays.and_then(|delays| delays.count).unwrap_or(0)
}

/// Waits until two stamps have come back from every runtime that is watched.
pub(crate) fn warm(watch: &Watch) {
    for name in watch.runtimes.names() {
        until("stamps come back", || stamps(watch, &name) >= 2);
    }
}
