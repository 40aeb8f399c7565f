//! The system's allocator, as a program gets it that says nothing.

use std::process::ExitCode;

fn main() -> ExitCode {
    benches_allocator::program::main()
}
