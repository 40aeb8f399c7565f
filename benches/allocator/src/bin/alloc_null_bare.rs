//! An allocator that does nothing.

use benches_allocator::null::Null;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Null = Null;

fn main() -> ExitCode {
    benches_allocator::program::main()
}
