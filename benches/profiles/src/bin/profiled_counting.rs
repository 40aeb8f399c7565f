//! The system's allocator, counted, and sampled where asked.

use otel_vitals_alloc::Counting;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Counting = Counting::system();

fn main() -> ExitCode {
    benches_profiles::program::main()
}
