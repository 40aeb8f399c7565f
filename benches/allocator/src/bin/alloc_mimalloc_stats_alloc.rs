//! mimalloc, counted by stats_alloc.

use benches_allocator::stats_alloc::in_front_of;
use mimalloc::MiMalloc;
use stats_alloc::StatsAlloc;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: StatsAlloc<MiMalloc> = in_front_of(MiMalloc);

fn main() -> ExitCode {
    benches_allocator::program::main()
}
