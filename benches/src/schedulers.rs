//! The tokio group, over runtimes that have nothing to do.

use opentelemetry::metrics::{Meter, MeterProvider as _};
use otel_vitals_core::{Collection, SourceContext};
use otel_vitals_runtime::{Runtimes, TokioOptions};
use std::hint::black_box;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

use crate::bare::Bare;
use crate::pipeline::Direct;

/// Longer than any collection: that the next one begins is what makes a reading stale, as in our own pipeline.
const FRESH: Duration = Duration::from_secs(3600);

/// What is watched.
#[derive(Clone, Copy, Debug)]
pub struct Watched {
    /// Runtimes.
    pub runtimes: usize,
    /// Workers of each; one is a current-thread runtime, as those of actix are.
    pub workers: usize,
    /// Whether each worker has its own series.
    pub per_worker: bool,
}

impl Watched {
    /// Source and callbacks, without an SDK.
    #[must_use]
    pub fn reading(self) -> Box<dyn FnMut()> {
        let pipeline = Direct::default();
        let bare = Bare::default();
        let (runtimes, mut begin) = self.register(&bare.meter(), &pipeline.provider().meter("self-metrics"));
        let callbacks = bare.take();
        warm(move || {
            let _kept = (&pipeline, &runtimes);
            begin();
            callbacks.run();
        })
    }

    /// The same with the SDK, which collects on the thread that asks.
    #[must_use]
    pub fn collection(self) -> Box<dyn FnMut()> {
        let mut pipeline = Direct::default();
        let provider = pipeline.provider();
        let meter = provider.meter_with_scope(otel_vitals_runtime::scope());
        let (runtimes, mut begin) = self.register(&meter, &provider.meter("self-metrics"));
        warm(move || {
            let _kept = &runtimes;
            begin();
            pipeline.collect();
        })
    }

    /// What tokio is asked, and nothing else: the stable metrics alone.
    #[must_use]
    pub fn raw(self) -> Box<dyn FnMut()> {
        let runtimes = self.build();
        let metrics: Vec<_> = runtimes.iter().map(Runtime::metrics).collect();
        warm(move || {
            let _kept = &runtimes;
            for metrics in &metrics {
                black_box((metrics.num_workers(), metrics.num_alive_tasks(), metrics.global_queue_depth()));
                for worker in 0..metrics.num_workers() {
                    black_box(metrics.worker_total_busy_duration(worker));
                    black_box(metrics.worker_park_count(worker));
                }
            }
        })
    }

    /// What must be kept, and what begins a collection.
    fn register(self, meter: &Meter, self_metrics: &Meter) -> (Vec<Runtime>, impl FnMut() + use<>) {
        let (watched, runtimes, collection) = (Runtimes::default(), self.build(), Collection::default());
        for runtime in &runtimes {
            watched.watch("runtime", runtime.handle());
        }
        let context = SourceContext::new(self_metrics, FRESH).with_collection(collection.clone());
        let mut options = TokioOptions::default();
        options.per_worker = self.per_worker;
        otel_vitals_runtime::register_tokio(meter, &context, &watched, &options);
        (runtimes, move || collection.begin())
    }

    #[allow(clippy::expect_used, reason = "a bench that cannot go on fails")]
    fn build(self) -> Vec<Runtime> {
        let build = |_| match self.workers {
            1 => Builder::new_current_thread().build(),
            workers => Builder::new_multi_thread().worker_threads(workers).build(),
        };
        (0..self.runtimes).map(build).collect::<Result<_, _>>().expect("runtimes")
    }
}

fn warm(mut run: impl FnMut() + 'static) -> Box<dyn FnMut()> {
    (0..3).for_each(|_| run());
    Box::new(run)
}
