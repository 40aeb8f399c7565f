//! What the schedulers of the watched tokio runtimes say of themselves.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `tokio.worker.count` | `RuntimeMetrics::num_workers` | `tokio.runtime.name` |
//! | `tokio.task.count` | `num_alive_tasks`, less those that are ours | the same |
//! | `tokio.global_queue.length` | `global_queue_depth` | the same |
//! | `tokio.worker.busy.time` | `worker_total_busy_duration`, of all workers together | the same; with `per_worker` of each, with `tokio.worker.index` |
//! | `tokio.worker.parks` | `worker_park_count` | the same |
//! | with `--cfg tokio_unstable` much more, see [`unstable`] | | |
//!
//! The last two need atomics of 64 bits and are absent where there are none. Workers tell what they did when they park, and now and
//! then between tasks: a poll that is under way is in nothing yet. Tasks of a `LocalSet`, as actix has on its
//! arbiters, are not counted by tokio.

#[cfg(all(tokio_unstable, target_has_atomic = "64"))]
mod unstable;
// The same room, empty.
#[cfg(not(all(tokio_unstable, target_has_atomic = "64")))]
#[path = "tokio_scheduler/stable.rs"]
mod unstable;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_core::{Source, SourceContext, Table, signed};
use std::ops::Range;
use std::time::Duration;
use tokio::runtime::RuntimeMetrics;

use crate::TokioOptions;
use crate::runtimes::{Runtimes, Watched};

/// All runtimes that are watched, by their number.
#[derive(Debug, Default)]
struct Reading {
    runtimes: Table<Runtime>,
}

#[derive(Debug)]
struct Runtime {
    /// `tokio.runtime.name`.
    attributes: [KeyValue; 1],
    scheduler: Scheduler,
    more: unstable::Scheduler,
    /// Of each worker, or of all together.
    workers: Vec<Workers>,
}

/// What a runtime says.
#[derive(Debug, Default, PartialEq)]
struct Scheduler {
    /// Worker threads ({worker}).
    workers: Option<u64>,
    /// Tasks that are not over, without ours ({task}).
    tasks: Option<u64>,
    /// Tasks that wait for any worker ({task}).
    global_queue: Option<u64>,
}

/// One worker, or all of a runtime together.
#[derive(Debug)]
struct Workers {
    /// `tokio.runtime.name`, of one worker with `tokio.worker.index`.
    attributes: Vec<KeyValue>,
    which: Range<usize>,
    work: Work,
    more: unstable::Work,
}

/// What workers did.
#[derive(Debug, Default, PartialEq)]
struct Work {
    /// Time in which they did not wait for work.
    busy: Option<Duration>,
    /// How often they went to sleep, because there was none ({park}).
    parks: Option<u64>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        for runtime in self.runtimes.iter_mut() {
            runtime.scheduler = Scheduler::default();
            runtime.more.clear();
            for workers in &mut runtime.workers {
                workers.work = Work::default();
                workers.more = unstable::Work::default();
            }
        }
    }
}

fn read(runtimes: &Runtimes, per_worker: bool, reading: &mut Reading) {
    reading.runtimes.update(|rows| {
        runtimes.for_each(|watched| {
            let metrics = watched.handle.metrics();
            // A name is used again, and even tokio's id; this is not.
            let row = rows
                .row(&watched.number.to_ne_bytes(), |_number| Runtime::new(watched, &metrics, per_worker));
            row.read(watched, &metrics);
        });
    });
}

impl Runtime {
    fn new(watched: &Watched, metrics: &RuntimeMetrics, per_worker: bool) -> Self {
        let attributes = watched.attributes.clone();
        let count = metrics.num_workers();
        let workers = if per_worker {
            (0..count).map(|index| Workers::one(index, &attributes)).collect()
        } else {
            vec![Workers::all(count, &attributes)]
        };
        Runtime {
            more: unstable::Scheduler::new(metrics, &attributes),
            attributes,
            scheduler: Scheduler::default(),
            workers,
        }
    }

    fn read(&mut self, watched: &Watched, metrics: &RuntimeMetrics) {
        self.scheduler = Scheduler {
            workers: Some(metrics.num_workers() as u64),
            tasks: Some(watched.alive_tasks() as u64),
            global_queue: Some(metrics.global_queue_depth() as u64),
        };
        self.more.read(metrics);
        for workers in &mut self.workers {
            workers.work = Work::read(metrics, workers.which.clone());
            workers.more = unstable::Work::read(metrics, workers.which.clone());
        }
    }
}

impl Workers {
    fn all(count: usize, runtime: &[KeyValue; 1]) -> Self {
        Workers::new(0..count, runtime.to_vec())
    }

    fn one(index: usize, runtime: &[KeyValue; 1]) -> Self {
        let mut attributes = runtime.to_vec();
        attributes.push(KeyValue::new("tokio.worker.index", signed(index as u64)));
        Workers::new(index..index + 1, attributes)
    }

    fn new(which: Range<usize>, attributes: Vec<KeyValue>) -> Self {
        Workers { attributes, which, work: Work::default(), more: unstable::Work::default() }
    }
}

impl Work {
    #[cfg(target_has_atomic = "64")]
    fn read(metrics: &RuntimeMetrics, workers: Range<usize>) -> Self {
        Work {
            busy: Some(workers.clone().map(|worker| metrics.worker_total_busy_duration(worker)).sum()),
            parks: Some(workers.map(|worker| metrics.worker_park_count(worker)).sum()),
        }
    }

    #[cfg(not(target_has_atomic = "64"))]
    fn read(_metrics: &RuntimeMetrics, _workers: Range<usize>) -> Self {
        Work::default()
    }
}

/// Declares the instruments, which show whatever `runtimes` has at the time.
pub(crate) fn register(meter: &Meter, context: &SourceContext, runtimes: &Runtimes, options: &TokioOptions) {
    let (runtimes, per_worker) = (runtimes.clone(), options.per_worker);
    let source = context.source("tokio.scheduler", Reading::default(), move |reading: &mut Reading| {
        read(&runtimes, per_worker, reading);
        Ok(())
    });
    for amount in AMOUNTS {
        amount.register(meter, &source);
    }
    busy_time(meter, &source);
    for count in COUNTS {
        count.register(meter, &source);
    }
    unstable::register(meter, &source);
}

const AMOUNTS: [Amount; 3] = [
    Amount("tokio.worker.count", "{worker}", "Worker threads of the runtime.", |runtime| {
        runtime.scheduler.workers
    }),
    Amount("tokio.task.count", "{task}", "Tasks of the runtime that are not over.", |runtime| {
        runtime.scheduler.tasks
    }),
    Amount(
        "tokio.global_queue.length",
        "{task}",
        "Tasks that are ready and wait for any worker of the runtime.",
        |runtime| runtime.scheduler.global_queue,
    ),
];

const COUNTS: [WorkCount; 1] = [WorkCount(
    "tokio.worker.parks",
    "{park}",
    "Times that workers had nothing to do and went to sleep.",
    |workers| workers.work.parks,
)];

fn busy_time(meter: &Meter, source: &Source<Reading>) {
    meter
        .f64_observable_counter("tokio.worker.busy.time")
        .with_unit("s")
        .with_description("Time that workers were at work, and not asleep for want of it.")
        .with_callback(source.observe(|reading, instrument| {
            for workers in reading.runtimes.iter().flat_map(|runtime| &runtime.workers) {
                if let Some(busy) = workers.work.busy {
                    instrument.observe(busy.as_secs_f64(), &workers.attributes);
                }
            }
        }))
        .build();
}

/// Name, unit, description and value of an amount that a runtime has.
struct Amount(&'static str, &'static str, &'static str, fn(&Runtime) -> Option<u64>);

/// The same of something that workers count.
struct WorkCount(&'static str, &'static str, &'static str, fn(&Workers) -> Option<u64>);

impl Amount {
    fn register(self, meter: &Meter, source: &Source<Reading>) {
        let Amount(name, unit, description, value) = self;
        meter
            .i64_observable_up_down_counter(name)
            .with_unit(unit)
            .with_description(description)
            .with_callback(source.observe(move |reading, instrument| {
                for runtime in reading.runtimes.iter() {
                    if let Some(value) = value(runtime) {
                        instrument.observe(signed(value), &runtime.attributes);
                    }
                }
            }))
            .build();
    }
}

impl WorkCount {
    fn register(self, meter: &Meter, source: &Source<Reading>) {
        let WorkCount(name, unit, description, value) = self;
        meter
            .u64_observable_counter(name)
            .with_unit(unit)
            .with_description(description)
            .with_callback(source.observe(move |reading, instrument| {
                for workers in reading.runtimes.iter().flat_map(|runtime| &runtime.workers) {
                    if let Some(value) = value(workers) {
                        instrument.observe(value, &workers.attributes);
                    }
                }
            }))
            .build();
    }
}

#[cfg(test)]
mod tests;
