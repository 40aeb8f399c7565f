//! How much CPU time a sample stands for.

/// Counts the periods of a thread's CPU time.
///
/// They end at points that are a period apart and of which the first is anywhere in the first period. So a thread that uses less than
/// a period counts once with the probability that is its part of it, and the expectation of all counts is the CPU time used, however
/// many threads there are and however little each does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// The thread's clock when it was first counted, nanoseconds; zero for one that has begun since.
    start: u64,
    /// The first point.
    first: u64,
    period: u64,
    counted: u64,
    /// The latest that is known of the clock.
    clock: u64,
}

impl Account {
    /// `phase` is any number less than the period.
    pub(super) fn new(start: u64, phase: u64, period: u64) -> Self {
        Account { start, first: start + 1 + phase % period, period, counted: 0, clock: start }
    }

    /// When the clock is there, the thread has used its first period.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The thread's clock was seen at this point.
    pub(super) fn seen(&mut self, clock: u64) {
        self.clock = self.clock.max(clock);
    }

    /// The clock is at this point: how many periods have ended that were not counted yet.
    pub(super) fn count(&mut self, clock: u64) -> u64 {
        self.seen(clock);
        let ended = match clock.checked_sub(self.first) {
            Some(past) => past / self.period + 1,
            None => 0,
        };
        let new = ended.saturating_sub(self.counted);
        self.counted += new;
        new
    }

    /// Periods that have ended by what is known of the clock, and were not counted.
    pub(super) fn rest(&mut self) -> u64 {
        self.count(self.clock)
    }

    /// The latest that is known of the clock.
    pub(super) fn clock(&self) -> u64 {
        self.clock
    }

    /// CPU time that is accounted for, nanoseconds.
    pub(super) fn used(&self) -> u64 {
        self.clock - self.start
    }
}

/// Numbers without a pattern, where nobody guesses (splitmix64).
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new() -> Self {
        use std::hash::{BuildHasher as _, Hasher as _, RandomState};
        Random(RandomState::new().build_hasher().finish())
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_period_is_counted_once_from_the_phase_on() {
        let mut account = Account::new(1_000, 4, 10);
        assert_eq!(account.first(), 1_005);
        assert_eq!(account.count(1_004), 0);
        assert_eq!(account.count(1_005), 1);
        assert_eq!(account.count(1_014), 0);
        assert_eq!(account.count(1_036), 3);
        assert_eq!((account.rest(), account.used()), (0, 36));
        account.seen(1_045);
        assert_eq!((account.rest(), account.used()), (1, 45));
    }

    #[test]
    fn a_clock_that_is_told_late_counts_nothing_twice() {
        let mut account = Account::new(0, 0, 10);
        assert_eq!(account.count(35), 4);
        assert_eq!(account.count(20), 0);
        assert_eq!((account.rest(), account.used()), (0, 35));
    }

    #[test]
    fn counts_over_all_phases_are_the_time_used() {
        for used in [0, 1, 3, 9, 10, 11, 95] {
            let counts: u64 = (0..10).map(|phase| Account::new(7, phase, 10).count(7 + used)).sum();
            assert_eq!(counts, used, "of {used}");
        }
    }

    #[test]
    fn random_phases_are_spread() {
        let mut random = Random::new();
        let mut seen = [0_u32; 8];
        (0..8_000).for_each(|_| seen[(random.next() % 8) as usize] += 1);
        assert!(seen.iter().all(|times| (800..1_200).contains(times)), "{seen:?}");
    }
}
