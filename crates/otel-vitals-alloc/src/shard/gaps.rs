//! How far it is to the next sample.

use std::sync::atomic::Ordering::Relaxed;

use crate::atomic::{AtomicU64, const_unless_loom};

/// The largest mean: some gaps are 36 times as long, and the sign bit is to be far beyond.
pub(crate) const LARGEST_INTERVAL: u64 = 1 << 48;

/// The sequence of gaps of one shard, which its holder alone draws from.
#[derive(Debug)]
pub(crate) struct Gaps {
    random: AtomicU64,
    /// The mean that the last was drawn with, bytes.
    interval: AtomicU64,
}

impl Gaps {
    const_unless_loom! {
        pub(crate) fn new() -> Gaps {
            Gaps { random: AtomicU64::new(0), interval: AtomicU64::new(0) }
        }
    }

    /// Goes on with another sequence, which is told by `seed` and by where this one is.
    pub(crate) fn reseed(&self, seed: u64) {
        let state = self.random.load(Relaxed);
        self.random.store(mixed(state ^ seed), Relaxed);
    }

    /// Bytes up to and with the one at which the next sample is due, from an exponential distribution with the mean
    /// `interval`: whenever one looks, what is left of the gap is distributed as it was at its begin.
    pub(crate) fn draw(&self, interval: u64) -> u64 {
        let state = self.random.load(Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.store(state, Relaxed);
        self.interval.store(interval, Relaxed);
        gap(interval, mixed(state))
    }

    /// The mean that the last gap was drawn with, bytes.
    pub(crate) fn interval(&self) -> u64 {
        self.interval.load(Relaxed)
    }
}

/// The finalizer of SplitMix64: of numbers that follow each other it makes such that look random.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The first whole number that an exponential variable with this mean does not exceed.
fn gap(interval: u64, random: u64) -> u64 {
    // Of 53 bits, as many as a mantissa has: above zero and at most one.
    let uniform = ((random >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    ((-uniform.ln() * interval as f64).ceil() as u64).max(1)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const DRAWS: u64 = if cfg!(miri) { 2_000 } else { 200_000 };

    fn gaps(interval: u64) -> impl Iterator<Item = u64> {
        let gaps = Gaps::new();
        gaps.reseed(1);
        (0..DRAWS).map(move |_| gaps.draw(interval))
    }

    #[test]
    fn blocks_are_reached_as_often_as_their_weight_says() {
        for (interval, size) in
            [(512 << 10, 8), (512 << 10, 512 << 10), (512 << 10, 4 << 20), (100, 8), (1, 1)]
        {
            let reached = gaps(interval).filter(|gap| *gap <= size).count() as f64;
            let probability = 1.0 - (-(size as f64) / interval as f64).exp();
            let expected = probability * DRAWS as f64;
            let deviation = (expected * (1.0 - probability)).sqrt();
            // The sequence is the same in every run.
            assert!(
                (reached - expected).abs() < 4.0 * deviation + 1.0,
                "{size} of {interval}: {reached}, {expected}"
            );
        }
    }

    #[test]
    fn whatever_is_drawn_is_a_gap_that_leaves_the_sign_bit_alone() {
        for random in [0, 1 << 11, u64::MAX] {
            for interval in [1, 512 << 10, LARGEST_INTERVAL] {
                let gap = gap(interval, random);
                assert!((1..1 << 62).contains(&gap), "{gap}");
            }
        }
    }

    #[test]
    fn two_sequences_from_one_state_part_with_another_seed() {
        let [one, other] = [1, 2].map(|seed| {
            let gaps = Gaps::new();
            gaps.reseed(seed);
            [gaps.draw(1 << 30), gaps.draw(1 << 30)]
        });
        assert_ne!(one, other);
    }
}
