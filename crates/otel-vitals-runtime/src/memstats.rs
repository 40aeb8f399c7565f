//! What Go's `runtime.ReadMemStats` tells, of a Rust program.
//!
//! `docs/memstats.md` of the repository has the table: each field with Go's meaning and our source by allocator.

mod json;
mod sources;

use otel_vitals_alloc::{allocator, counts, own_size, thread_stacks};
use sources::Sources;

/// A snapshot with every field of Go's `runtime.MemStats`, in Go's order, so that what reads a Go program reads a Rust
/// program too.
///
/// What Rust has no counterpart of is zero, because Go's consumers know no absent fields: see each field. Without an
/// [`otel_vitals_alloc::Counting`] as the program's global allocator, all of it but the pauses is zero.
///
/// ```
/// use otel_vitals_runtime::MemStats;
///
/// #[global_allocator]
/// static ALLOCATOR: otel_vitals_alloc::Counting = otel_vitals_alloc::Counting::system();
///
/// # fn main() {
/// let block = vec![0_u8; 1 << 20];
/// let stats = MemStats::read();
/// assert!(stats.heap_alloc >= 1 << 20);
/// assert!(stats.to_json().starts_with("{\"Alloc\":"));
/// # drop(block);
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MemStats {
    /// Bytes that are allocated and not freed: the same as `heap_alloc`.
    pub alloc: u64,
    /// Bytes allocated since the start; what is freed is still in it.
    pub total_alloc: u64,
    /// Bytes got from the system: the sum of all fields that end in `sys`. Address space, not resident memory.
    pub sys: u64,
    /// Zero: there are no pointer look-ups.
    pub lookups: u64,
    /// Blocks allocated since the start. A reallocation counts as one.
    pub mallocs: u64,
    /// Blocks freed since the start. A reallocation counts as one.
    pub frees: u64,
    /// Bytes that are allocated and not freed, as they were asked for.
    pub heap_alloc: u64,
    /// Bytes of address space that the allocator has for blocks; where it does not tell, `heap_inuse`.
    pub heap_sys: u64,
    /// `heap_sys` less `heap_inuse`: bytes of free pages.
    pub heap_idle: u64,
    /// Bytes in pages of which some blocks are allocated; where the allocator does not tell, `heap_alloc`.
    pub heap_inuse: u64,
    /// Bytes of free pages without memory behind them; zero where the allocator does not tell.
    pub heap_released: u64,
    /// Blocks that are allocated and not freed.
    pub heap_objects: u64,
    /// Bytes of the stacks of all threads that allocate, as their address space is reserved; zero where the system does
    /// not tell (anywhere but Linux).
    pub stack_inuse: u64,
    /// The same as `stack_inuse`.
    pub stack_sys: u64,
    /// Zero: what an allocator needs for its pages is in `other_sys`.
    pub mspan_inuse: u64,
    /// Zero, likewise.
    pub mspan_sys: u64,
    /// Zero, likewise.
    pub mcache_inuse: u64,
    /// Zero, likewise.
    pub mcache_sys: u64,
    /// Bytes of the tables of the heap profile; zero until [`fill_profile_tables`](MemStats::fill_profile_tables) puts them in.
    pub buck_hash_sys: u64,
    /// Zero: there is no garbage collector.
    pub gc_sys: u64,
    /// Bytes of the allocator's own tables, as far as it tells, and of our counters.
    pub other_sys: u64,
    /// Zero: there is no garbage collector.
    pub next_gc: u64,
    /// Zero: there is no garbage collector.
    pub last_gc: u64,
    /// Nanoseconds in pauses of the process and of its runtimes since the start. This and the other three fields of pauses
    /// are zero until [`Pauses::fill`](crate::Pauses::fill) puts in what a [`PauseMonitor`](crate::PauseMonitor) has seen.
    pub pause_total_ns: u64,
    /// The last pauses in nanoseconds, as a ring: the newest is at `(num_gc + 255) % 256`.
    pub pause_ns: [u64; 256],
    /// When they ended, in nanoseconds since 1970, as the same ring.
    pub pause_end: [u64; 256],
    /// Pauses since the start. They are no garbage collections, of which there are none.
    pub num_gc: u32,
    /// Zero: nobody can ask for a garbage collection.
    pub num_forced_gc: u32,
    /// Zero: there is no garbage collector.
    pub gc_cpu_fraction: f64,
    /// False: there is no garbage collector.
    pub enable_gc: bool,
    /// False, as in Go.
    pub debug_gc: bool,
    /// Allocations by size, without those of more than 18,432 bytes, as in Go. All zero, sizes included, in a build
    /// without the feature `size-classes`.
    pub by_size: [BySize; 61],
}

/// Allocations of similar size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BySize {
    /// The largest size of the class, bytes; the smallest is one above that of the class before.
    pub size: u32,
    /// Blocks of such sizes allocated since the start.
    pub mallocs: u64,
    /// Blocks of such sizes freed since the start.
    pub frees: u64,
}

impl MemStats {
    /// What there is to say now.
    ///
    /// It takes no lock that a thread which allocates could wait for, and allocates nothing. What an allocator takes
    /// locks to gather, as jemalloc does, is as the last collection of `rust.allocator.memory.size` had it gathered, or its
    /// registration, and not told before that; what is counted is as it is now.
    #[must_use]
    pub fn read() -> Self {
        let Some(counts) = counts() else { return MemStats::nothing() };
        // One that does not tell is as one that has nothing to tell.
        let memory = allocator().and_then(|allocator| allocator.memory_gathered(counts.used()).ok());
        Sources {
            allocated: counts.allocated,
            freed: counts.freed,
            allocations: counts.allocations,
            deallocations: counts.deallocations,
            by_size: sources::by_size(counts.size_classes()),
            memory: memory.unwrap_or_default(),
            stacks: thread_stacks(),
            own: own_size(),
        }
        .snapshot()
    }

    /// Puts the size of the tables of a heap profile where Go has it, `buck_hash_sys`, and into the sum of all, `sys`.
    pub fn fill_profile_tables(&mut self, bytes: u64) {
        self.sys = self.sys.saturating_sub(self.buck_hash_sys).saturating_add(bytes);
        self.buck_hash_sys = bytes;
    }

    /// The snapshot as JSON, byte for byte as Go's `json.Marshal` writes a `runtime.MemStats` of these values.
    ///
    /// `gc_cpu_fraction`, should somebody set it to what is no number, is written as 0: JSON has none, and Go refuses it.
    ///
    /// ```
    /// let json = otel_vitals_runtime::MemStats::read().to_json();
    /// assert!(json.contains("\"GCCPUFraction\":0,\"EnableGC\":false,"));
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        json::written(self)
    }

    fn nothing() -> Self {
        MemStats {
            alloc: 0,
            total_alloc: 0,
            sys: 0,
            lookups: 0,
            mallocs: 0,
            frees: 0,
            heap_alloc: 0,
            heap_sys: 0,
            heap_idle: 0,
            heap_inuse: 0,
            heap_released: 0,
            heap_objects: 0,
            stack_inuse: 0,
            stack_sys: 0,
            mspan_inuse: 0,
            mspan_sys: 0,
            mcache_inuse: 0,
            mcache_sys: 0,
            buck_hash_sys: 0,
            gc_sys: 0,
            other_sys: 0,
            next_gc: 0,
            last_gc: 0,
            pause_total_ns: 0,
            pause_ns: [0; 256],
            pause_end: [0; 256],
            num_gc: 0,
            num_forced_gc: 0,
            gc_cpu_fraction: 0.0,
            enable_gc: false,
            debug_gc: false,
            by_size: [BySize::default(); 61],
        }
    }
}
