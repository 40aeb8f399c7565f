//! A counter that goes on when another file is read.

/// What has been counted, in whichever files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Total {
    /// What the file says now.
    last: Option<u64>,
    /// What to add to it; wraps around when it is to be taken away.
    carried: u64,
    /// What was counted when the file was changed for another, which has not been read yet.
    before: Option<u64>,
}

impl Total {
    /// From now on another file is read: what it has counted so far does not count.
    pub(super) fn go_on(&mut self) {
        self.before = self.value().or(self.before);
        self.last = None;
    }

    /// What has been counted, when the file says `now`. A file that counts less than before has begun anew.
    pub(super) fn follow(&mut self, now: Option<u64>) -> Option<u64> {
        let now = now?;
        if let Some(before) = self.before.take() {
            self.carried = before.wrapping_sub(now);
        } else if let Some(last) = self.last.filter(|last| now < *last) {
            self.carried = self.carried.wrapping_add(last);
        }
        self.last = Some(now);
        self.value()
    }

    fn value(&self) -> Option<u64> {
        self.last.map(|last| last.wrapping_add(self.carried))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_file_counts_as_it_is_and_the_next_from_there() {
        let mut total = Total::default();
        total.go_on();
        assert_eq!(total.follow(Some(1000)), Some(1000));
        assert_eq!(total.follow(None), None);
        assert_eq!(total.follow(Some(1010)), Some(1010));
        total.go_on();
        assert_eq!(total.follow(None), None, "not read yet");
        total.go_on();
        assert_eq!(total.follow(Some(7)), Some(1010));
        assert_eq!(total.follow(Some(9)), Some(1012));
        assert_eq!(total.follow(Some(4)), Some(1016), "it has begun anew");
        total.go_on();
        assert_eq!(total.follow(Some(5000)), Some(1016));
        assert_eq!(total.follow(Some(5001)), Some(1017));
    }

    proptest! {
        #[test]
        fn never_panics_and_never_falls(steps in proptest::collection::vec((any::<bool>(), proptest::option::of(0u64..1 << 40)), 0..20)) {
            let mut total = Total::default();
            let mut last = 0;
            for (is_another, now) in steps {
                if is_another {
                    total.go_on();
                }
                if let Some(value) = total.follow(now) {
                    prop_assert!(value >= last);
                    last = value;
                }
            }
        }
    }
}
