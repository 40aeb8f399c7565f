//! The system's allocator.

use std::process::ExitCode;

fn main() -> ExitCode {
    benches_profiles::program::main()
}
