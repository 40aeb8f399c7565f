//! What the watch for pauses costs: CPU time of its thread and of the runtimes that it watches, a collection of what it
//! tells, and what its stamps add to the latency of a busy runtime.
//!
//! `cargo bench -p benches --bench pauses -- --seconds 30` measures longer than the default, `--quick` shorter.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench prints what it measured"
)]

use bench_harness::Table;
use bench_harness::number;
use benches::pipeline::Direct;
use opentelemetry::metrics::MeterProvider as _;
use otel_vitals_core::{Collection, SourceContext};
use otel_vitals_runtime::{PauseMonitor, PauseOptions, Runtimes};
use std::fs;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

const SECONDS: usize = 10;
const QUICK: usize = 2;
const RUNTIMES: [usize; 3] = [0, 1, 32];
/// The name of the thread, as the kernel cuts it.
const TICKER: &str = "vitals-pauses";
/// That of the threads that drive runtimes.
const DRIVER: &str = "driver";
/// That of a thread that wakes as often and does nothing.
const IDLER: &str = "idler";
/// What the thread may take of a core, in percent.
const GOAL: f64 = 0.1;

fn main() {
    let seconds = number("seconds", SECONDS, QUICK);
    cpu_time(Duration::from_secs(seconds as u64));
    collection(100 * seconds);
    latency(seconds);
}

fn cpu_time(time: Duration) {
    let mut table = Table::new([
        "runtimes",
        "a thread that only wakes, µs a second",
        "ticker, µs a second",
        "% of a core",
        "wake-ups a second",
        "µs a wake-up",
        "all runtimes, µs a second",
        "µs a stamp",
    ]);
    let mut verdict = "";
    thread::Builder::new()
        .name(IDLER.to_owned())
        .spawn(|| {
            loop {
                thread::park_timeout(PauseOptions::default().tick);
            }
        })
        .unwrap();
    for runtimes in RUNTIMES {
        let (watch, driven) = (Watch::start(), drive(runtimes));
        watch.follow(&driven);
        thread::sleep(Duration::from_secs(1));
        let before = [TICKER, DRIVER, IDLER].map(Cpu::of);
        let started = Instant::now();
        thread::sleep(time);
        let after = [TICKER, DRIVER, IDLER].map(Cpu::of);
        let seconds = started.elapsed().as_secs_f64();
        let [ticker, driver, idler] = std::array::from_fn(|at| after[at].since(&before[at]));
        let percent = ticker.ran / seconds * 1e2;
        let stamps = driver.turns / seconds;
        table.row([
            runtimes.to_string(),
            format!("{:.0}", idler.ran / seconds * 1e6),
            format!("{:.0}", ticker.ran / seconds * 1e6),
            format!("{percent:.3}"),
            format!("{:.1}", ticker.turns / seconds),
            format!("{:.1}", ticker.ran / ticker.turns * 1e6),
            format!("{:.0}", driver.ran / seconds * 1e6),
            if stamps > 0.0 { format!("{:.1}", driver.ran / driver.turns * 1e6) } else { String::new() },
        ]);
        if runtimes == 1 {
            verdict = if percent <= GOAL { "met" } else { "MISSED" };
        }
    }
    println!(
        "\n## CPU time of the watch over {time:?}, of runtimes that have nothing else to do\n\n{table}\n\
         Goal: at most {GOAL} % of a core with one runtime: {verdict}."
    );
}

fn collection(rounds: usize) {
    let mut table = Table::new(["runtimes", "collection, µs: fastest", "median"]);
    for runtimes in RUNTIMES {
        let (mut watch, driven) = (Watch::start(), drive(runtimes));
        watch.follow(&driven);
        thread::sleep(Duration::from_millis(500));
        let mut times: Vec<_> = (0..rounds)
            .map(|_| {
                let started = Instant::now();
                watch.collect();
                started.elapsed()
            })
            .collect();
        times.sort_unstable();
        let micros = |time: Option<&Duration>| format!("{:.1}", time.unwrap().as_secs_f64() * 1e6);
        table.row([runtimes.to_string(), micros(times.first()), micros(times.get(times.len() / 2))]);
    }
    println!("\n## A collection of what the watch tells, SDK included ({rounds} times)\n\n{table}");
}

/// A task that yields for ever, among others that do: how long until it runs again.
fn latency(rounds: usize) {
    let tick = |milliseconds| {
        let mut options = PauseOptions::default();
        options.tick = Duration::from_millis(milliseconds);
        Some(options)
    };
    let kinds = [("not watched", None), ("a tick of 100 ms", tick(100)), ("a tick of 5 ms", tick(5))];
    let mut all = kinds.each_ref().map(|_| Vec::new());
    for _ in 0..rounds {
        for ((_, options), all) in kinds.iter().zip(&mut all) {
            let watch = options.as_ref().map(Watch::with);
            let driven = drive(1);
            if let Some(watch) = &watch {
                watch.follow(&driven);
            }
            all.extend(yields(&driven.first().unwrap().handle, Duration::from_secs(1)));
        }
    }
    let mut table =
        Table::new(["ns until a task runs again", "times", "p50", "p99", "p99.9", "p99.99", "max"]);
    for ((name, _), times) in kinds.iter().zip(&mut all) {
        times.sort_unstable();
        let at = |part: f64| {
            let at = (times.len() as f64 * part) as usize;
            times.get(at.min(times.len() - 1)).unwrap().to_string()
        };
        let [p50, p99, p999, p9999, max] = [0.5, 0.99, 0.999, 0.9999, 1.0].map(at);
        table.row([(*name).to_owned(), times.len().to_string(), p50, p99, p999, p9999, max]);
    }
    println!("\n## Latency of a busy runtime: 16 tasks that yield, {rounds} s each, in turns\n\n{table}");
}

/// Nanoseconds from one run of a task to the next.
fn yields(runtime: &Handle, time: Duration) -> Vec<u32> {
    let (done, times) = mpsc::channel();
    let until = Instant::now() + time;
    for _ in 0..15 {
        runtime.spawn(async move {
            while Instant::now() < until {
                tokio::task::yield_now().await;
            }
        });
    }
    runtime.spawn(async move {
        let mut times = Vec::with_capacity(1 << 20);
        while times.len() < times.capacity() && Instant::now() < until {
            let started = Instant::now();
            tokio::task::yield_now().await;
            times.push(u32::try_from(started.elapsed().as_nanos()).unwrap_or(u32::MAX));
        }
        let _ = done.send(times);
    });
    times.recv().unwrap()
}

/// A monitor and the pipeline that it reports to.
struct Watch {
    pipeline: Direct,
    collection: Collection,
    runtimes: Runtimes,
    _monitor: PauseMonitor,
}

impl Watch {
    fn start() -> Self {
        Self::with(&PauseOptions::default())
    }

    fn with(options: &PauseOptions) -> Self {
        let (pipeline, collection, runtimes) =
            (Direct::default(), Collection::default(), Runtimes::default());
        let meter = pipeline.provider().meter_with_scope(otel_vitals_runtime::scope());
        // That the next collection begins is what makes a reading stale.
        let context =
            SourceContext::new(&pipeline.provider().meter("self-metrics"), Duration::from_secs(3600))
                .with_collection(collection.clone());
        let monitor = PauseMonitor::start(&meter, &context, &runtimes, options).unwrap().unwrap();
        Watch { pipeline, collection, runtimes, _monitor: monitor }
    }

    fn follow(&self, driven: &[Driven]) {
        driven.iter().for_each(|driven| self.runtimes.watch("runtime", &driven.handle));
    }

    fn collect(&mut self) {
        self.collection.begin();
        self.pipeline.collect();
    }
}

/// A current-thread runtime on a thread of its own, as the workers of actix are.
struct Driven {
    handle: Handle,
    over: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

fn drive(runtimes: usize) -> Vec<Driven> {
    let drive = |_| {
        let runtime = Builder::new_current_thread().build().unwrap();
        let handle = runtime.handle().clone();
        let (over, ended) = oneshot::channel();
        let until_over = async {
            let _: Result<(), _> = ended.await;
        };
        let body = move || runtime.block_on(until_over);
        let thread = thread::Builder::new().name(DRIVER.to_owned()).spawn(body).unwrap();
        Driven { handle, over: Some(over), thread: Some(thread) }
    };
    (0..runtimes).map(drive).collect()
}

impl Drop for Driven {
    fn drop(&mut self) {
        drop(self.over.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// What threads have had of the processors.
struct Cpu {
    /// Seconds.
    ran: f64,
    /// Times that they got one.
    turns: f64,
}

impl Cpu {
    /// Of all threads of this name.
    fn of(name: &str) -> Self {
        let mut all = Cpu { ran: 0.0, turns: 0.0 };
        for task in fs::read_dir("/proc/self/task").unwrap() {
            let folder = task.unwrap().path();
            // One that has just ended.
            let Ok(called) = fs::read_to_string(folder.join("comm")) else { continue };
            if called.trim_end() != name {
                continue;
            }
            let text = fs::read_to_string(folder.join("schedstat")).unwrap();
            let mut fields = text.split_whitespace().map(|field| field.parse::<f64>().unwrap());
            all.ran += fields.next().unwrap() / 1e9;
            all.turns += fields.nth(1).unwrap();
        }
        all
    }

    fn since(&self, before: &Cpu) -> Cpu {
        Cpu { ran: self.ran - before.ran, turns: self.turns - before.turns }
    }
}
