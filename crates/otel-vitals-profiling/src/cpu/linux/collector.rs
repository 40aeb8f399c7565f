//! The thread that makes frames of what handlers leave, and looks for threads that have come or gone.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::*};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant, SystemTime};

use super::handler::{self, Copying, SLOTS, Signal};
use super::slots::Context;
use super::tally::Tally;
use super::threads::{Rest, Sampled, Threads};
use super::trigger;
use crate::unwind::{End, Registers, Unwinder};

/// How often it looks, at least, for samples and for threads. To be woken costs some tens of microseconds.
const SLEEP: Duration = Duration::from_millis(20);
/// Looking for threads takes at most this part of the time of a core: one in so many.
const SHARE: u32 = 200;
/// But threads are looked for this often whatever it takes.
const LONGEST: Duration = Duration::from_secs(1);
/// What is loaded is looked up anew at most this often because of an address that is in none.
const REFRESH: Duration = Duration::from_millis(250);
/// A thread whose last sample is at most so many ticks old was, as far as anybody knows, where it was.
const RECENT: u64 = 2;

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// CPU time that a sample stands for, nanoseconds.
    pub(super) period: u64,
    pub(super) events: bool,
}

/// What was seen.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) tally: Tally,
    pub(super) sampled: Vec<Sampled>,
    /// Periods of threads, by number, that have no stack.
    pub(super) bare: Vec<(Option<usize>, u64)>,
    /// Threads that got a perf event, a timer, or neither.
    pub(super) armed: [u64; 3],
    /// Samples for which there was no slot.
    pub(super) dropped: u64,
    /// CPU time of the process, nanoseconds.
    pub(super) spent: u64,
    /// That of threads which were known, as far as it is known, nanoseconds.
    pub(super) used: u64,
    pub(super) started: SystemTime,
    pub(super) duration: Duration,
    /// Whether somebody else took the signal meanwhile, which ended it.
    pub(super) disturbed: bool,
    /// Whether stacks could be copied.
    pub(super) copied: bool,
}

struct Collector {
    threads: Threads,
    tally: Tally,
    unwinder: Unwinder,
    copying: Copying,
    /// The number of a thread, and frames.
    stack: Vec<u64>,
    bare: Vec<(Option<usize>, u64)>,
    refreshed: Instant,
    /// Most periods that the rest of a thread may be to be counted where its last sample is.
    recent: u64,
}

/// Takes a profile until `stop` says so. Tells `begun` when every thread is armed, or why that cannot be; nothing is gathered then.
pub(super) fn run(plan: Plan, stop: &AtomicBool, begun: &SyncSender<io::Result<()>>) -> Option<Gathered> {
    let mut collector = Collector::new(plan);
    if let Err(error) = SLOTS.open(std::thread::available_parallelism().map_or(1, usize::from)) {
        let _ = begun.send(Err(error));
        return None;
    }
    let (started, start, spent) = (SystemTime::now(), Instant::now(), trigger::process_clock());
    let armed = collector.threads.settle();
    if let Err(error) = armed.and_then(|()| collector.threads.refused().map_or(Ok(()), Err)) {
        collector.end();
        let _ = begun.send(Err(error));
        return None;
    }
    let _ = begun.send(Ok(()));
    let disturbed = !collector.gather(stop);
    collector.look();
    let (spent, duration) = (trigger::process_clock().saturating_sub(spent), start.elapsed());
    collector.end();
    Some(Gathered {
        sampled: collector.threads.sampled().to_vec(),
        armed: collector.threads.armed(),
        copied: collector.copying.possible,
        tally: collector.tally,
        bare: collector.bare,
        dropped: SLOTS.dropped(),
        spent,
        used: collector.threads.used(),
        started,
        duration,
        disturbed,
    })
}

impl Collector {
    fn new(plan: Plan) -> Self {
        Collector {
            threads: Threads::new(plan.period, plan.events),
            tally: Tally::default(),
            unwinder: Unwinder::new(),
            copying: Copying::prepare(),
            stack: Vec::new(),
            bare: Vec::new(),
            refreshed: Instant::now(),
            recent: RECENT * trigger::tick() / plan.period + 1,
        }
    }

    /// Until `stop` says so; false when somebody else took the signal, so that it must end.
    fn gather(&mut self, stop: &AtomicBool) -> bool {
        let mut next = Instant::now() + SLEEP;
        while !stop.load(Acquire) {
            self.drain();
            let now = Instant::now();
            if now >= next {
                if !handler::is_there(Signal::Timer) {
                    return false;
                }
                next = now + self.look();
            }
            SLOTS.wait(SLEEP.min(next.saturating_duration_since(now)));
        }
        true
    }

    /// Looks for threads; tells when to do so again.
    fn look(&mut self) -> Duration {
        let before = trigger::own_clock();
        let Collector { threads, tally, bare, recent, .. } = self;
        // Without a list, those that are known go on.
        let _ = threads.look(|rest| settle(rest, *recent, tally, bare));
        let took = Duration::from_nanos(trigger::own_clock().saturating_sub(before));
        (took * SHARE).clamp(SLEEP, LONGEST)
    }

    /// Takes the triggers away and counts what is there.
    fn end(&mut self) {
        self.threads.disarm();
        SLOTS.close();
        self.drain();
        SLOTS.release();
        let Collector { threads, tally, bare, recent, .. } = self;
        threads.finish(|rest| settle(rest, *recent, tally, bare));
    }

    fn drain(&mut self) {
        SLOTS.take(|context, stack| self.count(context, stack));
    }

    fn count(&mut self, context: &Context, stack: &[u8]) {
        let Some((number, count)) = self.threads.count(context.thread, context.clock) else { return };
        if count == 0 {
            return;
        }
        self.unwind(number, context, stack);
        if let Some(place) = self.tally.add(&self.stack, count) {
            self.threads.counted(context.thread, place);
        }
    }

    fn unwind(&mut self, number: usize, context: &Context, stack: &[u8]) {
        let registers = Registers { ip: context.ip, sp: context.sp, fp: context.fp, lr: context.lr };
        for last in [false, true] {
            self.stack.clear();
            self.stack.push(number as u64);
            let end = self.unwinder.unwind(registers, stack, &mut self.stack);
            // An object may have been loaded since. Code that a program makes as it runs is in none, however often one looks.
            if last || end != End::Unknown || self.refreshed.elapsed() < REFRESH {
                break;
            }
            self.refreshed = Instant::now();
            if !self.unwinder.refresh() {
                break;
            }
        }
    }
}

/// Counts what a thread used after its last sample: there, when that was just now.
fn settle(rest: Rest, recent: u64, tally: &mut Tally, bare: &mut Vec<(Option<usize>, u64)>) {
    match rest.last {
        Some(place) if rest.count <= recent => tally.add_at(place, rest.count),
        _ => match bare.iter_mut().find(|(number, _)| *number == rest.number) {
            Some((_, count)) => *count += rest.count,
            None => bare.push((rest.number, rest.count)),
        },
    }
}
