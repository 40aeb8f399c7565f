//! Stalls that are made, and seen: how long, of what, and why.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod watch;

use opentelemetry::metrics::MeterProvider as _;
use otel_vitals_core::SourceContext;
use otel_vitals_runtime::{
    MemStats, Pause, PauseCause, PauseMonitor, PauseOptions, PauseScope, Pauses, Runtimes,
};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use test_harness::InMemory;
use tokio::runtime::Handle;
use watch::{Driven, TELLS_WAITS, Watch, alone, block, quick, spin, stamps, until, warm, workers};

#[global_allocator]
static ALLOCATOR: otel_vitals_alloc::Counting = otel_vitals_alloc::Counting::system();

const BLOCK: Duration = Duration::from_millis(250);

fn near(seen: Duration, real: Duration) -> bool {
    seen >= real.mul_f64(0.8) && seen <= real.mul_f64(1.2)
}

/// What makes a worker stand still.
const WAYS: [fn(Duration); 2] = [spin, thread::sleep];

/// One block, and whether it was seen as it was.
struct Attempt {
    real: Duration,
    worker: Option<usize>,
    /// How long the thread had no core meanwhile.
    waited: Duration,
    pauses: Vec<Pause>,
}

impl Attempt {
    /// Blocks a worker of `runtime`, which is watched as `name`, by `block_by`.
    fn make(watch: &Watch, name: &str, runtime: &Handle, block_by: fn(Duration)) -> Self {
        let before = watch.pauses_of(name).len();
        let (told, tell) = mpsc::channel();
        let real = block(runtime, move || {
            let waited = waited_in(|| block_by(BLOCK));
            told.send((tokio::runtime::worker_index(), waited)).unwrap();
        });
        let (worker, waited) = tell.recv().unwrap();
        let mut attempt = Attempt { real, worker, waited, pauses: Vec::new() };
        let long = Instant::now() + Duration::from_secs(2);
        while attempt.pauses.is_empty() && Instant::now() < long {
            thread::sleep(Duration::from_millis(2));
            // Others on the machine may have made shorter ones.
            attempt.pauses = watch.pauses_of(name).split_off(before);
            attempt.pauses.retain(|pause| pause.duration > BLOCK / 2);
        }
        attempt
    }

    fn is_seen(&self) -> bool {
        let [pause] = &self.pauses[..] else { return false };
        let is_why = match pause.cause {
            // On a machine that others work on, it may have waited for a core most of the time.
            PauseCause::CpuWait => self.waited > self.real.mul_f64(0.3),
            PauseCause::BlockedExecutor => self.waited < self.real.mul_f64(0.7) || !TELLS_WAITS,
            _ => false,
        };
        is_why && near(pause.duration, self.real) && pause.worker == self.worker
    }
}

/// Tries until a block is seen as it was: on a machine that others work on, the watch itself may be late.
fn blocks(watch: &Watch, name: &str, runtime: &Handle, block_by: fn(Duration)) {
    let mut failed = Vec::new();
    for _ in 0..5 {
        let attempt = Attempt::make(watch, name, runtime, block_by);
        if attempt.is_seen() {
            return;
        }
        failed.push((attempt.real, attempt.worker, attempt.waited, attempt.pauses));
    }
    panic!("real, worker, wait for a core, what was seen: {failed:#?}");
}

/// None of what another one was blocked for is said of the runtime `name`.
fn assert_is_left_alone(watch: &Watch, name: &str) {
    // On a machine that others work on, it may wait for a core, but not for that long.
    let least = if TELLS_WAITS { BLOCK / 4 } else { BLOCK.mul_f64(0.8) };
    assert_eq!(watch.blocked(name).iter().find(|pause| pause.duration > least), None);
}

/// How long this thread is ready and has no core while it does `what`, as the kernel says.
fn waited_in(what: impl FnOnce()) -> Duration {
    let waited = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        Duration::from_nanos(text.split_whitespace().nth(1).map_or(0, |waited| waited.parse().unwrap()))
    };
    let before = waited();
    what();
    waited() - before
}

#[test]
fn a_blocked_runtime_is_seen_and_no_other() {
    let _alone = alone();
    for block_by in WAYS {
        let watch = Watch::start(&PauseOptions::default());
        let (blocked, other) = (Driven::start(), Driven::start());
        watch.runtimes.watch("blocked", &blocked.handle);
        watch.runtimes.watch("other", &other.handle);
        warm(&watch);
        for part in 0..6 {
            // Of any phase to the tick.
            thread::sleep(Duration::from_millis(17 * part));
            blocks(&watch, "blocked", &blocked.handle, block_by);
        }
        assert_is_left_alone(&watch, "other");
    }
}

#[test]
fn one_blocked_worker_of_four_is_seen() {
    let _alone = alone();
    for block_by in WAYS {
        let watch = Watch::start(&PauseOptions::default());
        let (four, other) = (workers(4), Driven::start());
        watch.runtimes.watch("four", four.handle());
        watch.runtimes.watch("other", &other.handle);
        warm(&watch);
        for part in 0..6 {
            thread::sleep(Duration::from_millis(17 * part));
            blocks(&watch, "four", four.handle(), block_by);
        }
        assert_is_left_alone(&watch, "other");
    }
}

#[test]
fn a_runtime_that_is_stuck_is_seen_before_it_goes_on() {
    let _alone = alone();
    let watch = Watch::start(&PauseOptions::default());
    let stuck = Driven::start();
    watch.runtimes.watch("stuck", &stuck.handle);
    warm(&watch);
    let (release, released) = mpsc::channel::<()>();
    stuck.handle.spawn(async move { released.recv() });
    let long = Duration::from_millis(500);
    let ongoing = || watch.pauses().ongoing().into_iter().find(|pause| pause.scope == PauseScope::Runtime);
    until("it is seen to stand still", || ongoing().is_some_and(|pause| pause.duration >= long));
    let pause = ongoing().unwrap();
    assert_eq!((pause.runtime.as_deref(), pause.worker), (Some("stuck"), Some(0)));
    let told = watch.pipeline.collect();
    let told = told.point("rust.pause.ongoing.duration", "tokio.runtime.name", "stuck").unwrap();
    assert!(told.value >= 0.5, "{told:?}");
    // On a machine that others work on, there may have been shorter ones.
    let is_over = || watch.blocked("stuck").iter().any(|pause| pause.duration >= long);
    assert!(!is_over());
    drop(release);
    until("it goes on", || ongoing().is_none());
    until("it is told", is_over);
}

#[test]
fn a_pause_shorter_than_a_tick_is_as_long_as_it_was_when_a_tick_falls_into_it() {
    let _alone = alone();
    let watch = Watch::start(&PauseOptions::default());
    let blocked = Driven::start();
    watch.runtimes.watch("blocked", &blocked.handle);
    warm(&watch);
    let mut made = Vec::new();
    until("a tick falls into one, and it is seen as it was", || {
        let before = watch.pauses_of("blocked").len();
        // Of any phase to the tick.
        thread::sleep(Duration::from_millis(37 * made.len() as u64 % 100));
        made.push(block(&blocked.handle, || spin(Duration::from_millis(60))));
        // By the next tick it is known.
        let stamped = stamps(&watch, "blocked");
        until("the next stamp is back", || stamps(&watch, "blocked") > stamped + 1);
        let seen = watch.pauses_of("blocked");
        let Some(pause) = seen.iter().skip(before).max_by_key(|pause| pause.duration) else { return false };
        near(pause.duration, *made.last().unwrap())
    });
}

#[test]
fn all_of_a_long_wait_is_in_the_delays_and_once_in_the_pauses() {
    let _alone = alone();
    let watch = Watch::start(&PauseOptions::default());
    let blocked = Driven::start();
    watch.runtimes.watch("blocked", &blocked.handle);
    warm(&watch);
    let mut made = 0;
    until("all of one is counted", || {
        let before = Long::of(&watch);
        let _ = block(&blocked.handle, || thread::sleep(Duration::from_millis(1_050)));
        made += 1;
        until("its stamp is back", || Long::of(&watch).delays > before.delays);
        // By the next one it is known what it was.
        let stamped = stamps(&watch, "blocked");
        until("the next stamp is back", || stamps(&watch, "blocked") > stamped);
        let after = Long::of(&watch);
        assert!(after.pauses <= made, "each is one at most: {after:?}");
        // A stamp each tick would have waited for 950 ms and more, 850 and more, and so on. On a machine that others work on,
        // the tick may be late, or the whole process.
        (8..=10).contains(&(after.delays - before.delays)) && after.pauses > before.pauses
    });
}

/// How many there were by now of more than 100 ms, and of more than 500.
#[derive(Debug)]
struct Long {
    delays: u64,
    pauses: u64,
}

impl Long {
    fn of(watch: &Watch) -> Self {
        let collected = watch.pipeline.collect();
        let count = |name: &str, (key, value): (&str, &str), most: f64| {
            let points = collected.metric(name).map(|metric| &metric.points[..]).unwrap_or_default();
            let points = points.iter().filter(|point| point.attributes[key] == value);
            let long = points.flat_map(|point| &point.buckets).filter(|(bound, _)| *bound > most);
            long.map(|(_, count)| count).sum()
        };
        Long {
            delays: count("tokio.schedule.delay", ("tokio.runtime.name", "blocked"), 0.1),
            pauses: count("rust.pause.duration", ("rust.pause.cause", "blocked_executor"), 0.5),
        }
    }
}

#[test]
fn a_runtime_that_is_stuck_for_ever_takes_no_memory() {
    let _alone = alone();
    let watch = Watch::start(&quick());
    let (stuck, goes_on) = (Driven::start(), Driven::start());
    watch.runtimes.watch("stuck", &stuck.handle);
    watch.runtimes.watch("goes-on", &goes_on.handle);
    warm(&watch);
    let (release, released) = mpsc::channel::<()>();
    stuck.handle.spawn(async move { released.recv() });
    until("it is seen", || !watch.pauses().ongoing().is_empty());
    let tasks = stuck.handle.metrics().num_alive_tasks();
    until("ticks go on", || {
        let stamped = stamps(&watch, "goes-on");
        let objects = || otel_vitals_alloc::counts().unwrap().objects();
        let before = objects();
        // What is collected meanwhile would be counted, too.
        thread::sleep(Duration::from_secs(1));
        let grown = objects().saturating_sub(before);
        assert!(grown < 50, "{grown} blocks in some 200 ticks");
        stamps(&watch, "goes-on") > stamped + 50
    });
    assert_eq!(stuck.handle.metrics().num_alive_tasks(), tasks);
    drop(release);
}

#[test]
fn runtimes_that_come_and_go_leave_nothing_behind() {
    let _alone = alone();
    let watch = Watch::start(&quick());
    let come_and_go = |times: usize| {
        for _ in 0..times {
            let runtime = Driven::start();
            watch.runtimes.watch("short", &runtime.handle);
        }
        let settled = Driven::start();
        watch.runtimes.watch("settled", &settled.handle);
        until("the monitor has caught up", || stamps(&watch, "settled") > 1);
        drop(settled);
        until("all are gone", || watch.runtimes.names().is_empty());
        let descriptors = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        (otel_vitals_alloc::counts().unwrap().objects(), descriptors)
    };
    let (before, after) = (come_and_go(100), come_and_go(1_000));
    assert!(after.0 < before.0 + 200, "{before:?} {after:?}");
    assert!(after.1 < before.1 + 20, "{before:?} {after:?}");
    let series = watch.pipeline.collect().metric("tokio.schedule.delay").unwrap().points.len();
    assert!(series <= 2, "{series}");
}

#[test]
fn go_finds_them_where_it_has_its_own() {
    let _alone = alone();
    let watch = Watch::start(&PauseOptions::default());
    let blocked = Driven::start();
    watch.runtimes.watch("blocked", &blocked.handle);
    warm(&watch);
    let started = SystemTime::now();
    let _ = block(&blocked.handle, || spin(BLOCK));
    until("the pause is seen", || !watch.pauses_of("blocked").is_empty());
    let mut stats = MemStats::read();
    let mut last = Vec::new();
    until("none comes meanwhile", || {
        watch.pauses().fill(&mut stats);
        last = watch.pauses().last();
        u64::from(stats.num_gc) == watch.pauses().count()
    });
    assert_eq!(stats.pause_total_ns, last.iter().map(|pause| pause.duration.as_nanos() as u64).sum::<u64>());
    let newest = (stats.num_gc as usize + 255) % 256;
    let pause = last.last().unwrap();
    assert_eq!(u128::from(stats.pause_ns[newest]), pause.duration.as_nanos());
    let ended = pause.ended_at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(u128::from(stats.pause_end[newest]), ended.as_nanos());
    assert!(pause.ended_at >= started && pause.ended_at <= SystemTime::now());
}

#[test]
fn without_a_watch_there_is_no_thread_and_nothing_is_told() {
    let _alone = alone();
    let pipeline = InMemory::new();
    let meter = pipeline.provider().meter_with_scope(otel_vitals_runtime::scope());
    let context = SourceContext::new(&meter, Duration::ZERO);
    let mut options = PauseOptions::default();
    options.enabled = false;
    assert!(PauseMonitor::start(&meter, &context, &Runtimes::default(), &options).unwrap().is_none());
    assert_eq!(pipeline.collect().names(), Vec::<&str>::new());
    let pauses = Pauses::default();
    assert_eq!(
        (pauses.count(), pauses.total(), pauses.last(), pauses.ongoing()),
        (0, Duration::ZERO, vec![], vec![])
    );
}

#[test]
fn a_watch_that_is_stopped_ends_its_thread_and_its_series() {
    let _alone = alone();
    let watch = Watch::start(&PauseOptions::default());
    let runtime = Driven::start();
    watch.runtimes.watch("main", &runtime.handle);
    warm(&watch);
    assert!(watch.pipeline.collect().metric("rust.pause.ongoing.duration").is_some());
    watch.monitor.stop();
    until("its thread ends", || !threads().contains(&"vitals-pauses".to_owned()));
    until("its gauge ends", || watch.pipeline.collect().metric("rust.pause.ongoing.duration").is_none());
    assert_eq!(watch.pauses().ongoing(), []);
}

fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect()
}
