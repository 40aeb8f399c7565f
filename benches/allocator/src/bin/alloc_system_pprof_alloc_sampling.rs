//! The system's allocator, sampled by pprof-alloc.

use pprof_alloc::PprofAlloc;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: PprofAlloc = PprofAlloc::new().with_pprof();

fn main() -> ExitCode {
    benches_allocator::program::main()
}
