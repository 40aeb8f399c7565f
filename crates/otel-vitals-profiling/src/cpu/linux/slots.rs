//! Samples on their way from the signal handler to the collector.
//!
//! There is a fixed number of slots. A handler claims the lowest one that is free, fills it, and marks it as ready; the collector reads
//! what is ready and frees it. Both are single steps on bits, so that a handler never waits for anybody, and because the lowest is
//! taken, only as many as are needed at a time ever get memory. One that finds none free counts the sample as dropped: its CPU time
//! goes to the next sample of that thread, which tells its clock.

mod sys;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::*};
use std::time::{Duration, Instant};

use sys::Stacks;

const WORDS: usize = 2;
/// Never more slots than this.
const MOST: usize = WORDS * u64::BITS as usize;
/// Never fewer: with room for the longest stacks in each.
const FEWEST: usize = 64;
/// The most of a stack that is copied. With more slots than [`FEWEST`] it is half of that, for all stacks together get four MiB.
pub(super) const LONGEST_STACK: usize = 64 << 10;
/// How long is waited for handlers that are still at it.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a handler knows of the thread that it interrupts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) thread: u32,
    /// CPU time that the thread has used in its life, nanoseconds.
    pub(super) clock: u64,
    pub(super) ip: u64,
    pub(super) sp: u64,
    pub(super) fp: u64,
    /// Zero where the machine has none.
    pub(super) lr: u64,
    /// The thread's name, up to a zero, of one that nobody knows yet and that may not live long enough to be asked.
    pub(super) name: Option<Name>,
}

/// As the kernel keeps it (`TASK_COMM_LEN`), in words.
pub(super) type Name = [u64; 2];

#[derive(Debug)]
pub(super) struct Slots {
    /// Whether handlers may come in.
    open: AtomicBool,
    /// Handlers that are in.
    inside: AtomicU32,
    /// Slots that are claimed, a bit each.
    used: [AtomicU64; WORDS],
    /// Those of them which the collector may read.
    ready: [AtomicU64; WORDS],
    slots: [Slot; MOST],
    stacks: Stacks,
    /// How many slots there are in this recording.
    count: AtomicUsize,
    dropped: AtomicU64,
    /// What the collector sleeps on: one when there is something to do before it would look by itself.
    bell: AtomicU32,
}

#[derive(Debug)]
struct Slot {
    thread: AtomicU32,
    length: AtomicU32,
    clock: AtomicU64,
    registers: [AtomicU64; 4],
    named: AtomicBool,
    name: [AtomicU64; 2],
}

/// A handler that is in.
#[derive(Debug)]
pub(super) struct Visit<'a> {
    slots: &'a Slots,
}

/// A slot that a handler has for itself.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    slots: &'a Slots,
    slot: &'a Slot,
    index: usize,
}

impl Slots {
    pub(super) const fn new() -> Self {
        Slots {
            open: AtomicBool::new(false),
            inside: AtomicU32::new(0),
            used: [const { AtomicU64::new(0) }; WORDS],
            ready: [const { AtomicU64::new(0) }; WORDS],
            slots: [const { Slot::new() }; MOST],
            stacks: Stacks::new(),
            count: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            bell: AtomicU32::new(0),
        }
    }

    /// Lets handlers in, with slots for so many threads at a time. Nothing may be left of an earlier recording, so that this fails
    /// when one of its handlers has not come to an end yet.
    pub(super) fn open(&self, threads: usize) -> io::Result<()> {
        if !self.empty() {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        self.stacks.map(FEWEST * LONGEST_STACK)?;
        self.used.iter().chain(&self.ready).for_each(|word| word.store(0, Relaxed));
        // Threads that compute are all interrupted by the same tick.
        let count = (2 * threads).next_power_of_two().clamp(FEWEST, MOST);
        self.count.store(count, Relaxed);
        self.dropped.store(0, Relaxed);
        self.bell.store(0, Relaxed);
        self.open.store(true, SeqCst);
        Ok(())
    }

    /// Lets no more handlers in, and waits for those which are. What they leave can be [taken](Self::take) still.
    pub(super) fn close(&self) {
        self.open.store(false, SeqCst);
        self.empty();
    }

    /// Gives the memory of the stacks back, unless a handler is still at it.
    pub(super) fn release(&self) {
        if self.inside.load(SeqCst) == 0 {
            self.stacks.release();
        }
    }

    /// Forgets what another process has left, of which this is a forked child.
    pub(super) fn forget(&self) {
        self.open.store(false, SeqCst);
        self.inside.store(0, SeqCst);
    }

    /// For a handler: None while there is no recording.
    pub(super) fn enter(&self) -> Option<Visit<'_>> {
        self.inside.fetch_add(1, SeqCst);
        let visit = Visit { slots: self };
        self.open.load(SeqCst).then_some(visit)
    }

    /// Hands every sample that is ready over, and frees its slot; tells how many.
    pub(super) fn take(&self, mut take: impl FnMut(&Context, &[u8])) -> usize {
        let mut taken = 0;
        for (number, (ready, used)) in self.ready.iter().zip(&self.used).enumerate() {
            let mut left = ready.load(Acquire);
            while left != 0 {
                let bit = left & left.wrapping_neg();
                left ^= bit;
                let index = number * u64::BITS as usize + bit.trailing_zeros() as usize;
                if let Some(slot) = self.slots.get(index) {
                    let length = (slot.length.load(Relaxed) as usize).min(self.room());
                    take(&slot.context(), self.stacks.bytes(index * self.room(), length));
                    taken += 1;
                }
                ready.fetch_and(!bit, Relaxed);
                used.fetch_and(!bit, Release);
            }
        }
        taken
    }

    /// Waits until somebody rings, at most so long.
    pub(super) fn wait(&self, most: Duration) {
        if self.bell.swap(0, Acquire) == 0 {
            sys::wait(&self.bell, 0, most);
            self.bell.store(0, Relaxed);
        }
    }

    pub(super) fn ring(&self) {
        if self.bell.swap(1, Release) == 0 {
            sys::wake(&self.bell);
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Waits until no handler is in; false when one stays.
    fn empty(&self) -> bool {
        let until = Instant::now() + PATIENCE;
        while self.inside.load(SeqCst) != 0 {
            if Instant::now() >= until {
                return false;
            }
            std::thread::yield_now();
        }
        true
    }

    /// How many bytes of stack a slot has.
    fn room(&self) -> usize {
        (FEWEST * LONGEST_STACK) / self.count.load(Relaxed).max(FEWEST)
    }

    /// The lowest slot that is free, which no longer is.
    fn claim(&self) -> Option<usize> {
        let count = self.count.load(Relaxed);
        for (number, word) in self.used.iter().enumerate() {
            if number * u64::BITS as usize >= count {
                break;
            }
            let mut used = word.load(Relaxed);
            while used != u64::MAX {
                let bit = !used & used.wrapping_add(1);
                used = word.fetch_or(bit, Acquire);
                if used & bit == 0 {
                    return Some(number * u64::BITS as usize + bit.trailing_zeros() as usize);
                }
            }
        }
        None
    }

    fn filled(&self) -> usize {
        self.used.iter().map(|word| word.load(Relaxed).count_ones() as usize).sum()
    }
}

impl<'a> Visit<'a> {
    /// A slot, unless there is none left, which is counted.
    pub(super) fn claim(&self) -> Option<Claim<'a>> {
        let slots = self.slots;
        let claimed =
            slots.claim().and_then(|index| Some(Claim { slots, slot: slots.slots.get(index)?, index }));
        if claimed.is_none() {
            slots.dropped.fetch_add(1, Relaxed);
            slots.ring();
        }
        claimed
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.slots.inside.fetch_sub(1, SeqCst);
    }
}

impl Claim<'_> {
    /// Where the copy of the stack goes, and how long it may be.
    pub(super) fn stack(&self) -> (usize, usize) {
        let room = self.slots.room();
        (self.slots.stacks.address() + self.index * room, room)
    }

    /// Lets the collector have it, with so many bytes of stack. It looks by itself some twenty times a second, and sooner when half of
    /// the slots are filled.
    pub(super) fn publish(self, context: &Context, length: usize) {
        let slots = self.slots;
        self.slot.store(context, length);
        if let Some(word) = slots.ready.get(self.index / u64::BITS as usize) {
            word.fetch_or(1 << (self.index % u64::BITS as usize), Release);
        }
        if slots.filled() >= slots.count.load(Relaxed) / 2 {
            slots.ring();
        }
    }
}

impl Slot {
    const fn new() -> Self {
        Slot {
            thread: AtomicU32::new(0),
            length: AtomicU32::new(0),
            clock: AtomicU64::new(0),
            registers: [const { AtomicU64::new(0) }; 4],
            named: AtomicBool::new(false),
            name: [const { AtomicU64::new(0) }; 2],
        }
    }

    fn store(&self, context: &Context, length: usize) {
        self.thread.store(context.thread, Relaxed);
        self.length.store(length as u32, Relaxed);
        self.clock.store(context.clock, Relaxed);
        let registers = [context.ip, context.sp, context.fp, context.lr];
        for (place, register) in self.registers.iter().zip(registers) {
            place.store(register, Relaxed);
        }
        self.named.store(context.name.is_some(), Relaxed);
        for (place, word) in self.name.iter().zip(context.name.unwrap_or_default()) {
            place.store(word, Relaxed);
        }
    }

    fn context(&self) -> Context {
        let [ip, sp, fp, lr] = self.registers.each_ref().map(|register| register.load(Relaxed));
        let name = self.named.load(Relaxed).then(|| self.name.each_ref().map(|word| word.load(Relaxed)));
        Context { thread: self.thread.load(Relaxed), clock: self.clock.load(Relaxed), ip, sp, fp, lr, name }
    }
}

#[cfg(test)]
mod tests;
