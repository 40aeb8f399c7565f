//! What mimalloc tells, as metrics and as `MemStats`.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod told;

use mimalloc::MiMalloc;
use otel_vitals_alloc::Counting;

#[global_allocator]
static ALLOCATOR: Counting<MiMalloc> = Counting::new(MiMalloc);

#[test]
fn what_mimalloc_knows_arrives_and_fits() {
    told::arrives("mimalloc", &["allocated", "cached"]);
}
