//! jemalloc, counted by stats_alloc.

use benches_allocator::stats_alloc::in_front_of;
use stats_alloc::StatsAlloc;
use std::process::ExitCode;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: StatsAlloc<Jemalloc> = in_front_of(Jemalloc);

fn main() -> ExitCode {
    benches_allocator::program::main()
}
