//! An allocator that does nothing, counted by cap.

use benches_allocator::null::Null;
use cap::Cap;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Cap<Null> = Cap::new(Null, usize::MAX);

fn main() -> ExitCode {
    benches_allocator::program::main()
}
