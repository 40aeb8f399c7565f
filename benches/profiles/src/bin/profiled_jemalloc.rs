//! jemalloc, built with its own profiler, which its configuration turns on.

use std::process::ExitCode;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    benches_profiles::program::main()
}
