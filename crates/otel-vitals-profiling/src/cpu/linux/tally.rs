//! How often each thread was seen with each stack.

use std::collections::HashMap;

/// More stacks than these are not told apart. A service has some thousands at most in half a minute.
const MOST_STACKS: usize = 16 << 10;
/// All of them together have at most so many frames, of eight bytes each.
const MOST_FRAMES: usize = 192 << 10;

/// A bounded table of stacks.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// The number of a thread, and the frames, leaf first.
    places: HashMap<Box<[u64]>, usize>,
    counts: Vec<u64>,
    frames: usize,
    /// Counts of stacks for which there was no room.
    left_out: u64,
}

impl Tally {
    /// Counts a stack, which begins with the number of its thread; returns where, to count there again.
    pub(super) fn add(&mut self, stack: &[u64], count: u64) -> Option<usize> {
        if let Some(place) = self.places.get(stack) {
            let place = *place;
            self.add_at(place, count);
            return Some(place);
        }
        if self.counts.len() >= MOST_STACKS || self.frames + stack.len() > MOST_FRAMES {
            self.left_out += count;
            return None;
        }
        self.frames += stack.len();
        self.places.insert(stack.into(), self.counts.len());
        self.counts.push(count);
        Some(self.counts.len() - 1)
    }

    pub(super) fn add_at(&mut self, place: usize, count: u64) {
        if let Some(counted) = self.counts.get_mut(place) {
            *counted += count;
        }
    }

    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Number of the thread, frames and count of each that has any.
    pub(super) fn stacks(&self) -> impl Iterator<Item = (usize, &[u64], u64)> {
        self.places.iter().filter_map(|(stack, place)| {
            let (thread, frames) = stack.split_first()?;
            let count = *self.counts.get(*place)?;
            (count > 0).then_some((*thread as usize, frames, count))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_counted_for_each_thread_by_itself() {
        let mut tally = Tally::default();
        let place = tally.add(&[0, 10, 20], 2).unwrap();
        assert_eq!(tally.add(&[0, 10, 20], 1), Some(place));
        tally.add(&[1, 10, 20], 5);
        tally.add(&[1, 30], 0);
        tally.add_at(place, 4);
        let mut stacks: Vec<_> = tally.stacks().collect();
        stacks.sort_unstable();
        assert_eq!(stacks, [(0, [10, 20].as_slice(), 7), (1, [10, 20].as_slice(), 5)]);
    }

    #[test]
    fn what_has_no_room_is_counted_and_what_is_there_goes_on() {
        let mut tally = Tally::default();
        for stack in 0..MOST_STACKS as u64 + 3 {
            tally.add(&[0, stack], 2);
        }
        assert_eq!((tally.stacks().count(), tally.left_out()), (MOST_STACKS, 6));
        assert!(tally.add(&[0, 1], 1).is_some());

        let mut deep = Tally::default();
        for stack in 0..(MOST_FRAMES / 500) as u64 + 1 {
            let mut frames = vec![stack; 500];
            frames[0] = 0;
            deep.add(&frames, 1);
        }
        assert_eq!(deep.left_out(), 1);
    }
}
