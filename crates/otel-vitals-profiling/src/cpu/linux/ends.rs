//! Where stacks end: a profile says how many lack their roots.

use super::slots::LONGEST_STACK;
use crate::unwind::{DEEPEST, End};

/// How many samples have stacks that end so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    whole: u64,
    truncated: u64,
    deep: u64,
    unknown: u64,
    lost: u64,
}

impl Ends {
    pub(super) fn count(&mut self, end: End) {
        let counted = match end {
            End::Root => &mut self.whole,
            End::Truncated => &mut self.truncated,
            End::TooDeep => &mut self.deep,
            End::Unknown => &mut self.unknown,
            End::Lost => &mut self.lost,
        };
        *counted += 1;
    }

    /// What is to be said of those that are not whole, if there are any.
    pub(super) fn comment(&self) -> Option<String> {
        let Ends { whole, truncated, deep, unknown, lost } = *self;
        let cut = truncated + deep + unknown + lost;
        let reasons = [
            (truncated, format!("go on beyond what was copied, {} KiB at most", LONGEST_STACK >> 10)),
            (deep, format!("have more than {DEEPEST} frames")),
            (unknown, "lead to code that is in no loaded object".to_owned()),
            (lost, "have a frame that nothing tells how to leave".to_owned()),
        ];
        let reasons = reasons.into_iter().filter(|(count, _)| *count > 0);
        let reasons: Vec<_> = reasons.map(|(count, reason)| format!("{count} {reason}")).collect();
        (cut > 0).then(|| {
            let all = whole + cut;
            format!("{cut} of {all} samples have stacks that are cut at the root: {}", reasons.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_that_are_cut_are_told_with_the_reasons_that_there_are() {
        let mut ends = Ends::default();
        assert_eq!(ends.comment(), None);
        ends.count(End::Root);
        assert_eq!(ends.comment(), None);
        for end in [End::Truncated, End::Truncated, End::Lost, End::Root] {
            ends.count(end);
        }
        let comment = ends.comment().unwrap();
        assert_eq!(
            comment,
            "3 of 5 samples have stacks that are cut at the root: 2 go on beyond what was copied, 64 KiB at most, 1 have a frame that \
             nothing tells how to leave"
        );
    }

    #[test]
    fn each_reason_is_counted_for_itself() {
        for (end, words) in [(End::TooDeep, "1 have more than 512 frames"), (End::Unknown, "1 lead to code")]
        {
            let mut ends = Ends::default();
            ends.count(end);
            assert!(ends.comment().unwrap().contains(words), "{ends:?}");
        }
    }
}
