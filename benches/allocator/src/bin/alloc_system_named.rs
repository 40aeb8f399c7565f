//! The system's allocator, by name.

use std::alloc::System;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: System = System;

fn main() -> ExitCode {
    benches_allocator::program::main()
}
