//! The system's allocator, counted by pprof-alloc.

use pprof_alloc::PprofAlloc;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: PprofAlloc = PprofAlloc::new().with_stats();

fn main() -> ExitCode {
    benches_allocator::program::main()
}
