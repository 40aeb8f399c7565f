//! Keeps 100 MiB at one line, on jemalloc.

use otel_vitals_alloc::Counting;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Counting<Jemalloc> = Counting::new(Jemalloc);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    profiles::leak::main()
}
