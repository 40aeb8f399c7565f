//! What tokio says beyond that in a program that is built with `--cfg tokio_unstable`. That a minor version of tokio may change
//! it concerns this file alone.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `tokio.blocking.thread.count` | `num_blocking_threads`, `num_idle_blocking_threads` | `tokio.runtime.name`; `tokio.blocking.thread.state` = busy, idle |
//! | `tokio.blocking.queue.length` | `blocking_queue_depth` | `tokio.runtime.name` |
//! | `tokio.task.spawned` | `spawned_tasks_count` | the same |
//! | `tokio.task.remote_schedules` | `remote_schedule_count` | the same |
//! | `tokio.task.forced_yields` | `budget_forced_yield_count` | the same |
//! | `tokio.task.poll_time.polls` | `poll_time_histogram_bucket_count`, of all workers together | the same, and `tokio.task.poll_time.bound` |
//! | `tokio.worker.local_queue.length` | `worker_local_queue_depth`, of all workers together | `tokio.runtime.name`; with `per_worker` of each, with `tokio.worker.index` |
//! | `tokio.worker.polls`, `tokio.worker.noops` | `worker_poll_count`, `worker_noop_count` | the same |
//! | `tokio.worker.steal.tasks`, `tokio.worker.steal.operations` | `worker_steal_count`, `worker_steal_operations` | the same |
//! | `tokio.worker.local_schedules`, `tokio.worker.overflows` | `worker_local_schedule_count`, `worker_overflow_count` | the same |
//!
//! Poll times are there of runtimes that were built with `enable_metrics_poll_time_histogram`, which costs two looks at the
//! clock for each poll. The SDK takes no histogram that somebody else has filled: each of tokio's buckets is a series of a counter, with its
//! upper bound in seconds.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_core::{Source, signed};
use std::ops::Range;
use std::time::Duration;
use tokio::runtime::RuntimeMetrics;

use super::{Amount, Reading, Runtime, WorkCount, Workers};

/// What a runtime says.
#[derive(Debug)]
pub(super) struct Scheduler {
    values: Values,
    /// `tokio.runtime.name`, and `tokio.blocking.thread.state` = busy and idle.
    threads: [[KeyValue; 2]; 2],
    poll_times: Vec<Bucket>,
}

#[derive(Debug, Default)]
struct Values {
    /// Threads that run blocking code, and that wait for some ({thread}).
    threads: [Option<u64>; 2],
    /// Calls of blocking code that wait for a thread ({task}).
    blocking_queue: Option<u64>,
    /// Tasks spawned ({task}).
    spawned: Option<u64>,
    /// Tasks made ready from outside of the workers ({schedule}).
    remote_schedules: Option<u64>,
    /// Tasks that had to yield because their budget was used up ({yield}).
    forced_yields: Option<u64>,
}

/// Polls that took less than a bound and not less than that of the bucket before.
#[derive(Debug)]
struct Bucket {
    /// `tokio.runtime.name` and `tokio.task.poll_time.bound`.
    attributes: [KeyValue; 2],
    /// {poll}.
    polls: Option<u64>,
}

/// What workers did.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Work {
    /// Tasks that wait for this one worker ({task}).
    local_queue: Option<u64>,
    /// Polls of tasks ({poll}).
    polls: Option<u64>,
    /// Times that they woke and found nothing to do ({noop}).
    noops: Option<u64>,
    /// Tasks taken from other workers ({task}).
    stolen: Option<u64>,
    /// Times that they took some ({operation}).
    steals: Option<u64>,
    /// Tasks made ready by a worker, for itself ({schedule}).
    local_schedules: Option<u64>,
    /// Times that a local queue was full, and half of it moved to the global one ({overflow}).
    overflows: Option<u64>,
}

impl Scheduler {
    pub(super) fn new(metrics: &RuntimeMetrics, [runtime]: &[KeyValue; 1]) -> Self {
        let state = |state| [runtime.clone(), KeyValue::new("tokio.blocking.thread.state", state)];
        let bucket = |bucket| {
            let bound = bound(metrics.poll_time_histogram_bucket_range(bucket).end);
            let attributes = [runtime.clone(), KeyValue::new("tokio.task.poll_time.bound", bound)];
            Bucket { attributes, polls: None }
        };
        Scheduler {
            values: Values::default(),
            threads: [state("busy"), state("idle")],
            poll_times: (0..metrics.poll_time_histogram_num_buckets()).map(bucket).collect(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.values = Values::default();
        for bucket in &mut self.poll_times {
            bucket.polls = None;
        }
    }

    pub(super) fn read(&mut self, metrics: &RuntimeMetrics) {
        // Idle ones first: of those there are more threads a moment later, if anything.
        let idle = metrics.num_idle_blocking_threads() as u64;
        let busy = (metrics.num_blocking_threads() as u64).saturating_sub(idle);
        self.values = Values {
            threads: [Some(busy), Some(idle)],
            blocking_queue: Some(metrics.blocking_queue_depth() as u64),
            spawned: Some(metrics.spawned_tasks_count()),
            remote_schedules: Some(metrics.remote_schedule_count()),
            forced_yields: Some(metrics.budget_forced_yield_count()),
        };
        let workers = 0..metrics.num_workers();
        for (number, bucket) in self.poll_times.iter_mut().enumerate() {
            let polls =
                workers.clone().map(|worker| metrics.poll_time_histogram_bucket_count(worker, number));
            bucket.polls = Some(polls.sum());
        }
    }
}

impl Work {
    pub(super) fn read(metrics: &RuntimeMetrics, workers: Range<usize>) -> Self {
        let sum = |count: fn(&RuntimeMetrics, usize) -> u64| {
            Some(workers.clone().map(|worker| count(metrics, worker)).sum())
        };
        Work {
            local_queue: sum(|metrics, worker| metrics.worker_local_queue_depth(worker) as u64),
            polls: sum(RuntimeMetrics::worker_poll_count),
            noops: sum(RuntimeMetrics::worker_noop_count),
            stolen: sum(RuntimeMetrics::worker_steal_count),
            steals: sum(RuntimeMetrics::worker_steal_operations),
            local_schedules: sum(RuntimeMetrics::worker_local_schedule_count),
            overflows: sum(RuntimeMetrics::worker_overflow_count),
        }
    }
}

/// In seconds, as text: tokio's last bucket has no bound that a number could tell.
fn bound(end: Duration) -> String {
    if end == Duration::from_nanos(u64::MAX) { "+Inf".to_owned() } else { end.as_secs_f64().to_string() }
}

pub(super) fn register(meter: &Meter, source: &Source<Reading>) {
    blocking_threads(meter, source);
    BLOCKING_QUEUE.register(meter, source);
    for count in COUNTS {
        count.register(meter, source);
    }
    local_queue(meter, source);
    for count in WORK {
        count.register(meter, source);
    }
    poll_times(meter, source);
}

const BLOCKING_QUEUE: Amount = Amount(
    "tokio.blocking.queue.length",
    "{task}",
    "Blocking calls that wait for a thread of the runtime.",
    |runtime| runtime.more.values.blocking_queue,
);

/// Name, unit, description and value of something that a runtime counts.
struct Count(&'static str, &'static str, &'static str, fn(&Runtime) -> Option<u64>);

const COUNTS: [Count; 3] = [
    Count("tokio.task.spawned", "{task}", "Tasks that were spawned.", |runtime| runtime.more.values.spawned),
    Count(
        "tokio.task.remote_schedules",
        "{schedule}",
        "Times that tasks were made ready from outside of the runtime's workers.",
        |runtime| runtime.more.values.remote_schedules,
    ),
    Count(
        "tokio.task.forced_yields",
        "{yield}",
        "Times that tasks had to yield because they had used up their budget.",
        |runtime| runtime.more.values.forced_yields,
    ),
];

const WORK: [WorkCount; 6] = [
    WorkCount("tokio.worker.polls", "{poll}", "Times that workers polled a task.", |workers| {
        workers.more.polls
    }),
    WorkCount(
        "tokio.worker.noops",
        "{noop}",
        "Times that workers woke and found nothing to do.",
        |workers| workers.more.noops,
    ),
    WorkCount(
        "tokio.worker.steal.tasks",
        "{task}",
        "Tasks that workers took from other workers.",
        |workers| workers.more.stolen,
    ),
    WorkCount(
        "tokio.worker.steal.operations",
        "{operation}",
        "Times that workers took tasks from another worker.",
        |workers| workers.more.steals,
    ),
    WorkCount(
        "tokio.worker.local_schedules",
        "{schedule}",
        "Times that workers made a task ready and put it into their own queue.",
        |workers| workers.more.local_schedules,
    ),
    WorkCount(
        "tokio.worker.overflows",
        "{overflow}",
        "Times that the queue of a worker was full, so that half of it went to the global one.",
        |workers| workers.more.overflows,
    ),
];

impl Count {
    fn register(self, meter: &Meter, source: &Source<Reading>) {
        let Count(name, unit, description, value) = self;
        meter
            .u64_observable_counter(name)
            .with_unit(unit)
            .with_description(description)
            .with_callback(source.observe(move |reading, instrument| {
                for runtime in reading.runtimes.iter() {
                    if let Some(value) = value(runtime) {
                        instrument.observe(value, &runtime.attributes);
                    }
                }
            }))
            .build();
    }
}

fn blocking_threads(meter: &Meter, source: &Source<Reading>) {
    meter
        .i64_observable_up_down_counter("tokio.blocking.thread.count")
        .with_unit("{thread}")
        .with_description("Threads of the runtime for blocking calls, by whether they run one.")
        .with_callback(source.observe(|reading, instrument| {
            for Scheduler { values, threads, .. } in reading.runtimes.iter().map(|runtime| &runtime.more) {
                for (count, attributes) in values.threads.iter().zip(threads) {
                    if let Some(count) = count {
                        instrument.observe(signed(*count), attributes);
                    }
                }
            }
        }))
        .build();
}

fn local_queue(meter: &Meter, source: &Source<Reading>) {
    meter
        .i64_observable_up_down_counter("tokio.worker.local_queue.length")
        .with_unit("{task}")
        .with_description("Tasks that are ready and wait in the queues of single workers.")
        .with_callback(source.observe(|reading, instrument| {
            for Workers { attributes, more, .. } in
                reading.runtimes.iter().flat_map(|runtime| &runtime.workers)
            {
                if let Some(length) = more.local_queue {
                    instrument.observe(signed(length), attributes);
                }
            }
        }))
        .build();
}

fn poll_times(meter: &Meter, source: &Source<Reading>) {
    meter
        .u64_observable_counter("tokio.task.poll_time.polls")
        .with_unit("{poll}")
        .with_description("Times that workers polled a task, by how long that took.")
        .with_callback(source.observe(|reading, instrument| {
            for Bucket { attributes, polls } in
                reading.runtimes.iter().flat_map(|runtime| &runtime.more.poll_times)
            {
                if let Some(polls) = polls {
                    instrument.observe(*polls, attributes);
                }
            }
        }))
        .build();
}

#[cfg(test)]
mod tests;
