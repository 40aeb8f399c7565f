//! The signal handler, and the calls that put it there.
#![allow(unsafe_code)]

use libc::{c_int, c_void, siginfo_t, ucontext_t};
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering::*;
use std::{io, ptr};

use super::{Previous, Signal};
use crate::cpu::linux::slots::{Context, LONGEST_STACK, Name};

/// What a timer of ours sends along: an address that is nobody else's.
static TOKEN: u8 = 0;
/// The same of the timer on the CPU time of all threads.
static TOKEN_OF_PROCESS: u8 = 1;

/// `si_code` of a signal that a file descriptor sent lies between these (`POLL_IN` and `POLL_HUP` in `asm-generic/siginfo.h`).
const POLL: std::ops::RangeInclusive<c_int> = 1..=6;
/// Bytes that are read in one piece: never more than a page, of which either all is there or nothing. Pages may be greater, and have this
/// many bytes as a part.
const PIECE: usize = 4096;
/// With the first, which begins anywhere.
const PIECES: usize = LONGEST_STACK / PIECE + 1;

/// What a signal does.
pub(super) struct Action(libc::sigaction);

/// Who sent a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The trigger of this thread.
    Thread,
    /// The timer of the whole process.
    Process,
    Others,
}

impl Action {
    /// Of a handler, or of `SIG_DFL` or `SIG_IGN`.
    fn new(handler: usize, flags: c_int) -> Self {
        // SAFETY: all zeros are an action with an empty mask, which is then made a full one.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler;
            action.sa_flags = flags;
            // Nothing comes in between. Alternate stacks are small, eight KiB in Rust's own threads, of which the kernel needs up to
            // half for each signal that interrupts a handler.
            libc::sigfillset(&mut action.sa_mask);
            Action(action)
        }
    }

    /// Address of the function, or `SIG_DFL` or `SIG_IGN`.
    pub(super) fn handler(&self) -> usize {
        self.0.sa_sigaction
    }

    pub(super) fn flags(&self) -> c_int {
        self.0.sa_flags
    }

    pub(super) fn is_ours(&self) -> bool {
        self.handler() == address()
    }

    pub(super) fn is_of_others(&self) -> bool {
        ![libc::SIG_DFL, libc::SIG_IGN, address()].contains(&self.handler())
    }
}

impl Signal {
    pub(in crate::cpu::linux) fn number(self) -> c_int {
        match self {
            Signal::Urgent => libc::SIGURG,
            Signal::Profile => libc::SIGPROF,
        }
    }
}

fn address() -> usize {
    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = interrupted;
    handler as *const () as usize
}

pub(super) fn current(signal: Signal) -> io::Result<Action> {
    change(signal, ptr::null())
}

/// Puts our handler there, and tells what was there.
pub(super) fn install(signal: Signal) -> io::Result<Action> {
    // On the alternate stack where a thread has one, and system calls go on that can.
    put(signal, &Action::new(address(), libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK))
}

/// Has a signal do what it does without any handler, or what it was told to do before, and tells what it did.
pub(super) fn restore(signal: Signal, default_or_ignored: usize, flags: c_int) -> io::Result<Action> {
    put(signal, &Action::new(default_or_ignored, flags))
}

/// The same with an action that was there, as it was.
pub(super) fn put(signal: Signal, action: &Action) -> io::Result<Action> {
    change(signal, &action.0)
}

/// With null it only tells.
fn change(signal: Signal, new: *const libc::sigaction) -> io::Result<Action> {
    let mut old = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: `old` may be written. `new` is null or whole: its handler is `interrupted`, which does what a handler may, SIG_DFL, SIG_IGN,
    // or one that somebody else has installed for this signal, with the flags and the mask of that.
    if unsafe { libc::sigaction(signal.number(), new, old.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was written, as the call succeeded.
    Ok(Action(unsafe { old.assume_init() }))
}

extern "C" fn interrupted(number: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: a handler with SA_SIGINFO gets both; errno is the thread's own, and is put back as it was found.
    unsafe {
        let errno = libc::__errno_location();
        let found = *errno;
        match origin(number, &*info) {
            Origin::Thread => super::sample(|| interrupted_at(&*context.cast::<ucontext_t>())),
            Origin::Process if super::is_triggered(thread()) => {}
            Origin::Process => super::sample(|| {
                let context = interrupted_at(&*context.cast::<ucontext_t>());
                Context { name: Some(name()), ..context }
            }),
            Origin::Others => pass_on(number, info, context),
        }
        *errno = found;
    }
}

fn origin(number: c_int, info: &siginfo_t) -> Origin {
    match number {
        _ if info.si_code == libc::SI_TIMER => {
            // SAFETY: what a timer sends has a value.
            let value = unsafe { info.si_value() }.sival_ptr;
            if ptr::eq(value, token()) {
                Origin::Thread
            } else if ptr::eq(value, token_of_process()) {
                Origin::Process
            } else {
                Origin::Others
            }
        }
        // Of an event. Nobody else has a handler for it, so that none expects it, and sockets do not send it with such a code.
        libc::SIGURG if POLL.contains(&info.si_code) => Origin::Thread,
        _ => Origin::Others,
    }
}

/// As timers send it along.
pub(in crate::cpu::linux) fn token() -> *mut c_void {
    (&raw const TOKEN).cast_mut().cast()
}

pub(in crate::cpu::linux) fn token_of_process() -> *mut c_void {
    (&raw const TOKEN_OF_PROCESS).cast_mut().cast()
}

#[cfg(target_arch = "x86_64")]
fn interrupted_at(context: &ucontext_t) -> Context {
    let [ip, sp, fp] = [libc::REG_RIP, libc::REG_RSP, libc::REG_RBP]
        .map(|register| context.uc_mcontext.gregs.get(register as usize).map_or(0, |value| *value as u64));
    Context { thread: thread(), clock: clock(), ip, sp, fp, lr: 0, name: None }
}

#[cfg(target_arch = "aarch64")]
fn interrupted_at(context: &ucontext_t) -> Context {
    let registers = &context.uc_mcontext;
    let [fp, lr] = [29, 30].map(|register| registers.regs.get(register).map_or(0, |value| *value));
    Context { thread: thread(), clock: clock(), ip: registers.pc, sp: registers.sp, fp, lr, name: None }
}

fn thread() -> u32 {
    // SAFETY: takes nothing.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}

/// The thread's name.
fn name() -> Name {
    let mut name: Name = [0; 2];
    // SAFETY: the kernel writes 16 bytes, a zero among them.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name
}

/// The thread's CPU time, nanoseconds.
fn clock() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` may be written.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

/// Whether `process_vm_readv` is allowed on the process itself.
pub(super) fn copies_by_call() -> bool {
    let (from, mut to) = (1_u8, 0_u8);
    copy((&raw const from).expose_provenance() as u64, (&raw mut to).expose_provenance(), 1) == 1
        && to == from
}

/// Copies what is from `from` on, up to `room` bytes or what cannot be read; tells how many. `to` has that much room.
pub(super) fn copy(from: u64, to: usize, room: usize) -> usize {
    const NONE: libc::iovec = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };
    let mut pieces = [NONE; PIECES];
    let (mut at, mut left, mut used) = (from as usize, room, 0);
    for piece in &mut pieces {
        if left == 0 {
            break;
        }
        let length = (PIECE - at % PIECE).min(left);
        *piece = libc::iovec { iov_base: ptr::without_provenance_mut(at), iov_len: length };
        at = at.wrapping_add(length);
        left -= length;
        used += 1;
    }
    let local = libc::iovec { iov_base: ptr::with_exposed_provenance_mut(to), iov_len: room };
    // SAFETY: writes to the room that `to` has, which is the caller's alone. The kernel reads at the other addresses and fails where nothing
    // can be read. Of the stack that is copied nobody has a reference here.
    let copied = unsafe { libc::process_vm_readv(libc::getpid(), &local, 1, pieces.as_ptr(), used, 0) };
    usize::try_from(copied).unwrap_or(0)
}

/// The same by `/proc/self/mem`, which `memory` is.
pub(super) fn read(memory: c_int, from: u64, to: usize, room: usize) -> usize {
    // SAFETY: as for `copy`.
    // Not glibc's function, in which a thread that is to be cancelled is.
    let copied = unsafe {
        libc::syscall(libc::SYS_pread64, memory, ptr::with_exposed_provenance_mut::<c_void>(to), room, from)
    };
    usize::try_from(copied).unwrap_or(0)
}

/// Has who was there before handle a signal.
///
/// # Safety
///
/// As for a handler that is called with these.
unsafe fn pass_on(number: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let signal = if number == libc::SIGURG { Signal::Urgent } else { Signal::Profile };
    let previous: &Previous = signal.previous();
    let (action, flags) = (previous.action.load(Relaxed), previous.flags.load(Relaxed));
    match action {
        libc::SIG_IGN => {}
        libc::SIG_DFL if signal == Signal::Urgent => {}
        libc::SIG_DFL => end(signal),
        // SAFETY: the address of the handler that was installed for this signal with these flags.
        _ => super::pass_on(thread(), || unsafe {
            if flags & libc::SA_SIGINFO == 0 {
                let handler: extern "C" fn(c_int) = std::mem::transmute(action);
                handler(number);
            } else {
                let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = std::mem::transmute(action);
                handler(number, info, context);
            }
        }),
    }
}

/// What the default of `SIGPROF` does: it ends the process, as soon as the handler returns, for the signal is blocked in it.
fn end(signal: Signal) {
    let _ = restore(signal, libc::SIG_DFL, 0);
    // SAFETY: takes numbers only.
    unsafe { libc::raise(signal.number()) };
}
