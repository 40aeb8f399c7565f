//! An allocator that does nothing, counted by stats_alloc.

use benches_allocator::null::Null;
use benches_allocator::stats_alloc::in_front_of;
use stats_alloc::StatsAlloc;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: StatsAlloc<Null> = in_front_of(Null);

fn main() -> ExitCode {
    benches_allocator::program::main()
}
