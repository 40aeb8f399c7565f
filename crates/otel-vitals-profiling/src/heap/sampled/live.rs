//! The samples whose blocks are not freed yet.
//!
//! A block is looked for by its address, and may be in one place on each of a few *levels*: a *window* of sixteen slots, whose
//! addresses fill two cache lines and are all looked at, so that an emptied slot needs no mark. A level is four times as large as
//! the one before and is used when a window of that is full: few samples then touch few pages of memory.
//!
//! Nobody waits, whatever a thread was doing when it was stopped, interrupted or lost in a fork:
//!
//! - The allocating thread takes an empty slot by an exchange, writes the sample, and last the address, while nobody else has the
//!   block. Who frees the block empties the slot, and is the only one to look for it.
//! - A reader reads the address and a version before and after the rest, and takes the sample when both are the same.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::*, fence};

/// Slots that are looked at together.
const WINDOW: usize = 16;
const LEVELS: usize = 5;
/// Slots of the first level. Miri takes long for each.
const FIRST: usize = if cfg!(miri) { 64 } else { 4 << 10 };
const GROWTH_BITS: usize = 2;

const EMPTY: u64 = 0;
/// Of a slot that is being filled. No block begins here.
const TAKEN: u64 = 1;
/// Of a slot whose block is being reallocated: it is in use, and nobody looks for it. No block begins here either.
const MOVING: u64 = 2;

/// Words of a slot besides its address.
const FIELDS: usize = 3;

/// Samples that there is room for: 1,396,736.
const CAPACITY: usize = start_of(LEVELS);

/// Words of memory that a table takes.
pub(super) const WORDS: usize = CAPACITY * (1 + FIELDS);

/// Where a level begins, which is how many slots there are before it.
const fn start_of(level: usize) -> usize {
    FIRST * ((1 << (GROWTH_BITS * level)) - 1) / ((1 << GROWTH_BITS) - 1)
}

/// What is known of a sampled block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) stack: u32,
    pub(super) size: u64,
    /// Blocks that it stands for, in the unit that [`Stacks`](super::stacks::Stacks) has.
    pub(super) weight: u64,
}

#[derive(Debug)]
pub(super) struct Live<'a> {
    keys: &'a [AtomicU64],
    /// Of each slot the stack and the version, the size and the weight.
    fields: &'a [[AtomicU64; FIELDS]],
    /// Levels that were ever used.
    used: AtomicUsize,
}

impl<'a> Live<'a> {
    /// A table in [`WORDS`] words of memory that are zero; it has fewer levels in less.
    pub(super) fn new(memory: &'a [AtomicU64]) -> Self {
        let levels = (0..=LEVELS).rev().find(|levels| start_of(*levels) * (1 + FIELDS) <= memory.len());
        let (keys, fields) = memory.split_at_checked(start_of(levels.unwrap_or(0))).unwrap_or_default();
        Live { keys, fields: fields.as_chunks().0, used: AtomicUsize::new(1) }
    }

    /// Keeps a sample of a block that nobody else has yet. False when there is no room where it could be.
    pub(super) fn insert(&self, block: u64, sample: &Sample) -> bool {
        (0..LEVELS).any(|level| {
            let taken = self.window(level, block).find(|(key, _)| {
                key.load(Relaxed) == EMPTY && key.compare_exchange(EMPTY, TAKEN, Acquire, Relaxed).is_ok()
            });
            let Some((key, [head, size, weight])) = taken else { return false };
            // Read by who frees the block, which comes after this whoever it is.
            self.used.fetch_max(level + 1, Relaxed);
            let version = (head.load(Relaxed) as u32).wrapping_add(1);
            head.store(u64::from(sample.stack) << 32 | u64::from(version), Relaxed);
            // A reader that sees what follows sees the new version when it looks again.
            fence(Release);
            size.store(sample.size, Relaxed);
            weight.store(sample.weight, Relaxed);
            key.store(block, Release);
            true
        })
    }

    /// Forgets the sample of a block that is about to be freed; false when it has none.
    pub(super) fn remove(&self, block: u64) -> bool {
        self.exchange(block, EMPTY).is_some()
    }

    /// Puts by the sample of a block that is about to be reallocated.
    pub(super) fn put_by(&self, block: u64) -> Option<usize> {
        self.exchange(block, MOVING)
    }

    /// Ends what [`put_by`](Self::put_by) began: with the block as it was, or without.
    pub(super) fn settle(&self, slot: usize, block: Option<u64>) {
        if let Some(key) = self.keys.get(slot) {
            key.store(block.unwrap_or(EMPTY), Release);
        }
    }

    /// All samples, each as it was at some moment of the call.
    pub(super) fn read(&self, mut each: impl FnMut(Sample)) {
        let used = start_of(self.used.load(Relaxed));
        for (key, fields) in self.keys.iter().zip(self.fields).take(used) {
            // A slot that changes again and again is one whose blocks do not stay.
            let sample = (0..100).find_map(|_| read(key, fields));
            sample.flatten().into_iter().for_each(&mut each);
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        let used = start_of(self.used.load(Relaxed));
        self.keys.iter().take(used).filter(|key| key.load(Relaxed) > TAKEN).count()
    }

    fn exchange(&self, block: u64, new: u64) -> Option<usize> {
        // An address that is no block's.
        if block <= MOVING {
            return None;
        }
        (0..self.used.load(Relaxed)).find_map(|level| {
            let start = self.window_start(level, block);
            let place = self.window(level, block).position(|(key, _)| {
                key.load(Relaxed) == block && key.compare_exchange(block, new, Release, Relaxed).is_ok()
            });
            Some(start + place?)
        })
    }

    fn window(
        &self,
        level: usize,
        block: u64,
    ) -> impl Iterator<Item = (&'a AtomicU64, &'a [AtomicU64; FIELDS])> {
        let start = self.window_start(level, block);
        let keys = self.keys.get(start..start + WINDOW).unwrap_or_default();
        keys.iter().zip(self.fields.get(start..start + WINDOW).unwrap_or_default())
    }

    fn window_start(&self, level: usize, block: u64) -> usize {
        let windows = (FIRST << (GROWTH_BITS * level)) / WINDOW;
        // The upper bits are the ones that are mixed well.
        let mixed = (block >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        start_of(level) + (mixed as usize % windows) * WINDOW
    }
}

/// The sample of a slot, if there is one; none at all when it was written to meanwhile.
fn read(key: &AtomicU64, [head, size, weight]: &[AtomicU64; FIELDS]) -> Option<Option<Sample>> {
    let block = key.load(Acquire);
    if block <= TAKEN {
        return Some(None);
    }
    let first = head.load(Relaxed);
    let sample =
        Sample { stack: (first >> 32) as u32, size: size.load(Relaxed), weight: weight.load(Relaxed) };
    fence(Acquire);
    (head.load(Relaxed) == first && key.load(Relaxed) == block).then_some(Some(sample))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use proptest::prelude::*;

    /// Of a table with two levels.
    fn memory() -> Vec<AtomicU64> {
        (0..start_of(2) * (1 + FIELDS)).map(|_| AtomicU64::new(0)).collect()
    }

    fn sample(stack: u32) -> Sample {
        Sample { stack, size: u64::from(stack) * 3, weight: u64::from(stack) * 5 }
    }

    fn all(table: &Live<'_>) -> Vec<Sample> {
        let mut all = Vec::new();
        table.read(|sample| all.push(sample));
        all.sort_by_key(|sample| sample.stack);
        all
    }

    #[test]
    fn samples_are_there_until_their_blocks_are_freed() {
        let memory = memory();
        let table = Live::new(&memory);
        assert!(table.insert(0x1000, &sample(1)) && table.insert(0x2000, &sample(2)));
        assert_eq!(all(&table), [sample(1), sample(2)]);
        assert!(!table.remove(0x3000), "it never was");
        assert!(table.remove(0x1000));
        assert!(!table.remove(0x1000), "it is not any more");
        assert!(
            ![EMPTY, TAKEN, MOVING].into_iter().any(|block| table.remove(block)),
            "what marks slots is no block"
        );
        assert_eq!(all(&table), [sample(2)]);
    }

    #[test]
    fn a_reallocation_that_fails_leaves_the_sample_and_one_that_does_not_ends_it() {
        let memory = memory();
        let table = Live::new(&memory);
        assert!(table.insert(0x1000, &sample(1)));
        assert_eq!(table.put_by(0x2000), None);
        let slot = table.put_by(0x1000).unwrap();
        assert_eq!((all(&table), table.count()), (vec![sample(1)], 1), "it is in use as long as it is moved");
        assert!(!table.remove(0x1000), "another block may have the address");
        assert!(table.insert(0x1000, &sample(2)), "and be a sample");
        assert!(table.remove(0x1000));
        table.settle(slot, Some(0x1000));
        assert_eq!(all(&table), [sample(1)]);
        let slot = table.put_by(0x1000).unwrap();
        table.settle(slot, None);
        assert_eq!(all(&table), []);
    }

    #[test]
    fn what_finds_no_room_is_refused_and_harms_nothing() {
        let memory = memory();
        let table = Live::new(&memory);
        let windows = |block: u64| (0..2).map(|level| table.window_start(level, block)).collect::<Vec<_>>();
        let alike = (1..1_u64 << 20).map(|n| n << 4).filter(|block| windows(*block) == windows(0x10));
        let blocks: Vec<_> = alike.take(2 * WINDOW + 3).collect();
        let (kept, refused) = blocks.split_at(2 * WINDOW);
        assert!(kept.iter().all(|block| table.insert(*block, &sample(1))));
        assert!(!refused.iter().any(|block| table.insert(*block, &sample(2))));
        assert!(!refused.iter().any(|block| table.remove(*block)));
        assert_eq!(all(&table).len(), 2 * WINDOW);
        assert!(table.remove(kept[WINDOW]));
        assert!(table.insert(refused[0], &sample(2)), "there is room again");
        assert!(kept.iter().filter(|block| **block != kept[WINDOW]).all(|block| table.remove(*block)));
        assert_eq!(all(&table), [sample(2)]);
    }

    #[test]
    fn what_a_heap_of_a_hundred_gibibytes_has_all_finds_room() {
        if cfg!(miri) {
            return;
        }
        let table = Live::new(super::super::sys::words(WORDS).expect("there is address space"));
        let blocks = (0..400_000).map(|n| 0x7f00_0000_0000 + n * 96);
        assert!(blocks.clone().all(|block| table.insert(block, &sample(1))));
        assert_eq!(table.count(), 400_000);
        assert!(blocks.clone().all(|block| table.remove(block)));
        assert_eq!(all(&table), []);
    }

    #[test]
    fn without_memory_there_is_no_room() {
        let table = Live::new(&[]);
        assert!(!table.insert(0x1000, &sample(1)) && !table.remove(0x1000));
        assert_eq!(all(&table), []);
    }

    #[test]
    fn threads_that_share_windows_lose_nothing_and_readers_see_whole_samples() {
        const THREADS: u64 = 2;
        let rounds: u64 = if cfg!(miri) { 60 } else { 50_000 };
        let memory = memory();
        let (table, over) = (&Live::new(&memory), &AtomicBool::new(false));
        thread::scope(|scope| {
            let workers: Vec<_> = (0..THREADS)
                .map(|thread| {
                    scope.spawn(move || {
                        // Few addresses, all of them in one window.
                        for round in 0..rounds {
                            let block = 0x1000 + thread * 8 + round % 5;
                            assert!(table.insert(block, &sample(round as u32)));
                            if round % 3 == 0 {
                                let slot = table.put_by(block).unwrap();
                                table.settle(slot, Some(block));
                            }
                            assert!(table.remove(block), "{round}");
                        }
                    })
                })
                .collect();
            scope.spawn(move || {
                while !over.load(Relaxed) {
                    table.read(|seen| assert_eq!(seen, sample(seen.stack)));
                    if cfg!(miri) {
                        thread::yield_now();
                    }
                }
            });
            workers.into_iter().for_each(|worker| worker.join().unwrap());
            over.store(true, Relaxed);
        });
        assert_eq!(all(table), []);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 64 }, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_is_a_map(steps in proptest::collection::vec((0_u64..200, 0_u8..4), 0..if cfg!(miri) { 50 } else { 2_000 })) {
            let memory = memory();
            let table = Live::new(&memory);
            let mut model = HashMap::new();
            for (n, (block, action)) in steps.into_iter().enumerate() {
                let block = 0x1000 + block * 0x10;
                match action {
                    0 | 1 if !model.contains_key(&block) => {
                        prop_assert!(table.insert(block, &sample(n as u32)));
                        model.insert(block, sample(n as u32));
                    }
                    2 => match table.put_by(block) {
                        Some(slot) => table.settle(slot, (n % 2 == 0 || model.remove(&block).is_none()).then_some(block)),
                        None => prop_assert!(!model.contains_key(&block)),
                    },
                    _ => prop_assert_eq!(table.remove(block), model.remove(&block).is_some()),
                }
            }
            let mut expected: Vec<_> = model.into_values().collect();
            expected.sort_by_key(|sample| sample.stack);
            prop_assert_eq!(all(&table), expected);
        }
    }
}
