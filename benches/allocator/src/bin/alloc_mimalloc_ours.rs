//! mimalloc, counted by otel-vitals.

use mimalloc::MiMalloc;
use otel_vitals_alloc::Counting;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Counting<MiMalloc> = Counting::new(MiMalloc);

fn main() -> ExitCode {
    benches_allocator::program::main()
}
