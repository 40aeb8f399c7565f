//! The system's allocator, counted by otel-vitals.

use otel_vitals_alloc::Counting;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Counting = Counting::system();

fn main() -> ExitCode {
    benches_allocator::program::main()
}
