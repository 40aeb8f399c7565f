//! Heap allocations, where a program's global allocator is [`otel_vitals_alloc::Counting`].

use otel_vitals_alloc::counts;

/// Allocations and reallocations of all threads while `work` runs.
pub fn during(work: impl FnOnce()) -> u64 {
    // A reallocation is one of them.
    let allocations = || counts().map_or(0, |counts| counts.allocations);
    let before = allocations();
    work();
    allocations() - before
}
