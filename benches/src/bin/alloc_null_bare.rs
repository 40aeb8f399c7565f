//! An allocator that does nothing.

use benches::allocator::null::Null;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Null = Null;

fn main() -> ExitCode {
    benches::allocator::program::main()
}
