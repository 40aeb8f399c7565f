//! From what is counted and told to Go's fields.

use otel_vitals_alloc::{Memory, SizeClass};

use super::{BySize, MemStats};

/// Everything that a snapshot is made of.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    /// Bytes allocated.
    pub(super) allocated: u64,
    /// Bytes freed.
    pub(super) freed: u64,
    /// Blocks allocated.
    pub(super) allocations: u64,
    /// Blocks freed.
    pub(super) deallocations: u64,
    /// The blocks by size.
    pub(super) by_size: [BySize; 61],
    /// What the allocator tells of itself.
    pub(super) memory: Memory,
    /// Bytes of the threads' stacks.
    pub(super) stacks: u64,
    /// Bytes of the counters.
    pub(super) own: u64,
}

/// What Go keeps of the classes, which are the same: the first 61. No class is larger than 4 GiB.
pub(super) fn by_size(classes: impl Iterator<Item = SizeClass>) -> [BySize; 61] {
    let mut by_size = [BySize::default(); 61];
    for (entry, class) in by_size.iter_mut().zip(classes) {
        *entry = BySize {
            size: class.bound.and_then(|bound| u32::try_from(bound).ok()).unwrap_or(u32::MAX),
            mallocs: class.allocations,
            frees: class.deallocations,
        };
    }
    by_size
}

impl Sources {
    /// Go's fields, for which holds what does in Go: the heap in use is no smaller than what is allocated of it, it and
    /// the idle heap are the whole heap, no more than the idle heap is released, and `sys` is the sum of the others.
    pub(super) fn snapshot(self) -> MemStats {
        let alloc = self.allocated.saturating_sub(self.freed);
        // An allocator's own figures may be a moment older than the counts.
        let in_use = self.memory.in_use.unwrap_or_default().max(alloc);
        let retained = self.memory.retained.unwrap_or_default();
        // What an allocator calls cached may be in pages in use, and so be no part of the idle heap.
        let heap = self.heap().max(in_use.saturating_add(retained));
        let idle = heap - in_use;
        let other = self.memory.metadata.unwrap_or_default().saturating_add(self.own);
        MemStats {
            alloc,
            total_alloc: self.allocated,
            sys: heap.saturating_add(self.stacks).saturating_add(other),
            mallocs: self.allocations,
            frees: self.deallocations,
            heap_alloc: alloc,
            heap_sys: heap,
            heap_idle: idle,
            heap_inuse: in_use,
            heap_released: retained.min(idle),
            heap_objects: self.allocations.saturating_sub(self.deallocations),
            stack_inuse: self.stacks,
            stack_sys: self.stacks,
            other_sys: other,
            by_size: self.by_size,
            ..MemStats::nothing()
        }
    }

    /// All address space that the allocator has for blocks, as far as it tells.
    fn heap(&self) -> u64 {
        let Memory { allocated, fragmented, cached, retained, .. } = self.memory;
        [allocated, fragmented, cached, retained].into_iter().flatten().fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sources() -> Sources {
        Sources {
            allocated: 1_000,
            freed: 300,
            allocations: 9,
            deallocations: 4,
            by_size: [BySize::default(); 61],
            memory: Memory::default(),
            stacks: 64,
            own: 8,
        }
    }

    #[test]
    fn an_allocator_that_tells_nothing_leaves_what_is_counted() {
        let stats = sources().snapshot();
        assert_eq!((stats.alloc, stats.heap_alloc, stats.total_alloc), (700, 700, 1_000));
        assert_eq!((stats.mallocs, stats.frees, stats.heap_objects), (9, 4, 5));
        assert_eq!(
            (stats.heap_inuse, stats.heap_sys, stats.heap_idle, stats.heap_released),
            (700, 700, 0, 0)
        );
        assert_eq!((stats.stack_inuse, stats.stack_sys, stats.other_sys), (64, 64, 8));
        assert_eq!(stats.sys, 700 + 64 + 8);
    }

    #[test]
    fn an_allocator_that_tells_all_fills_the_heap() {
        let mut sources = sources();
        sources.memory.allocated = Some(720);
        sources.memory.fragmented = Some(80);
        sources.memory.cached = Some(150);
        sources.memory.retained = Some(50);
        sources.memory.metadata = Some(32);
        sources.memory.in_use = Some(800);
        let stats = sources.snapshot();
        assert_eq!(stats.heap_alloc, 700);
        assert_eq!(
            (stats.heap_inuse, stats.heap_sys, stats.heap_idle, stats.heap_released),
            (800, 1_000, 200, 50)
        );
        assert_eq!(stats.other_sys, 32 + 8);
        assert_eq!(stats.sys, 1_000 + 64 + 40);
    }

    #[test]
    fn what_is_released_is_beside_what_is_in_use() {
        let mut sources = sources();
        // Blocks of its own and caches of its threads are in the pages in use, as jemalloc has it.
        sources.memory.allocated = Some(700);
        sources.memory.cached = Some(20);
        sources.memory.retained = Some(50);
        sources.memory.in_use = Some(800);
        let stats = sources.snapshot();
        assert_eq!((stats.heap_inuse, stats.heap_sys, stats.heap_released), (800, 850, 50));
    }

    #[cfg(feature = "size-classes")]
    #[test]
    fn the_classes_are_those_of_go() {
        let by_size = by_size(otel_vitals_alloc::counts().unwrap().size_classes());
        let sizes: Vec<_> = by_size.iter().map(|class| class.size).collect();
        assert_eq!((sizes[0], sizes[1], sizes[60]), (0, 8, 18_432));
        assert!(by_size.iter().any(|class| class.mallocs > 0));
    }

    fn told() -> impl Strategy<Value = Option<u64>> {
        prop_oneof![Just(None), any::<u64>().prop_map(Some), (0..1_u64 << 40).prop_map(Some)]
    }

    fn of_a_program() -> impl Strategy<Value = Sources> {
        let counted = (any::<[u64; 2]>(), any::<[u64; 2]>(), any::<[u64; 2]>());
        let memory = [told(), told(), told(), told(), told(), told()];
        (counted, memory).prop_map(|((bytes, blocks, [stacks, own]), memory)| {
            let mut sources = sources();
            (sources.allocated, sources.freed) = (bytes[0].max(bytes[1]), bytes[0].min(bytes[1]));
            (sources.allocations, sources.deallocations) =
                (blocks[0].max(blocks[1]), blocks[0].min(blocks[1]));
            (sources.stacks, sources.own) = (stacks, own);
            let told = &mut sources.memory;
            [told.allocated, told.fragmented, told.metadata, told.cached, told.retained, told.in_use] =
                memory;
            sources
        })
    }

    proptest! {
        #[test]
        fn whatever_is_told_holds_together(sources in of_a_program()) {
            let stats = sources.clone().snapshot();
            prop_assert_eq!(stats.alloc, stats.heap_alloc);
            prop_assert_eq!(stats.alloc, stats.total_alloc - sources.freed);
            prop_assert_eq!(stats.heap_objects, stats.mallocs - stats.frees);
            prop_assert!(stats.heap_inuse >= stats.heap_alloc);
            prop_assert_eq!(stats.heap_sys, stats.heap_inuse + stats.heap_idle);
            prop_assert!(stats.heap_idle >= stats.heap_released);
            prop_assert!(stats.stack_sys >= stats.stack_inuse);
            let parts = [
                stats.heap_sys, stats.stack_sys, stats.mspan_sys, stats.mcache_sys, stats.buck_hash_sys,
                stats.gc_sys, stats.other_sys,
            ];
            prop_assert_eq!(stats.sys, parts.into_iter().fold(0, u64::saturating_add));
        }
    }
}
