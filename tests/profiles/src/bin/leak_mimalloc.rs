//! Keeps 100 MiB at one line, on mimalloc.

use mimalloc::MiMalloc;
use otel_vitals_alloc::Counting;

#[global_allocator]
static ALLOCATOR: Counting<MiMalloc> = Counting::new(MiMalloc);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    profiles::leak::main()
}
