//! The system's allocator, counted by cap.

use cap::Cap;
use std::alloc::System;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

fn main() -> ExitCode {
    benches_allocator::program::main()
}
