//! mimalloc, by `mi_process_info`.
//!
//! What mimalloc 3.3 can tell in a release build (`MI_STAT=0`), read from its source and tried:
//!
//! - Nothing is counted for a block: `malloc_normal`, `malloc_huge`, `malloc_requested` and `page_committed` stay zero.
//!   What is allocated, only the wrapper knows.
//! - `reserved` and `committed` are counted at every build level, with atomic additions where memory comes from the
//!   system, and need no merging of threads.
//! - `mi_process_info` loads `committed`, takes no lock and allocates nothing; half a microsecond, which is `getrusage`
//!   and a clock. Its "rss" is `committed` again. On Windows both are the process's, not mimalloc's.
//! - `committed` goes up where a slice is handed out for the first time. On Unix it does not come down again when a
//!   slice is purged, because that is `madvise` and the slice can be used again without being committed: it is the most
//!   that mimalloc has had, except for large blocks that were mapped by themselves.
//! - `reserved` is not to be had at a fair price. `mi_subproc_stats_get_exclusive` (a copy of 4 KiB) and `mi_stats_get`
//!   (which locks and visits all heaps) are exported by the C library, but not declared by `libmimalloc-sys`: the first is
//!   not in mimalloc 2, the second has changed its arguments before. `mi_stats_get_json`, which is declared for
//!   mimalloc 3 alone, locks the heaps, merges the caller's counts into its heap's, and prints and formats twenty
//!   kilobytes, of which two numbers are wanted: 15 to 25 microseconds.
//!
//! mimalloc 2 (`libmimalloc-sys`'s feature `v2`) counts an arena as committed when it reserves it, 1 GiB at the first
//! allocation, so its `committed` says nothing about memory.

mod sys;

use mimalloc::MiMalloc;

use super::{Introspect, Memory, Untold, only_what_is_counted};

/// What mimalloc 3 tells of itself, which is one number: how much it has committed.
///
/// | state | what |
/// | --- | --- |
/// | `allocated` | what is counted here, as it was asked for |
/// | `cached` | all else that is committed |
/// | `in_use` | what is committed |
///
/// mimalloc does not tell what is fragmented, metadata, free, or allocated by C code: all that is `cached`. On Unix it
/// counts as committed what it once has had, even where it has let the system take the memory back since, so `cached`
/// is an upper bound. The states sum up to what is committed, or to what is allocated should that be more.
///
/// mimalloc 2 and mimalloc on Windows have no such number: there, only `allocated` is told.
impl Introspect for MiMalloc {
    const NAME: &'static str = "mimalloc";

    fn memory(used: u64) -> Result<Memory, Untold> {
        if tells_committed(sys::version()) {
            Ok(partition(used, sys::committed() as u64))
        } else {
            only_what_is_counted(used)
        }
    }
}

/// Whether mimalloc of this version, written as `MI_MALLOC_VERSION`, says what it has committed itself.
fn tells_committed(version: i32) -> bool {
    !cfg!(windows) && version >= 3_00_00
}

fn partition(used: u64, committed: u64) -> Memory {
    Memory {
        allocated: Some(used),
        cached: Some(committed.saturating_sub(used)),
        in_use: Some(committed),
        ..Memory::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_committed_and_not_allocated_is_cached() {
        let expected =
            Memory { allocated: Some(10), cached: Some(90), in_use: Some(100), ..Memory::default() };
        assert_eq!(partition(10, 100), expected);
    }

    #[test]
    #[cfg(not(windows))]
    fn versions_before_3_do_not_tell() {
        assert!(tells_committed(3_03_02));
        // Two digits for minor and patch level are new; before, there was one of each.
        assert!([2_03_02, 2_22, 1_09].into_iter().all(|version| !tells_committed(version)));
    }

    proptest! {
        #[test]
        fn parts_sum_up_to_the_larger(used: u64, committed: u64) {
            let memory = partition(used, committed);
            let sum = memory.allocated.unwrap() + memory.cached.unwrap();
            prop_assert_eq!(sum, used.max(committed));
            prop_assert_eq!(memory.fragmented.or(memory.metadata).or(memory.retained), None);
        }
    }
}
