//! How often and for how long a control group was throttled.

use crate::Malformed;
use crate::scan::{self, Faults};

/// What `cpu.stat` says of throttling; all of it only grows, and is 0 as long as there is no quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuStat {
    /// Periods of the quota in which the group had something to run.
    pub periods: Option<u64>,
    /// Periods in which the group used up its quota and had to wait.
    pub throttled_periods: Option<u64>,
    /// Time that the group had to wait, summed over processors (nanoseconds).
    pub throttled_time: Option<u64>,
}

impl CpuStat {
    /// The lines `nr_periods`, `nr_throttled`, and `throttled_time` of version 1, which is in nanoseconds, or `throttled_usec`
    /// of version 2: what can be understood, and the first fault if there is one.
    ///
    /// A file without any of them is no fault: it is that of a group without the CPU controller.
    pub fn parse(bytes: &[u8]) -> (Self, Result<(), Malformed>) {
        let mut stat = CpuStat::default();
        let mut faults = Faults::default();
        let mut is_told = false;
        for line in scan::whole_lines(bytes) {
            let mut fields = scan::fields(line);
            let (figure, unit, expected) = match fields.next() {
                Some(b"nr_periods") => (&mut stat.periods, 1, "nr_periods: a number of periods"),
                Some(b"nr_throttled") => {
                    (&mut stat.throttled_periods, 1, "nr_throttled: a number of periods")
                }
                Some(b"throttled_time") => (&mut stat.throttled_time, 1, "throttled_time: nanoseconds"),
                Some(b"throttled_usec") => (&mut stat.throttled_time, 1_000, "throttled_usec: microseconds"),
                _ => continue,
            };
            is_told = true;
            let value = faults.keep(scan::next_number(&mut fields, expected));
            *figure = value.map(|value| value.saturating_mul(unit));
        }
        if is_told {
            faults.require(&stat.periods, "nr_periods");
            faults.require(&stat.throttled_periods, "nr_throttled");
            faults.require(&stat.throttled_time, "throttled_time or throttled_usec");
        }
        (stat, faults.result())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const V1: &[u8] =
        b"nr_periods 51\nnr_throttled 42\nthrottled_time 1234567890\nnr_bursts 0\nburst_time 0\n";
    const V2: &[u8] = b"usage_usec 14772025095\nuser_usec 11335484356\nsystem_usec 3436540739\n\
        core_sched.force_idle_usec 0\nnr_periods 51\nnr_throttled 42\nthrottled_usec 1234567\nnr_bursts 0\nburst_usec 0\n";
    const USAGE_ONLY: &[u8] = b"usage_usec 14772025095\nuser_usec 11335484356\nsystem_usec 3436540739\n";

    fn stat(time: u64) -> CpuStat {
        CpuStat { periods: Some(51), throttled_periods: Some(42), throttled_time: Some(time) }
    }

    #[test]
    fn both_versions_come_out_in_nanoseconds() {
        assert_eq!(CpuStat::parse(V1), (stat(1_234_567_890), Ok(())));
        assert_eq!(CpuStat::parse(V2), (stat(1_234_567_000), Ok(())));
    }

    #[test]
    fn without_the_controller_there_are_no_figures_and_no_fault() {
        assert_eq!(CpuStat::parse(USAGE_ONLY), (CpuStat::default(), Ok(())));
        assert_eq!(CpuStat::parse(b""), (CpuStat::default(), Ok(())));
    }

    #[test]
    fn a_file_cut_anywhere_gives_only_whole_numbers() {
        for end in 0..V1.len() {
            let (cut, outcome) = CpuStat::parse(&V1[..end]);
            let whole = stat(1_234_567_890);
            for (found, expected) in [
                (cut.periods, whole.periods),
                (cut.throttled_periods, whole.throttled_periods),
                (cut.throttled_time, whole.throttled_time),
            ] {
                assert!(found.is_none() || found == expected, "{end}: {cut:?}");
            }
            assert_eq!(outcome.is_ok(), cut == CpuStat::default() || cut == whole, "{end}");
        }
    }

    #[test]
    fn an_odd_figure_costs_only_itself() {
        let (stat, outcome) = CpuStat::parse(b"nr_periods 5\nnr_throttled -1\nthrottled_usec 3\n");
        let expected = CpuStat { periods: Some(5), throttled_periods: None, throttled_time: Some(3_000) };
        assert_eq!(stat, expected);
        assert_eq!(outcome.unwrap_err().found, "-1");
        let (stat, _) = CpuStat::parse(b"throttled_usec 18446744073709551615\n");
        assert_eq!(stat.throttled_time, Some(u64::MAX));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..128),
                        text in "((nr_periods|nr_throttled|throttled_usec|throttled_time) [0-9]{0,21}\n){0,6}") {
            let _ = (CpuStat::parse(&bytes), CpuStat::parse(text.as_bytes()));
        }
    }
}
