//! What jemalloc tells, as metrics and as `MemStats`.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod told;

use otel_vitals_alloc::Counting;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Counting<Jemalloc> = Counting::new(Jemalloc);

#[test]
fn all_states_of_jemalloc_arrive_and_fit() {
    told::arrives("jemalloc", &["allocated", "fragmented", "metadata", "cached", "retained"]);
}
