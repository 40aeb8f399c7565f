//! What a known allocator tells arrives: the states that it knows, under its name, and a snapshot in which they fit.

use otel_vitals_core::SourceContext;
use otel_vitals_runtime::{AllocatorOptions, MemStats};
use std::time::Duration;
use test_harness::{Collection, InMemory};

const STATES: [&str; 5] = ["allocated", "fragmented", "metadata", "cached", "retained"];
const HELD: u64 = 8 << 20;

pub(crate) fn arrives(name: &str, told: &[&str]) {
    let blocks: Vec<Vec<u8>> = (0..HELD >> 10).map(|_| vec![1; 1 << 10]).collect();
    let collection = collected();
    let sizes = STATES.map(|state| size(&collection, name, state));
    for (state, size) in STATES.iter().zip(sizes) {
        assert_eq!(size.is_some(), told.contains(state), "{state}: {size:?}");
    }
    assert_eq!(collection.metric("rust.allocator.memory.size").unwrap().points.len(), told.len());
    assert!(sizes[0].unwrap() >= HELD as f64, "{sizes:?}");
    fits(&MemStats::read());
    drop(blocks);
    fits(&MemStats::read());
}

fn collected() -> Collection {
    let pipeline = InMemory::new();
    let meter = pipeline.meter("test");
    let context = SourceContext::new(&meter, Duration::ZERO);
    otel_vitals_runtime::register_allocator(&meter, &context, &AllocatorOptions::default());
    pipeline.collect()
}

fn size(collection: &Collection, name: &str, state: &str) -> Option<f64> {
    let attributes = [("rust.allocator.memory.state", state), ("rust.allocator.name", name)];
    collection.value("rust.allocator.memory.size", &attributes)
}

/// As in Go.
fn fits(stats: &MemStats) {
    assert_eq!(stats.heap_sys, stats.heap_idle + stats.heap_inuse, "{stats:?}");
    assert!(stats.heap_inuse >= stats.heap_alloc, "{stats:?}");
    assert!(stats.heap_idle >= stats.heap_released, "{stats:?}");
    assert_eq!(stats.mallocs - stats.frees, stats.heap_objects);
    let parts = [stats.heap_sys, stats.stack_sys, stats.mspan_sys, stats.mcache_sys];
    let others = [stats.buck_hash_sys, stats.gc_sys, stats.other_sys];
    assert_eq!(stats.sys, parts.iter().chain(&others).sum::<u64>(), "{stats:?}");
}
