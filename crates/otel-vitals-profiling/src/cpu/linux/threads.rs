//! The threads that are sampled: found while they come, each with its trigger, its name and its account of CPU time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io};

use super::account::{Account, Random};
use super::collector::Plan;
use super::handler;
use super::slots::Context;
use super::trigger::{self, Armed, Triggers};
use crate::unwind::End;

/// A thread that has gone is remembered for so many looks, for what it left on its way to the collector.
const REMEMBERED: u32 = 2;
/// A name is read at each of so many first looks: threads get theirs after they have begun.
const NAMED: u32 = 3;
/// A thread whose last sample is at most so many ticks old was, as far as anybody knows, where it was.
const RECENT: u64 = 2;
/// How often the kernel is asked at the start which threads there are.
const MOST_LISTS: u32 = 5;

#[derive(Debug)]
pub(super) struct Threads {
    period: u64,
    /// Most periods that what a thread used after its last sample may be to have been used where that is.
    recent: u64,
    random: Random,
    triggers: Triggers,
    known: HashMap<u32, Thread>,
    /// Names and ids of those that are in the profile; samples have the number of theirs.
    sampled: Vec<Sampled>,
    /// CPU time that is accounted for of threads that have been forgotten, nanoseconds.
    forgotten: u64,
    looks: u64,
    /// When those which were there at the start were known.
    settled: Option<Instant>,
    /// Why a thread could not be armed, the last time that happened to one that lived on.
    refused: Option<io::Error>,
}

#[derive(Debug)]
struct Thread {
    account: Account,
    armed: Armed,
    name: Arc<str>,
    /// The look at which it was seen last.
    seen: u64,
    /// How often it was seen, or missed once it has gone.
    looks: u32,
    gone: bool,
    /// Its number among those which are in the profile.
    number: Option<usize>,
    /// Where its last sample was counted.
    last: Option<usize>,
    top: Top,
}

/// Up to where a stack is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Top {
    /// The highest place at which a stack of the thread was whole, zero before there was one.
    UpTo(u64),
    /// As far as there is room, since less has not been enough.
    All,
}

/// A thread that is in the profile.
#[derive(Clone, Debug)]
pub(super) struct Sampled {
    pub(super) id: u32,
    pub(super) name: Arc<str>,
}

/// CPU time of a thread, as a number of periods, after its last sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    pub(super) count: u64,
    /// Number of the thread.
    pub(super) number: usize,
    /// Where its last sample was counted, when that was just now.
    pub(super) last: Option<usize>,
}

impl Threads {
    pub(super) fn new(plan: &Plan) -> Self {
        let period = plan.period;
        Threads {
            period,
            recent: RECENT * trigger::tick() / period + 1,
            random: Random::new(),
            triggers: Triggers::new(plan),
            known: HashMap::new(),
            sampled: Vec::new(),
            forgotten: 0,
            looks: 0,
            settled: None,
            refused: None,
        }
    }

    /// Finds the threads that are there at the start, which count from now on. The kernel ends its list early when a thread ends that it
    /// is about to tell of, so that it is asked until it tells nothing new.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        for _ in 0..MOST_LISTS {
            let before = self.known.len();
            self.look(|_| {})?;
            if self.known.len() == before {
                break;
            }
        }
        self.settled = Some(Instant::now());
        self.triggers.arm_process();
        Ok(())
    }

    /// Looks which threads there are. New ones are armed, and count from their birth. Of those that have gone, the trigger is taken away, and
    /// `rest` is told what was not counted.
    pub(super) fn look(&mut self, mut rest: impl FnMut(Rest)) -> io::Result<()> {
        self.looks += 1;
        for entry in fs::read_dir("/proc/self/task")? {
            let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // It may have ended by now.
            let Some(clock) = trigger::clock_of(id) else { continue };
            match self.known.get_mut(&id) {
                Some(thread) if !thread.gone && thread.account.clock() <= clock => {
                    thread.account.seen(clock);
                    thread.seen = self.looks;
                    thread.looks = thread.looks.saturating_add(1);
                    if thread.looks <= NAMED {
                        thread.read_name(id, &mut self.sampled);
                    }
                }
                _ => {
                    // One that has the id of another which has gone.
                    if let Some(other) = self.known.remove(&id) {
                        self.forget(id, other, &mut rest);
                    }
                    self.welcome(id, clock);
                }
            }
        }
        self.miss(&mut rest);
        Ok(())
    }

    /// Account of a sample: the number of its thread and how many periods it stands for. One that is not known yet is from now on. `None`
    /// of one that has ended by now.
    pub(super) fn count(&mut self, id: u32, clock: u64) -> Option<(usize, u64)> {
        if !self.known.contains_key(&id) {
            self.welcome(id, trigger::clock_of(id)?);
        }
        let thread = self.known.get_mut(&id)?;
        let count = thread.account.count(clock);
        Some((thread.number(id, &mut self.sampled), count))
    }

    /// Where the last sample of a thread was counted.
    pub(super) fn counted(&mut self, id: u32, place: usize) {
        if let Some(thread) = self.known.get_mut(&id) {
            thread.last = Some(place);
        }
    }

    /// How the stack of a sample ended, of which so many bytes had been copied and which is whole up to `reached`, if it is. From then on no
    /// more is copied, until that turns out to be too little.
    pub(super) fn ended(&mut self, context: &Context, copied: usize, end: End, reached: u64) {
        let Some(thread) = self.known.get_mut(&context.thread) else { return };
        let before = thread.top;
        thread.top = match (end, before) {
            (_, Top::All) => Top::All,
            (End::Root, Top::UpTo(top)) => Top::UpTo(top.max(reached)),
            (End::Truncated, Top::UpTo(top)) if top == context.sp.saturating_add(copied as u64) => Top::All,
            (_, top) => top,
        };
        if thread.top != before {
            handler::set_top(context.thread, if let Top::UpTo(top) = thread.top { top } else { 0 });
        }
    }

    /// Takes all triggers away.
    pub(super) fn disarm(&mut self) {
        self.triggers.disarm_process();
        for (id, thread) in &mut self.known {
            thread.read_name(*id, &mut self.sampled);
            self.triggers.disarm(*id, std::mem::replace(&mut thread.armed, Armed::Not));
        }
    }

    /// Tells what was not counted of those that are known still.
    pub(super) fn finish(&mut self, mut rest: impl FnMut(Rest)) {
        for (id, thread) in std::mem::take(&mut self.known) {
            self.forget(id, thread, &mut rest);
        }
    }

    /// CPU time of all threads that is accounted for once they are [finished](Self::finish), nanoseconds.
    pub(super) fn used(&self) -> u64 {
        self.forgotten
    }

    pub(super) fn sampled(&self) -> &[Sampled] {
        &self.sampled
    }

    /// Whether threads are noticed by what they use, before anybody looks for them.
    pub(super) fn notices(&self) -> bool {
        self.triggers.has_process()
    }

    /// How many threads got a perf event, a timer, or neither.
    pub(super) fn armed(&self) -> [u64; 3] {
        self.triggers.armed
    }

    /// Why none could be armed, if so.
    pub(super) fn refused(&mut self) -> Option<io::Error> {
        let [events, timers, _] = self.triggers.armed;
        if events + timers == 0 { self.refused.take() } else { None }
    }

    fn welcome(&mut self, id: u32, clock: u64) {
        // One that has used more than there was time is older, and the list did not tell of it.
        let young = self.settled.is_some_and(|settled| Duration::from_nanos(clock) <= settled.elapsed());
        let start = if young { 0 } else { clock };
        let account = Account::new(start, self.random.next(), self.period);
        let armed = self.triggers.arm(id, account.first()).unwrap_or_else(|error| {
            self.refused = Some(error);
            Armed::Not
        });
        let mut thread = Thread {
            account,
            armed,
            name: "".into(),
            seen: self.looks,
            looks: 1,
            gone: false,
            number: None,
            last: None,
            top: Top::UpTo(0),
        };
        thread.account.seen(clock);
        thread.read_name(id, &mut self.sampled);
        self.known.insert(id, thread);
    }

    /// Notices those that were not there at this look.
    fn miss(&mut self, rest: &mut impl FnMut(Rest)) {
        let looks = self.looks;
        let mut over = Vec::new();
        for (id, thread) in self.known.iter_mut().filter(|(_, thread)| thread.seen != looks) {
            if !thread.gone {
                // Lists are not always whole.
                if let Some(clock) = trigger::clock_of(*id) {
                    thread.account.seen(clock);
                    continue;
                }
                thread.gone = true;
                thread.looks = 0;
                self.triggers.disarm(*id, std::mem::replace(&mut thread.armed, Armed::Not));
            }
            thread.looks += 1;
            if thread.looks >= REMEMBERED {
                over.push(*id);
            }
        }
        for id in over {
            if let Some(thread) = self.known.remove(&id) {
                self.forget(id, thread, rest);
            }
        }
    }

    fn forget(&mut self, id: u32, mut thread: Thread, rest: &mut impl FnMut(Rest)) {
        self.triggers.disarm(id, std::mem::replace(&mut thread.armed, Armed::Not));
        let count = thread.account.rest();
        let recent = count <= self.recent;
        if thread.gone && thread.number.is_none() && recent {
            // It ended before anything could be seen of it, as if it had never been known.
            return;
        }
        self.forgotten += thread.account.used();
        if count > 0 {
            let number = thread.number(id, &mut self.sampled);
            rest(Rest { count, number, last: thread.last.filter(|_| recent) });
        }
    }
}

impl Thread {
    /// Its number, which it gets now if it has none.
    fn number(&mut self, id: u32, sampled: &mut Vec<Sampled>) -> usize {
        *self.number.get_or_insert_with(|| {
            sampled.push(Sampled { id, name: Arc::clone(&self.name) });
            sampled.len() - 1
        })
    }

    fn read_name(&mut self, id: u32, sampled: &mut [Sampled]) {
        let Ok(name) = fs::read(format!("/proc/self/task/{id}/comm")) else { return };
        let name = String::from_utf8_lossy(name.strip_suffix(b"\n").unwrap_or(&name));
        if *name != *self.name {
            self.name = name.into();
            if let Some(sampled) = self.number.and_then(|number| sampled.get_mut(number)) {
                sampled.name = Arc::clone(&self.name);
            }
        }
    }
}
