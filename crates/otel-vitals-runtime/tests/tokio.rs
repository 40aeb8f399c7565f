//! What runtimes do is what their metrics show.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod scheduler;

use scheduler::{MAIN, Watch, block, compute, current_thread, multi_thread};
use std::future;
use std::time::{Duration, Instant};
use test_harness::Instrument;

#[test]
fn busy_time_is_what_the_clock_says() {
    let started = Instant::now();
    let runtime = current_thread();
    let watch = Watch::of(&runtime);
    let computed = runtime.block_on(async {
        let task = tokio::spawn(async {
            let started = Instant::now();
            compute(Duration::from_millis(200));
            started.elapsed()
        });
        task.await.unwrap()
    });
    // The runtime tells when it has come to an end with it.
    runtime.block_on(async {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    });
    let busy = watch.wait("tokio.worker.busy.time", |busy| busy >= computed.as_secs_f64());
    assert!(busy <= started.elapsed().as_secs_f64(), "{busy} s busy in {:?}", started.elapsed());
}

#[test]
fn a_worker_that_waits_for_work_is_not_busy_and_one_that_is_blocked_is() {
    const BLOCKED: Duration = Duration::from_millis(200);
    let runtime = multi_thread(2);
    let watch = Watch::of(&runtime);
    runtime.block_on(runtime.spawn(async {})).unwrap();
    let before = watch.wait("tokio.worker.parks", |parks| parks >= 2.0);
    let idle_since = Instant::now();
    let idle_before = watch.main("tokio.worker.busy.time");
    std::thread::sleep(BLOCKED);
    let idle = watch.main("tokio.worker.busy.time") - idle_before;
    assert!(idle < idle_since.elapsed().as_secs_f64() / 2.0, "{idle} s busy with nothing to do");

    runtime.block_on(runtime.spawn(async { std::thread::sleep(BLOCKED) })).unwrap();
    let least = BLOCKED.as_secs_f64();
    let busy = watch.wait("tokio.worker.busy.time", |busy| busy - idle_before >= least) - idle_before;
    // Two workers, of which one was blocked.
    assert!(busy < 2.0 * idle_since.elapsed().as_secs_f64(), "{busy} s busy");
    assert!(watch.main("tokio.worker.parks") >= before);
}

#[test]
fn tasks_are_those_that_are_alive_without_ours() {
    let runtime = multi_thread(2);
    let watch = Watch::of(&runtime);
    assert_eq!(watch.main("tokio.task.count"), 0.0);
    let tasks: Vec<_> = (0..17).map(|_| runtime.spawn(future::pending::<()>())).collect();
    assert_eq!(watch.main("tokio.task.count"), 17.0);
    for task in tasks.iter().take(10) {
        task.abort();
    }
    watch.wait("tokio.task.count", |count| count == 7.0);
    assert_eq!(watch.main("tokio.worker.count"), 2.0);
}

#[test]
fn the_global_queue_grows_while_the_only_worker_is_blocked() {
    let runtime = multi_thread(1);
    let watch = Watch::of(&runtime);
    let blocked = block(runtime.handle());
    assert_eq!(watch.main("tokio.global_queue.length"), 0.0);
    let tasks: Vec<_> = (0..50).map(|_| runtime.spawn(async {})).collect();
    assert_eq!(watch.main("tokio.global_queue.length"), 50.0);
    assert_eq!(watch.main("tokio.task.count"), 51.0);
    drop(blocked);
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
    watch.wait("tokio.task.count", |count| count == 0.0);
    assert_eq!(watch.main("tokio.global_queue.length"), 0.0);
}

#[test]
fn parks_rise_with_every_pause() {
    let runtime = multi_thread(1);
    let watch = Watch::of(&runtime);
    let mut parks = watch.main("tokio.worker.parks");
    for _ in 0..5 {
        runtime.block_on(runtime.spawn(async {})).unwrap();
        parks = watch.wait("tokio.worker.parks", |now| now > parks);
    }
}

#[test]
fn workers_have_series_of_their_own_when_asked_for() {
    let runtime = multi_thread(3);
    let watch = Watch::new(true);
    watch.runtimes.watch("main", runtime.handle());
    let collection = watch.collect();
    for name in ["tokio.worker.busy.time", "tokio.worker.parks"] {
        let points = &collection.metric(name).unwrap().points;
        let mut indexes: Vec<_> =
            points.iter().map(|point| point.attributes["tokio.worker.index"].as_str()).collect();
        indexes.sort_unstable();
        assert_eq!(indexes, ["0", "1", "2"], "{name}");
        for point in points {
            assert_eq!(point.types["tokio.worker.index"], "int");
            assert_eq!(point.attributes["tokio.runtime.name"], "main");
        }
    }
    assert_eq!(collection.value("tokio.worker.count", MAIN), Some(3.0));
}

#[test]
fn a_runtime_leaves_with_its_series() {
    let watch = Watch::new(false);
    assert_eq!(watch.collect().names(), Vec::<&str>::new());
    let (first, second) = (current_thread(), multi_thread(2));
    watch.runtimes.watch("first", first.handle());
    watch.runtimes.watch("second", second.handle());
    let of = |name| [("tokio.runtime.name", name)];
    let both = watch.collect();
    assert_eq!(both.value("tokio.worker.count", &of("first")), Some(1.0));
    assert_eq!(both.value("tokio.worker.count", &of("second")), Some(2.0));
    drop(second);
    let one = watch.collect();
    for metric in &one.metrics {
        assert!(
            metric.points.iter().all(|point| point.attributes["tokio.runtime.name"] == "first"),
            "{metric:?}"
        );
    }
    drop(first);
    assert_eq!(watch.collect().names(), Vec::<&str>::new());
}

#[test]
fn the_stable_metrics_are_as_declared() {
    let runtime = current_thread();
    let watch = Watch::of(&runtime);
    let collection = watch.collect();
    for (name, instrument, unit, integer) in [
        ("tokio.worker.count", Instrument::UpDownCounter, "{worker}", true),
        ("tokio.task.count", Instrument::UpDownCounter, "{task}", true),
        ("tokio.global_queue.length", Instrument::UpDownCounter, "{task}", true),
        ("tokio.worker.busy.time", Instrument::Counter, "s", false),
        ("tokio.worker.parks", Instrument::Counter, "{park}", true),
    ] {
        let metric = collection.metric(name).unwrap();
        assert_eq!(
            (metric.instrument, metric.unit.as_str(), metric.integer),
            (instrument, unit, integer),
            "{name}"
        );
    }
    // Of this runtime all but the poll times.
    let all = if cfg!(tokio_unstable) { 17 } else { 5 };
    assert_eq!(collection.metrics.len(), all, "{:?}", collection.names());
}
