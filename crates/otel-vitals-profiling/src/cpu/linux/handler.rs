//! What happens in a thread that is interrupted.
//!
//! What is not ours is passed on to who was there before.

mod sys;

use std::io;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering::*};

use super::slots::{Context, Slots};

use sys::Action;
pub(super) use sys::{token, token_of_process};

/// Where samples go.
pub(super) static SLOTS: Slots = Slots::new();

/// How many handlers of others may be called at a time.
const PASSING: usize = 16;

/// What interrupts a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// `SIGURG`, by default ignored. So it is harmless wherever it meets no handler: late in a thread that has blocked it, in a new program
    /// that it was pending for at `execve`, or because somebody puts the default back. For those reasons Go interrupts its threads with
    /// it, too.
    Urgent,
    /// `SIGPROF`, for timers where the application handles the other. Its default ends the process, so that the handler stays once it is
    /// there: one may be pending in a thread that blocks it for as long as that likes. At `execve` the kernel drops those of timers.
    Profile,
}

/// What was there before the handler.
#[derive(Debug)]
struct Previous {
    /// Address of the function, or `SIG_DFL` or `SIG_IGN`.
    action: AtomicUsize,
    flags: AtomicI32,
}

static URGENT: Previous = Previous::new();
static PROFILE: Previous = Previous::new();
/// Threads that are in a handler of others, zero for none: who installed theirs on top of ours and passes on to ours in turn would be
/// called for ever.
static PASSED: [AtomicU32; PASSING] = [const { AtomicU32::new(0) }; PASSING];
/// Threads that have a trigger of their own, each at the place that its id has, if no other is there.
static TRIGGERED: [AtomicU32; PLACES] = [const { AtomicU32::new(0) }; PLACES];
const PLACES: usize = 1024;
/// Up to where the stack of each of these must be copied, as far as that is known; zero where it is not.
static TOPS: [AtomicU64; PLACES] = [const { AtomicU64::new(0) }; PLACES];
/// How stacks are copied.
static COPY: AtomicI32 = AtomicI32::new(NOT_AT_ALL);
const BY_CALL: i32 = -1;
const NOT_AT_ALL: i32 = -2;

/// Sees to it that a signal has our handler, and tells which. That of an application for `SIGURG` is left alone.
pub(super) fn install() -> io::Result<Signal> {
    if install_for(Signal::Urgent)? {
        return Ok(Signal::Urgent);
    }
    install_for(Signal::Profile)?;
    Ok(Signal::Profile)
}

/// False where the application handles the signal and is to keep it, which is so of `SIGURG` alone.
fn install_for(signal: Signal) -> io::Result<bool> {
    let is_kept = |action: &Action| signal == Signal::Urgent && action.is_of_others();
    let current = sys::current(signal)?;
    if current.is_ours() || is_kept(&current) {
        return Ok(current.is_ours());
    }
    // Before, since from then on it is looked at.
    signal.previous().keep(&current);
    let replaced = sys::install(signal)?;
    if is_kept(&replaced) {
        // It has come just now.
        sys::put(signal, &replaced)?;
        return Ok(false);
    }
    if !replaced.is_ours() {
        signal.previous().keep(&replaced);
    }
    Ok(true)
}

/// Whether the signal still has our handler.
pub(super) fn is_there(signal: Signal) -> bool {
    sys::current(signal).is_ok_and(|current| current.is_ours())
}

/// Takes the handler of `SIGURG` away, unless somebody else's is there by now.
pub(super) fn remove() {
    if !is_there(Signal::Urgent) {
        return;
    }
    let replaced = sys::restore(Signal::Urgent, URGENT.action.load(Relaxed), URGENT.flags.load(Relaxed));
    if let Ok(replaced) = replaced
        && replaced.is_of_others()
    {
        // It has come just now.
        let _ = sys::put(Signal::Urgent, &replaced);
    }
}

/// How stacks can be copied here, which a handler is told for as long as this lives. `process_vm_readv` never faults, whatever it is told to
/// read; where it is forbidden, reading `/proc/self/mem` does the same.
#[derive(Debug)]
pub(super) struct Copying {
    _memory: Option<std::fs::File>,
    /// Whether there is a way.
    pub(super) possible: bool,
}

impl Copying {
    pub(super) fn prepare() -> Self {
        let (how, memory) = if sys::copies_by_call() {
            (BY_CALL, None)
        } else {
            use std::os::fd::AsRawFd as _;
            let memory = std::fs::File::open("/proc/self/mem").ok();
            (memory.as_ref().map_or(NOT_AT_ALL, |file| file.as_raw_fd()), memory)
        };
        COPY.store(how, Relaxed);
        Copying { _memory: memory, possible: how != NOT_AT_ALL }
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        COPY.store(NOT_AT_ALL, Relaxed);
    }
}

impl Signal {
    fn previous(self) -> &'static Previous {
        match self {
            Signal::Urgent => &URGENT,
            Signal::Profile => &PROFILE,
        }
    }
}

impl Previous {
    const fn new() -> Self {
        Previous { action: AtomicUsize::new(libc::SIG_DFL), flags: AtomicI32::new(0) }
    }

    fn keep(&self, action: &Action) {
        self.action.store(action.handler(), Relaxed);
        self.flags.store(action.flags(), Relaxed);
    }
}

/// Remembers, or forgets, that a thread has a trigger of its own.
pub(super) fn set_triggered(thread: u32, triggered: bool) {
    if let Some(place) = TRIGGERED.get(thread as usize % PLACES) {
        let (before, after) = if triggered { (0, thread) } else { (thread, 0) };
        // Whoever gets the place finds nothing of who had it.
        if !triggered {
            set_top(thread, 0);
        }
        let _ = place.compare_exchange(before, after, AcqRel, Relaxed);
    }
}

/// Tells up to where the stack of a thread must be copied, zero for all that there is room for. Those that share a place with another do
/// not get to know.
pub(super) fn set_top(thread: u32, top: u64) {
    if is_triggered(thread)
        && let Some(place) = TOPS.get(thread as usize % PLACES)
    {
        place.store(top, Relaxed);
    }
}

/// How much of a stack is to be copied. One on which the thread is not, such as when it handles a signal on another, tells nothing.
fn length_of(context: &Context, room: usize) -> usize {
    let top = match TOPS.get(context.thread as usize % PLACES) {
        Some(place) if is_triggered(context.thread) => place.load(Relaxed),
        _ => 0,
    };
    match top.checked_sub(context.sp) {
        Some(length) if length > 0 => usize::try_from(length).map_or(room, |length| length.min(room)),
        _ => room,
    }
}

/// False of one that has none, and of some that have.
fn is_triggered(thread: u32) -> bool {
    TRIGGERED.get(thread as usize % PLACES).is_some_and(|place| place.load(Acquire) == thread)
}

/// Takes a sample of the thread that it runs in. In signal context: no locks, no memory, no panics.
fn sample(registers: impl FnOnce() -> Context) {
    let Some(visit) = SLOTS.enter() else { return };
    let Some(claim) = visit.claim() else { return };
    let context = registers();
    let (to, room) = claim.stack();
    let length = length_of(&context, room);
    let length = match COPY.load(Relaxed) {
        NOT_AT_ALL => 0,
        BY_CALL => sys::copy(context.sp, to, length),
        memory => sys::read(memory, context.sp, to, length),
    };
    claim.publish(&context, length);
}

/// Calls `handler` unless this thread is in it already. In signal context.
fn pass_on(thread: u32, handler: impl FnOnce()) {
    if PASSED.iter().any(|passed| passed.load(Relaxed) == thread) {
        return;
    }
    let free = PASSED.iter().find(|passed| passed.compare_exchange(0, thread, Relaxed, Relaxed).is_ok());
    if let Some(place) = free {
        handler();
        place.store(0, Relaxed);
    }
}
