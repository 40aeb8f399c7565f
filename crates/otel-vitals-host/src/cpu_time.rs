//! The time of one line of `/proc/stat` by mode, and what it says beside the reading before.

use otel_vitals_core::Malformed;
use otel_vitals_core::scan::{self, Faults};

/// The values of `cpu.mode`. Disjoint: together they are all the time that there was.
pub(crate) const MODES: [&str; 7] = ["user", "nice", "system", "idle", "iowait", "interrupt", "steal"];

/// One value for each of [`MODES`]; none where the kernel does not tell.
pub(crate) type ByMode<T> = [Option<T>; MODES.len()];

/// Time in each mode since boot, now and at the last reading that had one.
#[derive(Debug, Default)]
pub(crate) struct CpuTime {
    /// Ticks of `_SC_CLK_TCK`.
    now: Option<ByMode<u64>>,
    before: Option<ByMode<u64>>,
}

/// The kernel lets idle and iowait fall a little, because it guesses them from another core. More than this
/// (ticks; three seconds) is no such guess: the core was taken out and came back, and counts anew.
const WAVERING: u64 = 300;

impl CpuTime {
    /// Forgets the time now, which becomes the time before.
    pub(crate) fn clear(&mut self) {
        self.before = self.now.take().or(self.before);
    }

    /// Takes the fields of a line after its name.
    ///
    /// A line of zeros is a kernel that does not count (gVisor): every real one has been idle or busy for a tick.
    pub(crate) fn read(&mut self, fields: &[u8]) -> Result<(), Malformed> {
        let mut faults = Faults::default();
        let read = ticks(fields, &mut faults);
        if read.iter().flatten().any(|ticks| *ticks > 0) {
            self.now = Some(self.before.map_or(read, |before| steady(read, before)));
        }
        faults.result()
    }

    /// Seconds in each mode since boot, at `hertz` ticks a second.
    pub(crate) fn seconds(&self, hertz: f64) -> ByMode<f64> {
        self.now.unwrap_or_default().map(|ticks| ticks.map(|ticks| ticks as f64 / hertz))
    }

    /// Share of each mode in the time since the reading before, all modes together being 1. None at the first
    /// reading, when no tick passed, and when the core counts anew.
    pub(crate) fn utilization(&self) -> ByMode<f64> {
        let spent = self.now.zip(self.before).and_then(|(now, before)| differences(now, before));
        let spent = spent.unwrap_or_default();
        let all = spent.iter().flatten().fold(0_u64, |all, ticks| all.saturating_add(*ticks));
        spent.map(|ticks| ticks.filter(|_| all > 0).map(|ticks| ticks as f64 / all as f64))
    }
}

/// `user nice system idle iowait irq softirq steal [guest guest_nice]`: old kernels end earlier, and time of
/// guests is already in user and nice.
fn ticks(fields: &[u8], faults: &mut Faults) -> ByMode<u64> {
    let mut fields = scan::fields(fields);
    let [user, nice, system, idle] = ["ticks in user", "ticks in nice", "ticks in system", "ticks in idle"]
        .map(|expected| faults.keep(scan::next_number(&mut fields, expected)));
    let [iowait, irq, softirq, steal] =
        ["ticks in iowait", "ticks in irq", "ticks in softirq", "ticks in steal"]
            .map(|expected| fields.next().and_then(|field| faults.keep(scan::number(field, expected))));
    let interrupt = irq.zip(softirq).map(|(irq, softirq)| irq.saturating_add(softirq));
    [user, nice, system, idle, iowait, interrupt, steal]
}

/// `now`, where no mode is a little less than `before`: who sums a counter up takes a fall for a restart from zero.
fn steady(now: ByMode<u64>, before: ByMode<u64>) -> ByMode<u64> {
    let mut steady = now;
    for (now, before) in steady.iter_mut().zip(before) {
        if let (Some(now), Some(before)) = (now, before)
            && before.saturating_sub(*now) <= WAVERING
        {
            *now = before.max(*now);
        }
    }
    steady
}

/// What passed in each mode; none at all when one of them counts anew.
fn differences(now: ByMode<u64>, before: ByMode<u64>) -> Option<ByMode<u64>> {
    let mut differences = ByMode::default();
    for ((difference, now), before) in differences.iter_mut().zip(now).zip(before) {
        if let (Some(now), Some(before)) = (now, before) {
            *difference = Some(now.checked_sub(before)?);
        }
    }
    Some(differences)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn after(lines: &[&str]) -> CpuTime {
        let mut time = CpuTime::default();
        for line in lines {
            time.clear();
            time.read(line.as_bytes()).unwrap();
        }
        time
    }

    #[test]
    fn modes_are_disjoint_and_guests_are_in_user() {
        let seconds = after(&["  1000 200 300 4000 50 6 7 80 900 100"]).seconds(100.0);
        assert_eq!(seconds, [10.0, 2.0, 3.0, 40.0, 0.5, 0.13, 0.8].map(Some));
    }

    #[test]
    fn an_old_kernel_lacks_the_modes_that_it_does_not_know() {
        let linux_2_4 = after(&["100 200 300 400"]).seconds(100.0);
        assert_eq!(linux_2_4, [Some(1.0), Some(2.0), Some(3.0), Some(4.0), None, None, None]);
        let linux_2_6_9 = after(&["100 200 300 400 500 600 100"]).seconds(100.0);
        assert_eq!(linux_2_6_9[4..], [Some(5.0), Some(7.0), None]);
    }

    #[test]
    fn a_truncated_line_and_an_odd_field_cost_only_themselves() {
        let mut time = CpuTime::default();
        let error = time.read(b"100 200 x").unwrap_err();
        assert_eq!(error.found, "x");
        assert_eq!(time.seconds(100.0), [Some(1.0), Some(2.0), None, None, None, None, None]);
    }

    #[test]
    fn a_kernel_that_does_not_count_says_nothing() {
        assert_eq!(after(&["0 0 0 0 0 0 0 0 0 0"]).seconds(100.0), ByMode::default());
    }

    #[test]
    fn utilization_is_the_share_since_the_reading_before() {
        assert_eq!(after(&["100 0 0 100 0 0 0 0"]).utilization(), ByMode::default());
        let time = after(&["100 0 0 100 0 0 0 0", "150 0 25 125 0 0 0 0"]);
        assert_eq!(time.utilization(), [0.5, 0.0, 0.25, 0.25, 0.0, 0.0, 0.0].map(Some));
    }

    #[test]
    fn utilization_spans_a_reading_that_failed_and_is_absent_when_no_tick_passed() {
        let mut time = after(&["100 0 0 100 0 0 0 0"]);
        time.clear();
        assert_eq!(time.utilization(), ByMode::default());
        time.clear();
        time.read(b"100 0 0 200 0 0 0 0").unwrap();
        assert_eq!(time.utilization()[3], Some(1.0));
        time.clear();
        time.read(b"100 0 0 200 0 0 0 0").unwrap();
        assert_eq!(time.utilization(), ByMode::default());
    }

    #[test]
    fn a_wavering_mode_stays_and_a_core_that_came_back_counts_anew() {
        let wavering = after(&["1000 0 0 5000 90 0 0 0", "1100 0 0 4999 80 0 0 0"]);
        assert_eq!(wavering.seconds(100.0)[..5], [11.0, 0.0, 0.0, 50.0, 0.9].map(Some));
        assert_eq!(wavering.utilization()[0], Some(1.0));
        let anew = after(&["1000 0 0 5000 90 0 0 0", "3 0 0 7 0 0 0 0"]);
        assert_eq!(anew.seconds(100.0)[0], Some(0.03));
        assert_eq!(anew.utilization(), ByMode::default());
    }

    proptest! {
        #[test]
        fn never_panics(lines in proptest::collection::vec("[0-9a-z \t.-]{0,80}", 1..4)) {
            let mut time = CpuTime::default();
            for line in lines {
                time.clear();
                let _ = time.read(line.as_bytes());
                let _ = (time.seconds(100.0), time.utilization());
            }
        }

        #[test]
        fn shares_sum_to_one(start: [u32; 8], steps: [u16; 8]) {
            let line = |values: &[u64]| values.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
            let first: Vec<u64> = start.iter().map(|ticks| u64::from(*ticks) + 1).collect();
            let second: Vec<u64> = first.iter().zip(steps).map(|(ticks, step)| ticks + u64::from(step)).collect();
            let shares = after(&[&line(&first), &line(&second)]).utilization();
            let sum: f64 = shares.iter().flatten().sum();
            prop_assert!(steps == [0; 8] || (sum - 1.0).abs() < 1e-9, "{sum}");
        }
    }
}
