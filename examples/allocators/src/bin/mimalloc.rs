//! The document store with mimalloc: `cargo run --release -p allocators --bin mimalloc`

use mimalloc::MiMalloc;
use otel_vitals::alloc::Counting;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Counting<MiMalloc> = Counting::new(MiMalloc);

fn main() -> ExitCode {
    allocators::run()
}
