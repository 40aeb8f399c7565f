//! jemalloc, counted and sampled by otel-vitals.
#![allow(clippy::unwrap_used, reason = "a bench that does not sample has nothing to tell")]

use otel_vitals_alloc::Counting;
use std::process::ExitCode;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Counting<Jemalloc> = Counting::new(Jemalloc);

fn main() -> ExitCode {
    benches_allocator::sample().unwrap();
    benches_allocator::program::main()
}
