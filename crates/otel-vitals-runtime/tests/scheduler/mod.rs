//! Runtimes that are watched, in a pipeline in memory.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "not every test asks for everything; one that cannot go on fails"
)]

use opentelemetry::metrics::MeterProvider as _;
use otel_vitals_core::SourceContext;
use otel_vitals_runtime::{Runtimes, TokioOptions};
use std::time::{Duration, Instant};
use test_harness::{Collection, InMemory};
use tokio::runtime::{Builder, Handle, Runtime};

/// How long what must happen may take.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const MAIN: &[(&str, &str)] = &[("tokio.runtime.name", "main")];

pub(crate) struct Watch {
    pub(crate) runtimes: Runtimes,
    pipeline: InMemory,
}

impl Watch {
    pub(crate) fn new(per_worker: bool) -> Self {
        let (runtimes, pipeline) = (Runtimes::default(), InMemory::new());
        let meter = pipeline.provider().meter_with_scope(otel_vitals_runtime::scope());
        // Every look reads.
        let context = SourceContext::new(&meter, Duration::ZERO);
        let mut options = TokioOptions::default();
        options.per_worker = per_worker;
        otel_vitals_runtime::register_tokio(&meter, &context, &runtimes, &options);
        Watch { runtimes, pipeline }
    }

    /// Watches `runtime` as `main`, alone.
    pub(crate) fn of(runtime: &Runtime) -> Self {
        let watch = Watch::new(false);
        watch.runtimes.watch("main", runtime.handle());
        watch
    }

    /// What is there of runtimes.
    pub(crate) fn collect(&self) -> Collection {
        let mut collection = self.pipeline.collect();
        collection.metrics.retain(|metric| metric.name.starts_with("tokio."));
        collection
    }

    /// The value of `name` of the runtime `main`.
    pub(crate) fn main(&self, name: &str) -> f64 {
        self.collect().value(name, MAIN).unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// Waits until that is as `expected`, and returns it.
    pub(crate) fn wait(&self, name: &str, expected: impl Fn(f64) -> bool) -> f64 {
        wait_until(|| {
            let value = self.main(name);
            if expected(value) { Ok(value) } else { Err(format!("{name} is {value}")) }
        })
    }
}

/// What `ask` gives once it does; in vain, the test fails with what it said last.
pub(crate) fn wait_until<T>(mut ask: impl FnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match ask() {
            Ok(value) => return value,
            Err(last) => assert!(started.elapsed() < PATIENCE, "after {PATIENCE:?} {last}"),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn multi_thread(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).build().unwrap()
}

pub(crate) fn current_thread() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// A task that blocks its worker until this is dropped.
pub(crate) struct Blocked {
    _release: std::sync::mpsc::Sender<()>,
}

/// Blocks a worker of the runtime; returns when it is.
pub(crate) fn block(handle: &Handle) -> Blocked {
    block_after(handle, || {})
}

/// The same, after the task has done `first`.
pub(crate) fn block_after(handle: &Handle, first: impl FnOnce() + Send + 'static) -> Blocked {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (began, begun) = std::sync::mpsc::channel();
    handle.spawn(async move {
        first();
        began.send(()).unwrap();
        let _ = released.recv();
    });
    begun.recv_timeout(PATIENCE).unwrap();
    Blocked { _release: release }
}

/// Computes for so long, by the clock.
pub(crate) fn compute(time: Duration) {
    let started = Instant::now();
    while started.elapsed() < time {
        std::hint::spin_loop();
    }
}
