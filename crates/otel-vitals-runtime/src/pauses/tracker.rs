//! One runtime: its stamps, and its workers.
//!
//! A runtime with one worker is blocked when its stamp does not come back. The stamp was sent some time after the block
//! began, up to a tick; how long it really was is told by the time that the worker was busy. Of a runtime with several
//! workers one can be stuck while another runs the stamps, so that each is looked at, too.

use std::sync::Arc;
use std::thread::Thread;
use std::time::Duration;
use tokio::runtime::RuntimeMetrics;

use super::cause::Evidence;
use super::evidence::{Sample, Samples};
use super::worker::{Progress, Worker};
use crate::runtimes::{Returned, Watched};

/// Times of the ticker, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) tick: u64,
    /// Of the process.
    pub(super) threshold: u64,
    /// Of a runtime.
    pub(super) runtime_threshold: u64,
    /// A worker that does not move for so long is stuck.
    pub(super) stuck_after: u64,
}

/// What the ticker knows when it looks at the runtimes.
pub(super) struct Look<'a> {
    pub(super) settings: &'a Settings,
    /// The moment of this look, and that of the last one.
    pub(super) now: u64,
    pub(super) previous: u64,
    /// From when to when the whole process stood still between them.
    pub(super) platform: Option<(u64, u64)>,
    /// What is counted.
    pub(super) samples: &'a Samples,
}

/// A stall of the runtime that is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stall {
    /// Nanoseconds.
    pub(super) duration: u64,
    /// The moment when it ended.
    pub(super) end: u64,
    /// Tokio's index of the worker, where it is known.
    pub(super) worker: Option<u32>,
    /// The evidence is of so much of it, and of a little before.
    pub(super) window: Duration,
    pub(super) evidence: Evidence,
}

pub(super) struct Tracker {
    pub(super) watched: Arc<Watched>,
    metrics: RuntimeMetrics,
    workers: Vec<Worker>,
    sent: Option<Sent>,
    settling: Option<Settling>,
    /// The moment when a worker was last seen to be stuck.
    stuck_until: u64,
    /// The moment when a stamp was run last.
    ran: Option<u64>,
}

/// A stamp that has not come back.
#[derive(Clone, Debug)]
struct Sent {
    at: u64,
    /// How much earlier a block that it runs into may have begun.
    earlier: u64,
    sample: Sample,
    /// Of the worker of a runtime that has one.
    progress: Progress,
    /// Nanoseconds since in which the whole process stood still.
    platform: u64,
}

/// A stall that is over, of which the worker has not told yet how long it was busy.
#[derive(Clone, Copy, Debug)]
struct Settling {
    stall: Stall,
    progress: Progress,
    /// Nanoseconds that it may have been at most.
    most: u64,
    /// Until when to wait for the worker.
    until: u64,
}

/// How long a worker may take to turn after it has run a late stamp, and how often it is looked at meanwhile.
const SETTLED: u64 = 20_000_000;
const SETTLING: u64 = 1_000_000;

impl Tracker {
    pub(super) fn new(watched: Arc<Watched>) -> Self {
        let metrics = watched.handle.metrics();
        let workers = (0..metrics.num_workers()).map(|_| Worker::default()).collect();
        Tracker { watched, metrics, workers, sent: None, settling: None, stuck_until: 0, ran: None }
    }

    /// Looks at the workers and for the stamp. Tells `over` of the stalls that are over, and returns how long the stamp took, if it
    /// has come back.
    pub(super) fn look(&mut self, look: &Look<'_>, mut over: impl FnMut(Stall)) -> Option<u64> {
        let metrics = &self.metrics;
        let is_alone = self.is_alone();
        for (index, worker) in self.workers.iter_mut().enumerate() {
            let Some(progress) = Progress::of(metrics, index) else { break };
            let was_stuck = worker.stuck_since().is_some();
            let stall = worker.look(progress, look);
            if was_stuck {
                self.stuck_until = look.now;
            }
            // One that is alone holds its stamps up, which tell better.
            if let Some(stall) =
                stall.filter(|stall| !is_alone && stall.duration >= look.settings.runtime_threshold)
            {
                over(Stall { worker: u32::try_from(index).ok(), ..stall });
            }
        }
        if let Some(stall) = self.settle(look) {
            over(stall);
        }
        let delay = self.watched.stamp.take().map(|returned| self.returned(&returned, look, &mut over));
        if let (Some(sent), Some((from, to))) = (&mut self.sent, look.platform) {
            sent.platform += to.saturating_sub(from.max(sent.at));
        }
        delay
    }

    /// Sends the next stamp, if none is under way.
    pub(super) fn send(&mut self, look: &Look<'_>, ticker: &Thread) {
        if self.sent.is_some() {
            return;
        }
        let progress = self.workers.first().map(Worker::progress).unwrap_or_default();
        let Some(at) = self.watched.stamp.send(look.settings.runtime_threshold, ticker) else { return };
        self.sent = Some(Sent {
            at,
            earlier: self.ran.map_or(0, |ran| at.saturating_sub(ran)),
            sample: look.samples.known(),
            progress,
            platform: 0,
        });
        self.workers.iter_mut().for_each(Worker::stamp_sent);
    }

    /// After how many nanoseconds it should be looked at again, if before the next tick.
    pub(super) fn again_after(&self, now: u64) -> Option<u64> {
        let settling = self.settling.as_ref().map(|_| SETTLING);
        let workers = self.workers.iter().filter(|_| !self.is_alone());
        workers.filter_map(|worker| worker.again_after(now)).chain(settling).min()
    }

    /// Calls `each` with the worker, where it is known, and the moment since when, of what stands still.
    pub(super) fn ongoing(&self, look: &Look<'_>, mut each: impl FnMut(Option<u32>, u64)) {
        let mut is_stuck = false;
        if !self.is_alone() {
            for (index, worker) in self.workers.iter().enumerate() {
                if let Some(since) = worker.stuck_since() {
                    is_stuck = true;
                    each(u32::try_from(index).ok(), since);
                }
            }
        }
        let Some(sent) = self.sent.as_ref().filter(|_| !is_stuck) else { return };
        let waited = look.now.saturating_sub(sent.at).saturating_sub(sent.platform);
        if waited >= look.settings.runtime_threshold {
            each(self.is_alone().then_some(0), sent.at);
        }
    }

    /// Whether there is one worker, which holds all stamps up when it is stuck.
    fn is_alone(&self) -> bool {
        self.workers.len() == 1
    }

    fn returned(&mut self, returned: &Returned, look: &Look<'_>, over: &mut impl FnMut(Stall)) -> u64 {
        let delay = returned.ran.saturating_sub(returned.sent);
        let Some(mut sent) = self.sent.take() else { return delay };
        if let Some((from, to)) = look.platform {
            let overlap = to.min(returned.ran).saturating_sub(from.max(returned.sent));
            sent.platform += overlap;
        }
        if delay >= look.settings.runtime_threshold && is_own(delay, sent.platform) {
            self.late(returned, &sent, look, over);
        }
        if let Some(worker) = returned.worker.and_then(|worker| self.workers.get_mut(worker)) {
            worker.ran_stamp(returned.ran, returned.thread);
        }
        self.ran = Some(returned.ran);
        delay
    }

    fn late(&mut self, returned: &Returned, sent: &Sent, look: &Look<'_>, over: &mut impl FnMut(Stall)) {
        let is_alone = self.is_alone();
        let stuck = self.workers.iter().any(|worker| worker.stuck_since().is_some());
        if !is_alone && (stuck || self.stuck_until >= sent.at) {
            return;
        }
        let delay = returned.ran.saturating_sub(sent.at);
        let stall = Stall {
            duration: delay,
            end: returned.ran,
            worker: is_alone.then_some(0),
            window: Duration::from_nanos(look.now.saturating_sub(sent.at)),
            evidence: self.evidence(sent, look),
        };
        let settling = Settling {
            stall,
            progress: sent.progress,
            most: if is_alone { delay.saturating_add(sent.earlier) } else { delay },
            until: look.now.saturating_add(SETTLED),
        };
        // One that has not settled by now is as long as is known.
        if let Some(before) = self.settling.replace(settling) {
            over(before.stall);
        }
        if let Some(stall) = self.settle(look) {
            over(stall);
        }
    }

    /// Of the worker that waited for a core longest: the one that was woken for the stamp need not be the one that ran it.
    fn evidence(&self, sent: &Sent, look: &Look<'_>) -> Evidence {
        let sample = look.samples.fresh();
        let times = self.workers.iter().map(Worker::times);
        let evidence = times.map(|(then, now)| sample.since_with(&sent.sample, now, then));
        evidence.max_by_key(|evidence| evidence.waited).unwrap_or_default()
    }

    /// The stall of which its worker has told by now, or had the time to.
    fn settle(&mut self, look: &Look<'_>) -> Option<Stall> {
        let settling = self.settling.take()?;
        let Settling { mut stall, progress, most, until } = settling;
        let busy = Progress::of(&self.metrics, 0).and_then(|now| now.busy_since(progress));
        if busy.is_none() && most > stall.duration && look.now < until {
            self.settling = Some(settling);
            return None;
        }
        stall.duration = busy.unwrap_or(0).clamp(stall.duration, most);
        Some(stall)
    }
}

/// Whether a stall is the runtime's: one for most of which the whole process stood still is told as such.
pub(super) fn is_own(stall: u64, platform: u64) -> bool {
    platform < stall / 2
}

#[cfg(test)]
mod tests;
