//! Descriptors and threads are counted to the last one. One test: another one running beside it would open and
//! start its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(all(target_os = "linux", not(otel_vitals_portable)))]

use otel_vitals_core::SourceContext;
use otel_vitals_runtime::ProcessOptions;
use std::fs::{self, File};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};
use test_harness::InMemory;

struct Subject(InMemory);

impl Subject {
    fn new() -> Self {
        let pipeline = InMemory::new();
        let meter = pipeline.meter("truth");
        let context = SourceContext::new(&meter, Duration::ZERO);
        otel_vitals_runtime::register(&meter, &context, &ProcessOptions::default());
        // The first collection opens the files that stay open.
        let _opened = pipeline.collect();
        Subject(pipeline)
    }

    fn descriptors(&self) -> f64 {
        self.0.collect().value("process.unix.file_descriptor.count", &[]).unwrap()
    }

    fn threads(&self) -> f64 {
        self.0.collect().value("process.thread.count", &[]).unwrap()
    }
}

/// What the folder lists, less the descriptor that lists it.
fn listed_descriptors() -> f64 {
    fs::read_dir("/proc/self/fd").unwrap().count() as f64 - 1.0
}

fn listed_threads() -> f64 {
    fs::read_dir("/proc/self/task").unwrap().count() as f64
}

#[test]
fn descriptors_and_threads_are_counted_exactly() {
    let subject = Subject::new();
    descriptors(&subject);
    threads(&subject);
}

fn descriptors(subject: &Subject) {
    let before = subject.descriptors();
    assert_eq!(before, listed_descriptors());
    let open: Vec<_> = (0..10).map(|_| File::open("/dev/null").unwrap()).collect();
    assert_eq!(subject.descriptors(), before + 10.0);
    assert_eq!(subject.descriptors(), listed_descriptors());
    drop(open);
    assert_eq!(subject.descriptors(), before);
}

fn threads(subject: &Subject) {
    let before = subject.threads();
    assert_eq!(before, listed_threads());
    let barrier = Arc::new(Barrier::new(6));
    let wait = || {
        let barrier = Arc::clone(&barrier);
        move || {
            barrier.wait();
        }
    };
    let started: Vec<_> = (0..5).map(|_| std::thread::spawn(wait())).collect();
    assert_eq!(subject.threads(), before + 5.0);
    assert_eq!(subject.threads(), listed_threads());
    barrier.wait();
    started.into_iter().for_each(|thread| thread.join().unwrap());
    // Joining waits for the thread's end as the program sees it; the kernel is a moment behind.
    let deadline = Instant::now() + Duration::from_secs(60);
    while subject.threads() != before {
        assert!(Instant::now() < deadline, "{} threads, {before} expected", subject.threads());
    }
}
