//! What counters say beside an earlier look.

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Between two looks that are compared lies so much at least: a tick of the kernel is 10 ms.
const SHORTEST: Duration = Duration::from_millis(500);

/// What counters said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) at: Instant,
    /// Of the machine's processors.
    pub(super) machine: Option<Ticks>,
    pub(super) group: Option<GroupCounters>,
}

/// Time of processors since boot (ticks).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ticks {
    pub(super) busy: f64,
    pub(super) all: f64,
}

/// Counters of a control group.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct GroupCounters {
    /// Which group; counters of two have nothing in common.
    pub(super) folder: PathBuf,
    /// Periods in which it had something to run.
    pub(super) periods: Option<u64>,
    /// Periods in which it used up its quota.
    pub(super) throttled: Option<u64>,
    /// CPU time (nanoseconds).
    pub(super) time: Option<u64>,
}

/// The last look, and the one before that it is compared with.
#[derive(Debug, Default)]
pub(super) struct Rates {
    last: Option<Sample>,
    before: Option<Sample>,
}

impl Rates {
    pub(super) fn take(&mut self, sample: Sample) {
        let is_apart =
            |last: &Sample| sample.at.saturating_duration_since(last.at) >= SHORTEST || self.before.is_none();
        if let Some(last) = self.last.take_if(|last| is_apart(last)) {
            self.before = Some(last);
        }
        self.last = Some(sample);
    }

    /// In how much of their time processors were busy (percent).
    pub(super) fn machine_percent(&self) -> Option<f64> {
        let (before, last) = (self.compared()?.0.machine?, self.compared()?.1.machine?);
        percent(last.busy - before.busy, last.all - before.all)
    }

    /// What the group used of so many cores (percent).
    pub(super) fn group_percent(&self, cores: f64) -> Option<f64> {
        let (before, last, elapsed) = self.groups()?;
        let used = last.time?.checked_sub(before.time?)?;
        percent(used as f64, elapsed.as_nanos() as f64 * cores)
    }

    /// In how many of its periods the group used up its quota (percent).
    pub(super) fn throttled_percent(&self) -> Option<f64> {
        let (before, last, _) = self.groups()?;
        let throttled = last.throttled?.checked_sub(before.throttled?)?;
        percent(throttled as f64, last.periods?.checked_sub(before.periods?)? as f64)
    }

    fn compared(&self) -> Option<(&Sample, &Sample)> {
        let (before, last) = (self.before.as_ref()?, self.last.as_ref()?);
        (last.at.saturating_duration_since(before.at) >= SHORTEST).then_some((before, last))
    }

    fn groups(&self) -> Option<(&GroupCounters, &GroupCounters, Duration)> {
        let (before, last) = self.compared()?;
        let elapsed = last.at.saturating_duration_since(before.at);
        let (before, last) = (before.group.as_ref()?, last.group.as_ref()?);
        (before.folder == last.folder).then_some((before, last, elapsed))
    }
}

/// `part` of `all`; none when there is nothing to be a part of, or counters fell. Counters are not read at one moment, so that a part
/// may seem to be a little more than all.
fn percent(part: f64, all: f64) -> Option<f64> {
    (part >= 0.0 && all > 0.0).then(|| (part / all * 100.0).min(100.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(start: Instant, milliseconds: u64, count: u64) -> Sample {
        Sample {
            at: start + Duration::from_millis(milliseconds),
            machine: Some(Ticks { busy: count as f64, all: 4.0 * count as f64 }),
            group: Some(GroupCounters {
                folder: PathBuf::from("/a"),
                periods: Some(10 * count),
                throttled: Some(count),
                time: Some(count * 1_000_000),
            }),
        }
    }

    #[test]
    fn the_first_look_says_nothing_and_the_second_what_was_in_between() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        let all =
            |rates: &Rates| [rates.machine_percent(), rates.group_percent(0.5), rates.throttled_percent()];
        rates.take(sample(start, 0, 1000));
        assert_eq!(all(&rates), [None; 3]);
        rates.take(sample(start, 1000, 1100));
        // A tenth of a second of CPU time in a second of half a core.
        assert_eq!(all(&rates), [Some(25.0), Some(20.0), Some(10.0)]);
        rates.take(sample(start, 1000 + 10_000, 1100));
        assert_eq!(all(&rates), [None, Some(0.0), None], "nothing is no part of nothing");
    }

    #[test]
    fn looks_that_are_too_near_are_compared_with_one_before() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        rates.take(sample(start, 0, 0));
        rates.take(sample(start, 100, 1));
        assert_eq!(rates.machine_percent(), None);
        rates.take(sample(start, 1000, 181));
        assert_eq!(rates.group_percent(1.0), Some(20.0), "since the last");
        rates.take(sample(start, 1100, 201));
        assert_eq!(rates.group_percent(1.0), Some(20.0), "since the one before");
        rates.take(sample(start, 2100, 401));
        assert_eq!(rates.group_percent(1.0), Some(20.0), "since the last");
    }

    #[test]
    fn what_begins_anew_or_is_another_group_is_not_compared() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        rates.take(sample(start, 0, 100));
        rates.take(sample(start, 1000, 50));
        assert_eq!(
            (rates.machine_percent(), rates.group_percent(1.0), rates.throttled_percent()),
            (None, None, None)
        );
        let mut moved = sample(start, 2000, 500);
        moved.group.as_mut().unwrap().folder = PathBuf::from("/b");
        rates.take(moved);
        assert_eq!((rates.group_percent(1.0), rates.throttled_percent()), (None, None));
        assert_eq!(rates.machine_percent(), Some(25.0));
    }

    proptest! {
        #[test]
        fn a_percentage_is_one(steps in proptest::collection::vec((0_u64..3000, any::<u32>(), any::<u32>(), 0.001..1e4), 0..12)) {
            let (mut rates, start, mut now) = (Rates::default(), Instant::now(), 0);
            for (later, count, other, cores) in steps {
                now += later;
                let mut taken = sample(start, now, count.into());
                taken.group.as_mut().unwrap().throttled = Some(other.into());
                rates.take(taken);
                for percent in [rates.machine_percent(), rates.group_percent(cores), rates.throttled_percent()].into_iter().flatten() {
                    prop_assert!((0.0..=100.0).contains(&percent), "{percent}");
                }
            }
        }
    }
}
