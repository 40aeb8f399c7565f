//! What `linux.scheduler.wait.time` costs in a process of few and of many threads.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measured")]

use bench_harness::Table;
use benches::bare::{Bare, Callbacks};
use benches::pipeline::Direct;
use opentelemetry::metrics::MeterProvider as _;
use otel_vitals_core::{Collection, SourceContext};
use otel_vitals_runtime::ProcessOptions;
use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

const ROUNDS: usize = 1000;

fn main() {
    let mut table =
        Table::new(["threads", "process without", "process with", "more", "raw, all open", "ratio"]);
    for threads in [1, 10, 64, 100, 1000] {
        with_threads(threads, || {
            let [mut without, mut with] = [false, true].map(Process::new);
            let raw = files();
            let mut times = [const { Vec::new() }; 3];
            for _ in 0..ROUNDS {
                let round = [without.collect(), with.collect(), read(&raw)];
                times.iter_mut().zip(round).for_each(|(times, time)| times.push(time));
            }
            let [without, with, raw] = times.map(fastest_and_median);
            let more = [with[0].saturating_sub(without[0]), with[1].saturating_sub(without[1])];
            table.row([
                threads.to_string(),
                cell(without),
                cell(with),
                cell(more),
                cell(raw),
                format!("{:.2}×", more[0].as_secs_f64() / raw[0].as_secs_f64()),
            ]);
        });
    }
    println!("\nFastest of {ROUNDS} (median), in µs.\n\n{table}");
}

/// The process group, with the wait for a core or without.
struct Process {
    callbacks: Callbacks,
    collection: Collection,
    _pipeline: Direct,
}

impl Process {
    fn new(scheduler_wait: bool) -> Self {
        let (pipeline, bare, collection) = (Direct::default(), Bare::default(), Collection::default());
        let meter = pipeline.provider().meter("self-metrics");
        // A reading is fresh until the next collection begins, however long it takes.
        let fresh = Duration::from_secs(3600);
        let context = SourceContext::new(&meter, fresh).with_collection(collection.clone());
        let mut options = ProcessOptions::default();
        options.scheduler_wait = scheduler_wait;
        otel_vitals_runtime::register(&bare.meter(), &context, &options);
        let mut process = Process { callbacks: bare.take(), collection, _pipeline: pipeline };
        (0..3).for_each(|_| _ = process.collect());
        process
    }

    fn collect(&mut self) -> Duration {
        self.collection.begin();
        let started = Instant::now();
        self.callbacks.run();
        started.elapsed()
    }
}

/// The files of all threads, for which our reading does not keep the descriptors of so many.
fn files() -> Vec<File> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.map(|task| File::open(task.unwrap().path().join("schedstat")).unwrap()).collect()
}

fn read(files: &[File]) -> Duration {
    let started = Instant::now();
    for file in files {
        let mut buffer = [0; 64];
        black_box(file.read_at(&mut buffer, 0).unwrap());
    }
    started.elapsed()
}

/// Runs `measure` in a process of so many threads.
fn with_threads(threads: usize, measure: impl FnOnce()) {
    let leave = Arc::new(Barrier::new(threads));
    let others: Vec<_> = (1..threads)
        .map(|_| {
            let leave = Arc::clone(&leave);
            std::thread::spawn(move || leave.wait())
        })
        .collect();
    measure();
    leave.wait();
    others.into_iter().for_each(|thread| drop(thread.join()));
}

fn fastest_and_median(mut times: Vec<Duration>) -> [Duration; 2] {
    times.sort_unstable();
    let at = |at: usize| times.get(at).copied().unwrap_or_default();
    [at(0), at(times.len() / 2)]
}

fn cell([fastest, median]: [Duration; 2]) -> String {
    let micros = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e6);
    format!("{} ({})", micros(fastest), micros(median))
}
