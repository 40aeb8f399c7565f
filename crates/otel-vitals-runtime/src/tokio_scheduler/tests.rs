use super::*;
use otel_vitals_core::Reading as _;
use std::future;
use std::sync::atomic::Ordering;
use tokio::runtime::Builder;

fn runtime() -> tokio::runtime::Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn names(reading: &Reading) -> Vec<String> {
    reading.runtimes.iter().map(|runtime| runtime.attributes[0].value.to_string()).collect()
}

#[test]
fn a_runtime_comes_and_leaves_with_its_row() {
    let (runtimes, mut reading) = (Runtimes::default(), Reading::default());
    read(&runtimes, false, &mut reading);
    assert!(reading.runtimes.is_empty());
    let (first, second) = (runtime(), runtime());
    runtimes.watch("first", first.handle());
    runtimes.watch("second", second.handle());
    read(&runtimes, false, &mut reading);
    assert_eq!(names(&reading), ["first", "second"]);
    drop(first);
    read(&runtimes, false, &mut reading);
    assert_eq!(names(&reading), ["second"]);
    drop(second);
    // Whose name is free again.
    let other = runtime();
    runtimes.watch("second", other.handle());
    other.spawn(future::pending::<()>());
    read(&runtimes, false, &mut reading);
    assert_eq!(names(&reading), ["second"]);
    assert_eq!(reading.runtimes.iter().next().unwrap().scheduler.tasks, Some(1));
}

#[test]
fn our_own_tasks_are_no_tasks_of_the_runtime_and_never_less_than_none() {
    let (runtimes, mut reading) = (Runtimes::default(), Reading::default());
    let runtime = runtime();
    runtimes.watch("main", runtime.handle());
    for (own, expected) in [(1, 2), (3, 0), (7, 0)] {
        if expected == 2 {
            runtime.spawn(future::pending::<()>());
            runtime.spawn(future::pending::<()>());
        }
        runtimes.for_each(|watched| watched.own_tasks.store(own, Ordering::Relaxed));
        read(&runtimes, false, &mut reading);
        assert_eq!(reading.runtimes.iter().next().unwrap().scheduler.tasks, Some(expected));
    }
}

#[test]
fn workers_are_one_row_together_or_one_each() {
    let runtimes = Runtimes::default();
    let runtime = Builder::new_multi_thread().worker_threads(3).build().unwrap();
    runtimes.watch("main", runtime.handle());
    let rows = |per_worker| {
        let mut reading = Reading::default();
        read(&runtimes, per_worker, &mut reading);
        let runtime = reading.runtimes.iter().next().unwrap();
        assert_eq!(runtime.scheduler.workers, Some(3));
        runtime
            .workers
            .iter()
            .map(|workers| (workers.which.clone(), workers.attributes.len()))
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(false), [(0..3, 1)]);
    assert_eq!(rows(true), [(0..1, 2), (1..2, 2), (2..3, 2)]);
}

#[test]
fn what_was_read_is_forgotten_and_its_rows_are_kept() {
    let (runtimes, mut reading) = (Runtimes::default(), Reading::default());
    let runtime = runtime();
    runtimes.watch("main", runtime.handle());
    read(&runtimes, true, &mut reading);
    reading.clear();
    let runtime = reading.runtimes.iter().next().unwrap();
    assert_eq!(runtime.scheduler, Scheduler::default());
    assert!(runtime.workers.iter().all(|workers| workers.work == Work::default()));
    assert!(runtime.workers.iter().all(|workers| workers.more == unstable::Work::default()));
}
