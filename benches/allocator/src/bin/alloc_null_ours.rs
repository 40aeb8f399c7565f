//! An allocator that does nothing, counted by otel-vitals.

use benches_allocator::null::Null;
use otel_vitals_alloc::Counting;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Counting<Null> = Counting::new(Null);

fn main() -> ExitCode {
    benches_allocator::program::main()
}
