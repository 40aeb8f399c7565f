//! Runtimes that come and go leave nothing behind: no entry, no series and no memory.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod scheduler;

use scheduler::{Watch, current_thread, multi_thread};

#[global_allocator]
static ALLOCATOR: otel_vitals_alloc::Counting = otel_vitals_alloc::Counting::system();

fn objects() -> i64 {
    otel_vitals_alloc::counts().unwrap().objects().try_into().unwrap()
}

fn bytes() -> i64 {
    otel_vitals_alloc::counts().unwrap().used().try_into().unwrap()
}

/// Has a runtime watched under a name that no other has, and collects with it and without it.
fn come_and_go(watch: &Watch, number: usize) {
    let runtime = if number.is_multiple_of(10) { multi_thread(2) } else { current_thread() };
    let name = format!("runtime-{number}");
    watch.runtimes.watch(&name, runtime.handle());
    runtime.spawn(std::future::pending::<()>());
    runtime.block_on(tokio::task::yield_now());
    let collection = watch.collect();
    assert!(!collection.metrics.is_empty());
    for metric in &collection.metrics {
        let names: Vec<_> =
            metric.points.iter().map(|point| &point.attributes["tokio.runtime.name"]).collect();
        assert!(names.iter().all(|seen| **seen == name), "{} has {names:?}", metric.name);
    }
    drop(runtime);
    assert_eq!(watch.runtimes.names(), Vec::<String>::new());
    assert_eq!(watch.collect().names(), Vec::<&str>::new());
}

/// The only test of its program, whose allocations are all counted.
#[test]
fn a_thousand_runtimes_leave_nothing_behind() {
    let watch = Watch::new(true);
    // What is made once, and grows to its size, is there then.
    (0..100).for_each(|number| come_and_go(&watch, number));
    let (objects_before, bytes_before) = (objects(), bytes());
    (100..1_100).for_each(|number| come_and_go(&watch, number));
    // A single block each would be a thousand.
    let (more_objects, more_bytes) = (objects() - objects_before, bytes() - bytes_before);
    assert!(more_objects < 50, "{more_objects} blocks more after 1,000 runtimes");
    assert!(more_bytes < 16 << 10, "{more_bytes} bytes more after 1,000 runtimes");
}
