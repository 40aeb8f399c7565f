//! Without a counting allocator there is no `rust.*`, and the log says once how to get it. One test: what is said once
//! is said to the first.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use otel_vitals_core::SourceContext;
use otel_vitals_runtime::{AllocatorOptions, MemStats, ProcessOptions};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use test_harness::InMemory;
use tracing::field::{Field, Visit};

/// What was logged.
#[derive(Default)]
struct Logged(Mutex<Vec<String>>);

impl Visit for &Logged {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

impl tracing::Subscriber for Logged {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "otel_vitals" && *metadata.level() == tracing::Level::INFO
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut { self });
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// Everything that is measured with these options.
fn names(options: &AllocatorOptions) -> Vec<String> {
    let pipeline = InMemory::new();
    let meter = pipeline.meter("test");
    let context = SourceContext::new(&meter, Duration::ZERO);
    otel_vitals_runtime::register(&meter, &context, &ProcessOptions::default());
    otel_vitals_runtime::register_allocator(&meter, &context, options);
    pipeline.collect().names().into_iter().map(str::to_owned).collect()
}

#[test]
fn what_is_not_counted_is_absent_and_the_log_says_once_how_to_get_it() {
    let logged = Arc::<Logged>::default();
    tracing::subscriber::with_default(Arc::clone(&logged), || {
        let mut off = AllocatorOptions::default();
        off.enabled = false;
        assert!(!names(&off).is_empty());
        assert_eq!(logged.0.lock().unwrap().len(), 0, "who wants none is not told");
        let mut all = AllocatorOptions::default();
        all.size_classes = true;
        for _ in 0..2 {
            let names = names(&all);
            assert!(names.iter().any(|name| name.starts_with("process.")), "{names:?}");
            assert!(!names.iter().any(|name| name.starts_with("rust.")), "{names:?}");
        }
    });
    let logged = logged.0.lock().unwrap();
    let [line] = &logged[..] else { panic!("{logged:?}") };
    assert!(line.contains("#[global_allocator] static ALLOCATOR: otel_vitals::alloc::Counting = "), "{line}");
    assert!(!line.contains('\n'), "{line}");
}

#[test]
fn a_snapshot_of_what_is_not_counted_is_zero() {
    let stats = MemStats::read();
    assert_eq!((stats.alloc, stats.mallocs, stats.heap_sys, stats.sys), (0, 0, 0, 0));
    assert!(stats.by_size.iter().all(|class| class.size == 0));
}
