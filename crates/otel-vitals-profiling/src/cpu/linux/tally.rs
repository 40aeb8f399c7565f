//! How often each thread was seen with each stack.

use std::collections::{BTreeMap, HashMap};

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

    /// Counts more for threads by number, where each was seen and in proportion to how often. Those of which nothing was seen are left.
    pub(super) fn spread(&mut self, more: &mut BTreeMap<usize, u64>) {
        let mut places: HashMap<usize, Vec<usize>> = HashMap::new();
        for (stack, place) in &self.places {
            if let Some(thread) = stack.first().map(|number| *number as usize)
                && more.contains_key(&thread)
            {
                places.entry(thread).or_default().push(*place);
            }
        }
        for (thread, mut places) in places {
            // Whatever the order of the table is.
            places.sort_unstable();
            let seen: u64 = places.iter().filter_map(|place| self.counts.get(*place)).sum();
            if seen > 0
                && let Some(more) = more.remove(&thread)
            {
                self.spread_over(&places, more, seen);
            }
        }
    }

    fn spread_over(&mut self, places: &[usize], more: u64, seen: u64) {
        let (mut passed, mut given) = (0, 0);
        for place in places {
            if let Some(count) = self.counts.get_mut(*place) {
                passed += *count;
                let due = part(more, passed, seen);
                *count += due - given;
                given = due;
            }
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

/// `count` parts of `all` by which `sum` is shared out.
pub(super) fn part(sum: u64, count: u64, all: u64) -> u64 {
    let part = (u128::from(sum) * u128::from(count)).checked_div(all.into()).unwrap_or(0);
    u64::try_from(part).unwrap_or(u64::MAX)
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
    fn what_is_known_of_a_thread_besides_is_counted_where_it_was_seen_in_proportion() {
        let mut tally = Tally::default();
        for (stack, count) in [([0, 10], 6), ([0, 20], 3), ([0, 30], 1), ([1, 10], 2)] {
            tally.add(&stack, count);
        }
        let mut more = BTreeMap::from([(0, 25), (2, 4)]);
        tally.spread(&mut more);
        let mut stacks: Vec<_> =
            tally.stacks().map(|(thread, frames, count)| (thread, frames[0], count)).collect();
        stacks.sort_unstable();
        assert_eq!(stacks, [(0, 10, 21), (0, 20, 10), (0, 30, 4), (1, 10, 2)]);
        assert_eq!(more, BTreeMap::from([(2, 4)]));
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
