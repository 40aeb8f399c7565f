//! The system's allocator, sampled by pprof-alloc at 512 KiB.

use pprof_alloc::PprofAlloc;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: PprofAlloc = PprofAlloc::new().with_pprof();

fn main() -> ExitCode {
    benches_profiles::program::main()
}
