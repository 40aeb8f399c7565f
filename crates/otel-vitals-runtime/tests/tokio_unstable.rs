//! What runtimes do is what their metrics show, in a build with `--cfg tokio_unstable`.
#![cfg(tokio_unstable)]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod scheduler;

use scheduler::{MAIN, Watch, block_after, compute, current_thread, multi_thread, wait_until};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::task::{consume_budget, yield_now};

fn threads(watch: &Watch) -> [Option<f64>; 2] {
    let collection = watch.collect();
    ["busy", "idle"].map(|state| {
        let attributes = [MAIN[0], ("tokio.blocking.thread.state", state)];
        collection.value("tokio.blocking.thread.count", &attributes)
    })
}

#[test]
fn blocking_calls_have_threads_or_wait_for_one() {
    let runtime = Builder::new_current_thread().max_blocking_threads(3).build().unwrap();
    let watch = Watch::of(&runtime);
    assert_eq!(threads(&watch), [Some(0.0), Some(0.0)]);
    let mut releases = Vec::new();
    let calls: Vec<_> = (0..5)
        .map(|_| {
            let (release, released) = mpsc::channel::<()>();
            releases.push(release);
            runtime.spawn_blocking(move || released.recv().is_ok())
        })
        .collect();
    watch.wait("tokio.blocking.queue.length", |length| length == 2.0);
    assert_eq!(threads(&watch), [Some(3.0), Some(0.0)]);
    drop(releases);
    for call in calls {
        runtime.block_on(call).unwrap();
    }
    assert_eq!(watch.main("tokio.blocking.queue.length"), 0.0);
    wait_until(|| match threads(&watch) {
        [Some(0.0), Some(3.0)] => Ok(()),
        other => Err(format!("threads are {other:?}")),
    });
}

#[test]
fn workers_of_a_runtime_are_no_blocking_threads() {
    let runtime = multi_thread(2);
    let watch = Watch::of(&runtime);
    assert_eq!(threads(&watch), [Some(0.0), Some(0.0)]);
}

#[test]
fn polls_and_spawned_tasks_are_counted() {
    let runtime = multi_thread(1);
    let watch = Watch::of(&runtime);
    let before = watch.main("tokio.task.spawned");
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            runtime.spawn(async {
                for _ in 0..10 {
                    yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
    assert_eq!(watch.main("tokio.task.spawned"), before + 20.0);
    // Eleven times each, and ours once.
    assert_eq!(watch.wait("tokio.worker.polls", |polls| polls >= 221.0), 221.0);
    // Each was spawned from this thread, and ours was, too.
    assert!(watch.main("tokio.task.remote_schedules") >= 20.0);
    assert_eq!(watch.main("tokio.task.forced_yields"), 0.0);
}

#[test]
fn a_task_that_is_always_ready_is_forced_to_yield() {
    let runtime = multi_thread(1);
    let watch = Watch::of(&runtime);
    let greedy = runtime.spawn(async {
        for _ in 0..1_000 {
            consume_budget().await;
        }
    });
    runtime.block_on(greedy).unwrap();
    // The budget is 128.
    let yields = watch.main("tokio.task.forced_yields");
    assert!((7.0..=8.0).contains(&yields), "{yields}");
}

#[test]
fn tasks_wait_in_the_queue_of_the_worker_that_spawned_them_and_its_overflow_in_the_global_one() {
    let runtime = multi_thread(1);
    let watch = Watch::of(&runtime);
    let blocked = block_after(runtime.handle(), || (0..10).for_each(|_| drop(tokio::spawn(async {}))));
    let waiting = watch.main("tokio.worker.local_queue.length");
    // The newest may have a place of its own.
    assert!((9.0..=10.0).contains(&waiting), "{waiting} wait");
    assert_eq!(watch.main("tokio.global_queue.length"), 0.0);
    drop(blocked);
    watch.wait("tokio.worker.local_schedules", |schedules| schedules >= 10.0);
    watch.wait("tokio.task.count", |count| count == 0.0);
    assert_eq!(watch.main("tokio.worker.overflows"), 0.0);

    let blocked = block_after(runtime.handle(), || (0..1_000).for_each(|_| drop(tokio::spawn(async {}))));
    assert!(watch.main("tokio.global_queue.length") > 500.0);
    drop(blocked);
    watch.wait("tokio.worker.overflows", |overflows| overflows >= 1.0);
    watch.wait("tokio.worker.local_schedules", |schedules| schedules >= 1_010.0);
}

#[test]
fn a_worker_without_work_steals() {
    let runtime = multi_thread(2);
    let watch = Watch::of(&runtime);
    let done = Arc::new(AtomicUsize::new(0));
    let spawner = runtime.spawn(async move {
        for _ in 0..100 {
            let done = Arc::clone(&done);
            tokio::spawn(async move { done.fetch_add(1, Ordering::Relaxed) });
        }
        // They are in the queue of this worker, which does not run them: the other one does.
        while done.load(Ordering::Relaxed) < 50 {
            std::thread::yield_now();
        }
    });
    runtime.block_on(spawner).unwrap();
    watch.wait("tokio.worker.steal.tasks", |tasks| tasks >= 50.0);
    let operations = watch.wait("tokio.worker.steal.operations", |operations| operations >= 1.0);
    assert!(watch.main("tokio.worker.steal.tasks") >= operations);
}

#[test]
fn waking_for_nothing_is_counted() {
    let runtime = current_thread();
    let watch = Watch::of(&runtime);
    let before = watch.main("tokio.worker.noops");
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let waker = std::thread::spawn(move || (0..50).for_each(|_| sender.blocking_send(()).unwrap()));
    // What `block_on` was given is no task: the scheduler wakes, and has none to run.
    runtime.block_on(async { while receiver.recv().await.is_some() {} });
    waker.join().unwrap();
    assert!(watch.main("tokio.worker.noops") > before);
}

#[test]
fn polls_are_told_by_how_long_they_took() {
    let runtime =
        Builder::new_multi_thread().worker_threads(2).enable_metrics_poll_time_histogram().build().unwrap();
    let watch = Watch::of(&runtime);
    for _ in 0..3 {
        runtime.block_on(runtime.spawn(async { compute(Duration::from_millis(20)) })).unwrap();
    }
    // By default tokio's buckets are of 100 µs, up to a millisecond. Ours was polled once, too.
    assert_eq!(watch.wait("tokio.worker.polls", |polls| polls >= 4.0), 4.0);
    let collection = wait_until(|| {
        let collection = watch.collect();
        let sum = collection.sum("tokio.task.poll_time.polls").unwrap();
        if sum == 4.0 { Ok(collection) } else { Err(format!("{sum} poll times")) }
    });
    let long = [MAIN[0], ("tokio.task.poll_time.bound", "+Inf")];
    assert!(collection.value("tokio.task.poll_time.polls", &long) >= Some(3.0));
    assert_eq!(collection.metric("tokio.task.poll_time.polls").unwrap().points.len(), 10);
}

#[test]
fn without_the_histogram_there_are_no_poll_times() {
    let runtime = multi_thread(1);
    let watch = Watch::of(&runtime);
    assert!(watch.collect().metric("tokio.task.poll_time.polls").is_none());
    assert!(watch.collect().metric("tokio.worker.polls").is_some());
}
