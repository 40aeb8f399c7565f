//! The system's allocator, counted by stats_alloc.

use stats_alloc::StatsAlloc;
use std::alloc::System;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: StatsAlloc<System> = StatsAlloc::system();

fn main() -> ExitCode {
    benches_allocator::program::main()
}
