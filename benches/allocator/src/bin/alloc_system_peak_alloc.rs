//! The system's allocator, counted by peak_alloc.

use peak_alloc::PeakAlloc;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

fn main() -> ExitCode {
    benches_allocator::program::main()
}
