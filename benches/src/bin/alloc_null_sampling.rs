//! An allocator that does nothing, counted and sampled by otel-vitals.
#![allow(clippy::unwrap_used, reason = "a bench that does not sample has nothing to tell")]

use benches::allocator::null::Null;
use otel_vitals_alloc::Counting;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Counting<Null> = Counting::new(Null);

fn main() -> ExitCode {
    benches::allocator::sample().unwrap();
    benches::allocator::program::main()
}
