//! What the kernel has counted by now of that which makes a process stand still.
//!
//! All of it is read from files that stay open, and costs some microseconds. What a system does not tell is none.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::cause::Evidence;

#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#[path = "evidence/linux.rs"]
mod system;
#[cfg(any(not(target_os = "linux"), otel_vitals_portable))]
#[path = "evidence/portable.rs"]
mod system;

use system::Counters;
pub(super) use system::thread_time;

/// To read what is counted costs more than the rest of a tick. While nothing of note is counted, what is known before a stall
/// may be so many nanoseconds older than the stall.
const STALE: u64 = 350_000_000;

/// What is counted, read no more often than it is needed.
pub(super) struct Samples {
    counters: RefCell<Counters>,
    known: Cell<Sample>,
    /// When that was read.
    read: Cell<u64>,
    /// Whether there was anything of note in it, compared to what was known before.
    is_calm: Cell<bool>,
    /// When the look began that is under way.
    now: Cell<u64>,
}

/// What was counted until some moment, since the start of whatever counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// Nanoseconds that the control group was out of its quota.
    pub(super) throttled: Option<u64>,
    /// Faults of the process that were served from disk.
    pub(super) faults: Option<u64>,
    /// Microseconds in which tasks waited for memory: one of the control group, or all of the machine.
    pub(super) memory: Option<u64>,
    /// Microseconds in which tasks waited for a disk, likewise.
    pub(super) io: Option<u64>,
    /// Of the thread that samples.
    pub(super) own: ThreadTime,
}

/// What one thread has done until some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ThreadTime {
    /// Nanoseconds on a core.
    pub(super) ran: Option<u64>,
    /// Nanoseconds ready and without one.
    pub(super) waited: Option<u64>,
}

impl Samples {
    /// To be used by one thread only.
    pub(super) fn new(now: u64) -> Self {
        let mut counters = Counters::new();
        let known = counters.read(now);
        Samples {
            counters: RefCell::new(counters),
            known: Cell::new(known),
            read: Cell::new(now),
            is_calm: Cell::new(true),
            now: Cell::new(now),
        }
    }

    /// A look begins at the moment `now`.
    pub(super) fn begin(&self, now: u64) {
        self.now.set(now);
    }

    /// What was read last.
    pub(super) fn known(&self) -> Sample {
        self.known.get()
    }

    /// What is counted in this look.
    pub(super) fn fresh(&self) -> Sample {
        let now = self.now.get();
        let read = self.read.replace(now);
        if read != now {
            let sample = self.counters.borrow_mut().read(now);
            let before = self.known.replace(sample);
            self.is_calm.set(sample.since(&before).is_calm(Duration::from_nanos(now.saturating_sub(read))));
        }
        self.known.get()
    }

    /// Whether nothing of note was counted when it was read last.
    pub(super) fn is_calm(&self) -> bool {
        self.is_calm.get()
    }

    /// The look ends; what is known is read anew if it is too old for the next.
    pub(super) fn end(&self) {
        if !self.is_calm() || self.now.get().saturating_sub(self.read.get()) >= STALE {
            let _ = self.fresh();
        }
    }
}

impl Sample {
    /// What was counted since `before`, for a stall of the thread that samples.
    pub(super) fn since(&self, before: &Sample) -> Evidence {
        self.since_with(before, self.own, before.own)
    }

    /// What was counted since `before`, for a stall of a thread that had done `then` and has done `now`.
    pub(super) fn since_with(&self, before: &Sample, now: ThreadTime, then: ThreadTime) -> Evidence {
        Evidence {
            throttled: grown(self.throttled, before.throttled).map(Duration::from_nanos),
            waited: grown(now.waited, then.waited).map(Duration::from_nanos),
            ran: grown(now.ran, then.ran).map(Duration::from_nanos),
            faults: grown(self.faults, before.faults),
            memory: grown(self.memory, before.memory).map(Duration::from_micros),
            io: grown(self.io, before.io).map(Duration::from_micros),
        }
    }
}

/// None of what was not known before or is not now, as when the control group has changed and counts anew.
fn grown(now: Option<u64>, before: Option<u64>) -> Option<u64> {
    now?.checked_sub(before?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_at_both_ends_is_evidence() {
        let before =
            Sample { throttled: Some(10), faults: Some(5), memory: None, io: Some(1), ..Sample::default() };
        let now = Sample { throttled: Some(110), faults: Some(3), memory: Some(9), io: None, ..before };
        let evidence = now.since(&before);
        assert_eq!(evidence.throttled, Some(Duration::from_nanos(100)));
        assert_eq!((evidence.faults, evidence.memory, evidence.io), (None, None, None));
    }

    #[test]
    fn what_is_counted_is_read_once_a_look_and_when_it_is_old() {
        let samples = Samples::new(1);
        let read_at = |samples: &Samples| samples.read.get();
        samples.begin(2);
        samples.end();
        assert_eq!(read_at(&samples), 1, "nobody asked");
        let first = samples.fresh();
        assert_eq!((read_at(&samples), samples.fresh(), samples.known()), (2, first, first));
        samples.is_calm.set(false);
        samples.begin(3);
        samples.end();
        assert_eq!(read_at(&samples), 3, "much is counted");
        samples.is_calm.set(true);
        samples.read.set(2);
        samples.begin(1 + STALE);
        samples.end();
        assert_eq!(read_at(&samples), 2, "it is not old");
        samples.begin(2 + STALE);
        samples.end();
        assert_eq!(read_at(&samples), 2 + STALE);
    }

    #[test]
    fn the_threads_that_stood_still_tell_whether_they_ran() {
        let time = |ran, waited| ThreadTime { ran: Some(ran), waited: Some(waited) };
        let sample = Sample { own: time(1, 1), ..Sample::default() };
        let evidence = sample.since_with(&sample, time(700, 30), time(200, 10));
        assert_eq!(evidence.ran, Some(Duration::from_nanos(500)));
        assert_eq!(evidence.waited, Some(Duration::from_nanos(20)));
    }
}
