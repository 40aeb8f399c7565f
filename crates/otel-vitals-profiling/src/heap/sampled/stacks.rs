//! The stacks that samples were allocated from, each kept once, and what was ever allocated from it.
//!
//! A stack is written whole before it is entered into the index, in one exchange, and then never changes. Two threads that come with
//! the same new stack at once may write it twice; the second is left unused.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::*};

/// Stacks that there is room for.
const MOST: usize = 32 << 10;
/// Places that are tried for a stack.
const TRIES: usize = 32;
/// Frames that there is room for, of all stacks together.
const FRAMES: usize = 2 << 20;
/// Words for each stack besides its frames.
const FIELDS: usize = 3;

/// Words of memory that they take.
pub(super) const WORDS: usize = words(MOST, FRAMES);

/// Words of memory that so many stacks take, with so many frames. The index has two places for each.
const fn words(most: usize, frames: usize) -> usize {
    most * (2 + FIELDS) + frames
}

/// The stack of what was allocated where no stack was to be had.
pub(super) const NOT_WALKED: u32 = 0;
/// The stack of what was allocated from stacks that there was no room for.
pub(super) const NO_ROOM: u32 = 1;
const RESERVED: usize = 2;

/// Weights are fractions of two to this many bits: a small block stands for many, and a large one for little more than itself.
pub(super) const FRACTION: u32 = 12;
/// Bytes are summed as fractions of two to this many bits.
const BYTES_FRACTION: u32 = 4;

/// An entry of the index is the upper bits of a stack's hash, and its number.
const NUMBER_BITS: u32 = 16;
const _: () = assert!(MOST <= 1 << NUMBER_BITS);

#[derive(Debug)]
pub(super) struct Stacks<'a> {
    index: &'a [AtomicU64],
    /// Of each stack: where its frames are and how many, objects and bytes allocated.
    records: &'a [[AtomicU64; FIELDS]],
    frames: &'a [AtomicU64],
    count: AtomicUsize,
    frames_used: AtomicUsize,
}

/// What was ever allocated from a stack, as estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Allocated {
    pub(super) objects: f64,
    pub(super) bytes: f64,
}

impl<'a> Stacks<'a> {
    /// In [`WORDS`] words of memory that are zero; none fits in less.
    pub(super) fn new(memory: &'a [AtomicU64]) -> Self {
        Stacks::with_room_for(MOST, memory)
    }

    fn with_room_for(most: usize, memory: &'a [AtomicU64]) -> Self {
        let (index, rest) = memory.split_at_checked(2 * most).unwrap_or_default();
        let (records, frames) = rest.split_at_checked(most * FIELDS).unwrap_or_default();
        Stacks {
            index,
            records: records.as_chunks().0,
            frames,
            count: AtomicUsize::new(RESERVED),
            frames_used: AtomicUsize::new(0),
        }
    }

    /// The number of the stack that has these frames; [`NO_ROOM`] when it is new and there is none.
    pub(super) fn number(&self, frames: &[u64]) -> u32 {
        if frames.is_empty() {
            return NOT_WALKED;
        }
        let hash = hash(frames);
        let tag = hash >> NUMBER_BITS << NUMBER_BITS;
        let mut written = None;
        for place in 0..TRIES {
            let Some(place) = (hash as usize).wrapping_add(place).checked_rem(self.index.len()) else {
                break;
            };
            let Some(place) = self.index.get(place) else { break };
            let mut entry = place.load(Acquire);
            if entry == 0 {
                let Some(number) = written.or_else(|| self.write(frames)) else { break };
                written = Some(number);
                match place.compare_exchange(0, tag | u64::from(number), AcqRel, Acquire) {
                    Ok(_) => return number,
                    Err(other) => entry = other,
                }
            }
            let number = entry as u32 & ((1 << NUMBER_BITS) - 1);
            if entry >> NUMBER_BITS == tag >> NUMBER_BITS && self.frames(number).eq(frames.iter().copied()) {
                return number;
            }
        }
        NO_ROOM
    }

    /// Counts a sample as allocated from a stack.
    pub(super) fn add(&self, number: u32, size: u64, weight: u64) {
        if let Some([_, objects, bytes]) = self.records.get(number as usize) {
            objects.fetch_add(weight, Relaxed);
            let exactly = (u128::from(weight) * u128::from(size)) >> (FRACTION - BYTES_FRACTION);
            bytes.fetch_add(exactly as u64, Relaxed);
        }
    }

    /// How many there are, those for what has none included.
    pub(super) fn count(&self) -> usize {
        self.count.load(Acquire).min(self.records.len())
    }

    pub(super) fn allocated(&self, number: u32) -> Allocated {
        let Some([_, objects, bytes]) = self.records.get(number as usize) else {
            return Allocated::default();
        };
        Allocated {
            objects: objects.load(Relaxed) as f64 / f64::from(1 << FRACTION),
            bytes: bytes.load(Relaxed) as f64 / f64::from(1 << BYTES_FRACTION),
        }
    }

    /// The frames of a stack, the leaf first.
    pub(super) fn frames(&self, number: u32) -> impl Iterator<Item = u64> {
        let place = self.records.get(number as usize).map_or(0, |[place, _, _]| place.load(Acquire));
        let (start, length) = ((place >> 32) as usize, place as u32 as usize);
        let frames =
            start.checked_add(length).and_then(|end| self.frames.get(start..end)).unwrap_or_default();
        frames.iter().map(|frame| frame.load(Relaxed))
    }

    fn write(&self, frames: &[u64]) -> Option<u32> {
        let start = claim(&self.frames_used, frames.len(), self.frames.len())?;
        let number = claim(&self.count, 1, self.records.len())?;
        let places = self.frames.get(start..start + frames.len())?;
        places.iter().zip(frames).for_each(|(place, frame)| place.store(*frame, Relaxed));
        let [place, _, _] = self.records.get(number)?;
        place.store((start as u64) << 32 | frames.len() as u64, Release);
        Some(number as u32)
    }
}

/// Where `size` begin of those that are not used yet.
fn claim(used: &AtomicUsize, size: usize, capacity: usize) -> Option<usize> {
    used.try_update(AcqRel, Relaxed, |used| used.checked_add(size).filter(|end| *end <= capacity)).ok()
}

fn hash(frames: &[u64]) -> u64 {
    let mix = |hash: u64, frame: &u64| (hash.rotate_left(25) ^ frame).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hash = frames.iter().fold(frames.len() as u64, mix);
    // Both halves are used, and the multiplication mixes upwards alone.
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::thread;

    const FEW: usize = 100;

    /// Of [`FEW`] stacks with four frames each.
    fn memory() -> Vec<AtomicU64> {
        (0..words(FEW, 4 * FEW)).map(|_| AtomicU64::new(0)).collect()
    }

    fn frames(stacks: &Stacks<'_>, number: u32) -> Vec<u64> {
        stacks.frames(number).collect()
    }

    #[test]
    fn a_stack_has_one_number_and_its_frames() {
        let memory = memory();
        let stacks = Stacks::with_room_for(FEW, &memory);
        let (first, second) = (stacks.number(&[1, 2, 3]), stacks.number(&[1, 2]));
        assert!(first >= RESERVED as u32 && second >= RESERVED as u32 && first != second);
        assert_eq!(stacks.number(&[1, 2, 3]), first);
        assert_eq!((frames(&stacks, first), frames(&stacks, second)), (vec![1, 2, 3], vec![1, 2]));
        assert_eq!(stacks.number(&[]), NOT_WALKED);
        assert_eq!(frames(&stacks, NOT_WALKED), []);
    }

    #[test]
    fn fractions_of_blocks_add_up() {
        let memory = memory();
        let stacks = Stacks::with_room_for(FEW, &memory);
        let number = stacks.number(&[1]);
        for _ in 0..1_000 {
            stacks.add(number, 7, (1 << FRACTION) + (1 << FRACTION) / 4);
        }
        assert_eq!(stacks.allocated(number), Allocated { objects: 1_250.0, bytes: 8_750.0 });
        assert_eq!(stacks.allocated(NO_ROOM), Allocated::default());
    }

    #[test]
    fn when_there_is_no_room_those_that_are_there_stay() {
        let memory = memory();
        let stacks = Stacks::with_room_for(FEW, &memory);
        let stack = |n: usize| [n as u64 * 64, 1, 2];
        let numbers: Vec<_> = (0..2 * FEW).map(|n| stacks.number(&stack(n))).collect();
        let kept = || numbers.iter().enumerate().filter(|(_, number)| **number != NO_ROOM);
        assert_eq!(kept().count(), FEW - RESERVED);
        for (n, number) in kept() {
            assert_eq!(stacks.number(&stack(n)), *number);
            assert_eq!(frames(&stacks, *number), stack(n));
        }
        stacks.add(NO_ROOM, 10, 1 << FRACTION);
        assert_eq!(stacks.allocated(NO_ROOM).bytes, 10.0);
    }

    #[test]
    fn frames_that_there_is_no_room_for_are_no_stack() {
        let memory = memory();
        let stacks = Stacks::with_room_for(FEW, &memory);
        let kept = (0..FEW as u64).filter(|n| stacks.number(&[*n; 13]) != NO_ROOM).count();
        assert_eq!(kept, 4 * FEW / 13);
        assert_ne!(stacks.number(&[7]), NO_ROOM, "a short one finds the room that is left");
    }

    #[test]
    fn as_many_stacks_as_there_is_room_for_are_found_in_the_index() {
        if cfg!(miri) {
            return;
        }
        let stacks = Stacks::new(super::super::sys::words(WORDS).expect("there is address space"));
        let kept = (0..2 * MOST as u64).filter(|n| stacks.number(&[n * 64, 1, 2]) != NO_ROOM).count();
        assert!(kept > MOST - MOST / 10 && kept <= MOST - RESERVED, "{kept}");
    }

    #[test]
    fn without_memory_there_is_no_room() {
        let stacks = Stacks::new(&[]);
        assert_eq!(stacks.number(&[1]), NO_ROOM);
        assert_eq!(stacks.count(), 0);
    }

    #[test]
    fn threads_that_come_with_the_same_stacks_get_the_same_numbers() {
        let rounds = FEW as u64 / 2 - 1;
        let memory = memory();
        let (stacks, start) = (&Stacks::with_room_for(FEW, &memory), &Barrier::new(2));
        let work = || {
            start.wait();
            let numbers = (0..rounds).map(|n| {
                let number = stacks.number(&[n, n + 1]);
                stacks.add(number, 1, 1 << FRACTION);
                assert_eq!(frames(stacks, number), [n, n + 1]);
                number
            });
            numbers.collect::<Vec<_>>()
        };
        let (one, other) = thread::scope(|scope| {
            let other = scope.spawn(work);
            (work(), other.join().unwrap())
        });
        assert_eq!(one, other);
        assert!(one.iter().all(|number| stacks.allocated(*number).objects == 2.0));
    }
}
