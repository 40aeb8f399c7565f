//! The document store with jemalloc: `cargo run --release -p allocators --bin jemalloc`

use otel_vitals::alloc::Counting;
use std::process::ExitCode;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Counting<Jemalloc> = Counting::new(Jemalloc);

fn main() -> ExitCode {
    allocators::run()
}
