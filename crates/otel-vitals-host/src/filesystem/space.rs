//! The space of one file system.

/// What the file system says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Blocks {
    /// All blocks.
    pub(crate) total: u64,
    /// Blocks without data.
    pub(crate) free: u64,
    /// Of these, blocks that an ordinary user may fill.
    pub(crate) available: u64,
    /// Bytes of a block (By).
    pub(crate) size: u64,
    /// Whether it is read-only, by this mount or altogether.
    pub(crate) read_only: bool,
}

/// Bytes by state; the states are disjoint and sum up to the size of the file system.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Space {
    /// Used, free and reserved, as [`STATES`] names them (By).
    pub(crate) states: [u64; 3],
    /// All (By); never zero.
    pub(crate) total: u64,
}

/// The values of `system.filesystem.state`: data; what an ordinary user may fill; what only root may.
pub(crate) const STATES: [&str; 3] = ["used", "free", "reserved"];

impl Blocks {
    /// None where there are no blocks, as in a file system that keeps no data.
    ///
    /// What cannot be, such as more free blocks than blocks, is cut to what can, so that the states always sum up.
    pub(crate) fn space(&self) -> Option<Space> {
        let total = self.total.min(i64::MAX.unsigned_abs().checked_div(self.size)?);
        let free = self.free.min(total);
        let available = self.available.min(free);
        let states = [total - free, available, free - available].map(|blocks| blocks * self.size);
        (total > 0).then(|| Space { states, total: total * self.size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blocks(total: u64, free: u64, available: u64, size: u64) -> Blocks {
        Blocks { total, free, available, size, read_only: false }
    }

    #[test]
    fn divides_as_df_does() {
        let space = blocks(1000, 400, 350, 4096).space().unwrap();
        assert_eq!(space.states, [600 * 4096, 350 * 4096, 50 * 4096]);
        assert_eq!(space.total, 1000 * 4096);
    }

    #[test]
    fn no_blocks_are_no_space() {
        assert_eq!(blocks(0, 0, 0, 4096).space(), None);
        assert_eq!(blocks(10, 0, 0, 0).space(), None);
    }

    #[test]
    fn what_cannot_be_is_cut() {
        assert_eq!(blocks(10, 20, 30, 1).space().unwrap().states, [0, 10, 0]);
        assert_eq!(blocks(10, 4, 9, 1).space().unwrap().states, [6, 4, 0]);
        assert_eq!(blocks(u64::MAX, 0, 0, 4096).space().unwrap().total, i64::MAX as u64 / 4096 * 4096);
    }

    proptest! {
        #[test]
        fn the_states_sum_up_and_fit_a_signed_number(total: u64, free: u64, available: u64, size: u64) {
            if let Some(space) = blocks(total, free, available, size).space() {
                let sum: u128 = space.states.iter().copied().map(u128::from).sum();
                prop_assert_eq!(sum, u128::from(space.total));
                prop_assert!(i64::try_from(space.total).is_ok());
            }
        }

        #[test]
        fn a_sane_answer_is_not_changed(free in 0u64..1 << 40, used in 1u64..1 << 40, reserved in 0u64..1 << 20) {
            let reserved = reserved.min(free);
            let space = blocks(used + free, free, free - reserved, 1024).space().unwrap();
            prop_assert_eq!(space.states, [used, free - reserved, reserved].map(|blocks| blocks * 1024));
        }
    }
}
