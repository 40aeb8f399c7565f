//! What jemalloc tells, as metrics and as `MemStats`.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod told;

use otel_vitals_alloc::Counting;
use otel_vitals_runtime::MemStats;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Counting<Jemalloc> = Counting::new(Jemalloc);

#[test]
fn all_states_of_jemalloc_arrive_and_fit() {
    // jemalloc takes locks to gather what it tells, so a snapshot does not ask it, and shows what a collection gathered.
    let before = MemStats::read();
    assert_eq!((before.heap_sys, before.heap_released), (before.heap_alloc, 0));
    told::arrives("jemalloc", &["allocated", "fragmented", "metadata", "cached", "retained"]);
    let after = MemStats::read();
    assert!(after.heap_sys > after.heap_inuse && after.heap_inuse > after.heap_alloc, "{after:?}");
}
