//! The document store with the system's allocator: `cargo run --release -p allocators --bin system`

use otel_vitals::alloc::Counting;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Counting = Counting::system();

fn main() -> ExitCode {
    allocators::run()
}
