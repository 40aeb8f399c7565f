//! Why the process or a runtime stood still.
//!
//! Each cause has evidence that the kernel counts, and a cause is believed when its evidence covers at least half of the
//! stall. The first that does, in the order of [`PauseCause`](Cause), is the one.

use std::time::Duration;

use super::{PauseCause as Cause, PauseScope as Scope};

/// How long one major fault may have taken at most to be believed: a slow disk's seek and read.
const FAULT: Duration = Duration::from_millis(10);

/// What the kernel has counted while something stood still. What it does not tell is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Evidence {
    /// The control group was out of its CPU quota.
    pub(super) throttled: Option<Duration>,
    /// The thread that stood still was ready, and had no core.
    pub(super) waited: Option<Duration>,
    /// The thread that stood still had a core.
    pub(super) ran: Option<Duration>,
    /// Faults that were served from disk.
    pub(super) faults: Option<u64>,
    /// A task of the control group, or all of the machine, waited for memory.
    pub(super) memory: Option<Duration>,
    /// A task waited for a disk, likewise.
    pub(super) io: Option<Duration>,
}

impl Evidence {
    /// Whether none of it is of note, in the time that `passed`.
    pub(super) fn is_calm(&self, passed: Duration) -> bool {
        const WAITED: Duration = Duration::from_millis(1);
        let is_short = |time: Option<Duration>, most| time.unwrap_or_default() <= most;
        is_short(self.throttled, Duration::ZERO)
            && self.faults.unwrap_or(0) == 0
            && is_short(self.waited, WAITED)
            && is_short(self.memory, passed / 10)
            && is_short(self.io, passed / 10)
    }
}

/// Why something of `scope` stood still for `stall`, during which `evidence` was counted.
pub(super) fn decide(scope: Scope, stall: Duration, evidence: &Evidence) -> Cause {
    let covers = |time: Option<Duration>| time.is_some_and(|time| time >= stall / 2 && !time.is_zero());
    let faults = evidence.faults.map(|faults| FAULT.saturating_mul(faults.try_into().unwrap_or(u32::MAX)));
    // A thread that ran for most of it waited for no disk. For memory it may have: the kernel frees some on that thread.
    let ran = covers(evidence.ran);
    match scope {
        _ if covers(evidence.throttled) => Cause::Throttled,
        _ if covers(evidence.waited) => Cause::CpuWait,
        _ if covers(faults) && !ran => Cause::MajorFault,
        _ if covers(evidence.memory) => Cause::MemoryPressure,
        _ if covers(evidence.io) && !ran => Cause::IoPressure,
        Scope::Runtime => Cause::BlockedExecutor,
        Scope::Process => Cause::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STALL: Duration = Duration::from_millis(100);
    const HALF: Option<Duration> = Some(Duration::from_millis(50));
    const LESS: Option<Duration> = Some(Duration::from_millis(49));

    /// All causes at once.
    const ALL: Evidence =
        Evidence { throttled: HALF, waited: HALF, ran: None, faults: Some(5), memory: HALF, io: HALF };

    #[test]
    fn the_first_cause_that_covers_half_of_it_is_the_one() {
        let steps = [
            (ALL, Cause::Throttled),
            (Evidence { throttled: LESS, ..ALL }, Cause::CpuWait),
            (Evidence { throttled: None, waited: LESS, ..ALL }, Cause::MajorFault),
            (Evidence { throttled: None, waited: None, faults: Some(4), ..ALL }, Cause::MemoryPressure),
            (
                Evidence { throttled: None, waited: None, faults: None, memory: LESS, ..ALL },
                Cause::IoPressure,
            ),
        ];
        for (evidence, cause) in steps {
            for scope in Scope::ALL.iter().copied() {
                assert_eq!(decide(scope, STALL, &evidence), cause, "{evidence:?}");
            }
        }
    }

    #[test]
    fn without_evidence_a_runtime_was_blocked_and_a_process_is_unknown() {
        for evidence in
            [Evidence::default(), Evidence { throttled: LESS, waited: LESS, io: LESS, ..Evidence::default() }]
        {
            assert_eq!(decide(Scope::Runtime, STALL, &evidence), Cause::BlockedExecutor);
            assert_eq!(decide(Scope::Process, STALL, &evidence), Cause::Unknown);
        }
    }

    #[test]
    fn a_thread_that_ran_waited_for_no_disk() {
        let evidence = Evidence { throttled: None, waited: None, memory: None, ran: HALF, ..ALL };
        assert_eq!(decide(Scope::Runtime, STALL, &evidence), Cause::BlockedExecutor);
        let evidence = Evidence { memory: HALF, ..evidence };
        assert_eq!(decide(Scope::Runtime, STALL, &evidence), Cause::MemoryPressure);
        let evidence = Evidence { throttled: HALF, ..evidence };
        assert_eq!(decide(Scope::Runtime, STALL, &evidence), Cause::Throttled);
    }

    #[test]
    fn what_is_of_note_is_not_calm() {
        let passed = 2 * STALL;
        let little = Some(STALL / 5);
        let calm = Evidence { memory: little, io: little, ran: HALF, faults: Some(0), ..Evidence::default() };
        assert!(calm.is_calm(passed) && Evidence::default().is_calm(passed));
        for evidence in [
            Evidence { throttled: little, ..calm },
            Evidence { waited: little, ..calm },
            Evidence { faults: Some(1), ..calm },
            Evidence { memory: HALF, ..calm },
            Evidence { io: HALF, ..calm },
        ] {
            assert!(!evidence.is_calm(passed), "{evidence:?}");
        }
    }

    fn told() -> impl Strategy<Value = Option<Duration>> {
        proptest::option::of(any::<u64>().prop_map(Duration::from_nanos))
    }

    proptest! {
        #[test]
        fn always_decides(
            stall in any::<u64>().prop_map(Duration::from_nanos),
            faults in proptest::option::of(any::<u64>()),
            (throttled, waited, ran, memory, io) in (told(), told(), told(), told(), told()),
        ) {
            let evidence = Evidence { throttled, waited, ran, faults, memory, io };
            prop_assert_ne!(decide(Scope::Process, stall, &evidence), Cause::BlockedExecutor);
            prop_assert_ne!(decide(Scope::Runtime, stall, &evidence), Cause::Unknown);
        }
    }
}
