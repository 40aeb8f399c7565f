//! jemalloc, counted by otel-vitals.

use otel_vitals_alloc::Counting;
use std::process::ExitCode;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Counting<Jemalloc> = Counting::new(Jemalloc);

fn main() -> ExitCode {
    benches_allocator::program::main()
}
