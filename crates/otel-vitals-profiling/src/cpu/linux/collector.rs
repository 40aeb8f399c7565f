//! The thread that makes frames of what handlers leave, and looks for threads that have come or gone.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::*};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant, SystemTime};

use super::ends::Ends;
use super::handler::{self, Copying, SLOTS, Signal};
use super::slots::Context;
use super::strays::Strays;
use super::tally::Tally;
use super::threads::{Rest, Sampled, Threads};
use super::trigger;
use crate::objects::{self, Object};
use crate::unwind::{End, Registers, Unwinder};

/// How often it looks, at least, for samples and for threads. To be woken and to look costs a hundred microseconds, or more.
const SLEEP: Duration = Duration::from_millis(50);
/// How often where a thread must be found to be sampled, which it is as soon as it uses CPU time elsewhere.
const SHORT_SLEEP: Duration = Duration::from_millis(20);
/// Looking for threads takes at most this part of the time of a core: one in so many.
const SHARE: u32 = 200;
/// But threads are looked for this often whatever it takes.
const LONGEST: Duration = Duration::from_secs(1);
/// So much of a stack is copied beyond what was needed of it before.
const SPARE: u64 = 512;
/// What is loaded is looked up anew at most this often because of an address that is in none.
const REFRESH: Duration = Duration::from_millis(250);

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// CPU time that a sample stands for, nanoseconds.
    pub(super) period: u64,
    pub(super) signal: Signal,
    pub(super) events: bool,
}

/// What was seen.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) tally: Tally,
    pub(super) sampled: Vec<Sampled>,
    pub(super) strays: Strays,
    /// Periods of threads, by number, of which nothing was seen.
    pub(super) bare: BTreeMap<usize, u64>,
    /// How the stacks of samples ended.
    pub(super) ends: Ends,
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
    /// All that was loaded meanwhile.
    pub(super) objects: Vec<Object>,
}

struct Collector {
    signal: Signal,
    threads: Threads,
    tally: Tally,
    strays: Strays,
    unwinder: Unwinder,
    /// All that the unwinder has known.
    objects: Vec<Object>,
    copying: Copying,
    /// The number of a thread, and frames.
    stack: Vec<u64>,
    bare: BTreeMap<usize, u64>,
    ends: Ends,
    refreshed: Instant,
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
        strays: collector.strays,
        bare: collector.bare,
        ends: collector.ends,
        dropped: SLOTS.dropped(),
        spent,
        used: collector.threads.used(),
        started,
        duration,
        disturbed,
        objects: collector.objects,
    })
}

impl Collector {
    fn new(plan: Plan) -> Self {
        let unwinder = Unwinder::new();
        Collector {
            objects: objects::of(unwinder.modules()),
            signal: plan.signal,
            threads: Threads::new(&plan),
            tally: Tally::default(),
            strays: Strays::default(),
            unwinder,
            copying: Copying::prepare(),
            stack: Vec::new(),
            bare: BTreeMap::new(),
            ends: Ends::default(),
            refreshed: Instant::now(),
        }
    }

    /// Until `stop` says so; false when somebody else took the signal, so that it must end.
    fn gather(&mut self, stop: &AtomicBool) -> bool {
        let mut next = Instant::now() + self.sleep();
        while !stop.load(Acquire) {
            self.drain();
            let now = Instant::now();
            if now >= next {
                // What interrupts threads no longer comes to us.
                if !handler::is_there(self.signal) {
                    return false;
                }
                next = now + self.look();
            }
            SLOTS.wait(self.sleep().min(next.saturating_duration_since(now)));
        }
        true
    }

    fn sleep(&self) -> Duration {
        if self.threads.notices() { SLEEP } else { SHORT_SLEEP }
    }

    /// Looks for threads; tells when to do so again.
    fn look(&mut self) -> Duration {
        let before = trigger::own_clock();
        let Collector { threads, tally, bare, .. } = self;
        // Without a list, those that are known go on.
        let _ = threads.look(|rest| settle(rest, tally, bare));
        let took = Duration::from_nanos(trigger::own_clock().saturating_sub(before));
        (took * SHARE).clamp(self.sleep(), LONGEST)
    }

    /// Takes the triggers away and counts what is there.
    fn end(&mut self) {
        self.threads.disarm();
        SLOTS.close();
        self.drain();
        // What has taken the place of something else meanwhile is to be told apart from it.
        self.refresh();
        SLOTS.release();
        let Collector { threads, tally, bare, .. } = self;
        threads.finish(|rest| settle(rest, tally, bare));
        tally.spread(bare);
    }

    fn drain(&mut self) {
        SLOTS.take(|context, stack| self.count(context, stack));
    }

    fn count(&mut self, context: &Context, stack: &[u8]) {
        let Some((number, count)) = self.threads.count(context.thread, context.clock) else {
            if let Some(name) = context.name {
                let number = self.strays.number(name);
                self.unwind(number, context, stack);
                self.strays.tally.add(&self.stack, 1);
            }
            return;
        };
        if count == 0 {
            return;
        }
        let end = self.unwind(number, context, stack);
        self.threads.ended(context, stack.len(), end, self.unwinder.reached() + SPARE);
        if let Some(place) = self.tally.add(&self.stack, count) {
            self.threads.counted(context.thread, place);
        }
    }

    fn unwind(&mut self, number: usize, context: &Context, stack: &[u8]) -> End {
        let registers = Registers { ip: context.ip, sp: context.sp, fp: context.fp, lr: context.lr };
        let mut end = self.unwind_once(number, registers, stack);
        // An object may have been loaded since. Code that a program makes as it runs is in none, however often one looks.
        if end == End::Unknown && self.refreshed.elapsed() >= REFRESH && self.refresh() {
            end = self.unwind_once(number, registers, stack);
        }
        self.ends.count(end);
        end
    }

    fn unwind_once(&mut self, number: usize, registers: Registers, stack: &[u8]) -> End {
        self.stack.clear();
        self.stack.push(number as u64);
        self.unwinder.unwind(registers, stack, &mut self.stack)
    }

    /// Learns of objects that were loaded or unloaded; false when none was.
    fn refresh(&mut self) -> bool {
        self.refreshed = Instant::now();
        let changed = self.unwinder.refresh();
        if changed {
            objects::merge(&mut self.objects, objects::of(self.unwinder.modules()));
        }
        changed
    }
}

/// Counts what a thread used after its last sample: there, when that was just now, and otherwise wherever it was seen.
fn settle(rest: Rest, tally: &mut Tally, bare: &mut BTreeMap<usize, u64>) {
    match rest.last {
        Some(place) => tally.add_at(place, rest.count),
        None => *bare.entry(rest.number).or_default() += rest.count,
    }
}
