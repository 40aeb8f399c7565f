//! The registers and the stack of the calling thread.
#![allow(unsafe_code)]

use std::arch::asm;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering::*};

use otel_vitals_alloc::sampling;

use crate::unwind::Registers;

const PAGE: u64 = 4096;

/// The kernel leaves at least as much to the first thread's stack, whatever its limit is.
const MAIN_AT_MOST: u64 = 128 << 20;

/// Where the first thread's stack is, as far as it may grow.
static MAIN_LOW: AtomicU64 = AtomicU64::new(0);
static MAIN_HIGH: AtomicU64 = AtomicU64::new(0);

/// The registers where it is called, in the function that does.
#[inline(always)]
pub(crate) fn here() -> Registers {
    let (ip, sp, fp): (u64, u64, u64);
    #[cfg(target_arch = "x86_64")]
    let lr = 0;
    // SAFETY: registers are read, and nothing else.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("lea {ip}, [rip]", "mov {sp}, rsp", "mov {fp}, rbp", ip = out(reg) ip, sp = out(reg) sp, fp = out(reg) fp, options(nostack, preserves_flags));
    };
    #[cfg(target_arch = "aarch64")]
    let lr: u64;
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("adr {ip}, .", "mov {sp}, sp", "mov {fp}, x29", "mov {lr}, x30", ip = out(reg) ip, sp = out(reg) sp, fp = out(reg) fp, lr = out(reg) lr, options(nostack, preserves_flags));
    };
    Registers { ip, sp, fp, lr }
}

/// What may be read of the calling thread's stack. Not to be sent to another thread.
#[derive(Debug)]
pub(crate) struct Stack {
    low: u64,
    high: u64,
    /// How far it reaches down.
    bottom: u64,
    not_send: std::marker::PhantomData<*const ()>,
}

impl Stack {
    /// The stack that the calling thread is running on, from `sp` on, which is where it is now or has been in a function that
    /// has not returned.
    ///
    /// On a stack that is not the thread's own (an alternate one for signals, a coroutine's, one that was grown in pieces), and on a
    /// thread that has not allocated and so has not been told where its own is, only the page that `sp` is in.
    #[inline(always)]
    pub(crate) fn at(sp: u64) -> Stack {
        let (bottom, high) = bounds(sp);
        let (bottom, high) = if (bottom..high).contains(&sp) {
            (bottom, high)
        } else {
            (sp / PAGE * PAGE, sp / PAGE * PAGE + PAGE)
        };
        Stack { low: sp, high, bottom, not_send: std::marker::PhantomData }
    }

    /// The word at `address`, if that is on the stack.
    #[inline(always)]
    pub(crate) fn read(&self, address: u64) -> Option<u64> {
        if address < self.low || self.high.checked_sub(size_of::<u64>() as u64)? < address {
            return None;
        }
        // SAFETY: the bounds are those of memory that stays mapped, to be read, for as long as the thread runs on this stack; the
        // read is volatile since others may write to what is there, and needs no alignment.
        Some(unsafe { ptr::with_exposed_provenance::<Unaligned>(address as usize).read_volatile() }.0)
    }

    /// Bytes that are left below `sp`.
    pub(crate) fn room(&self, sp: u64) -> u64 {
        sp.saturating_sub(self.bottom)
    }
}

#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Unaligned(u64);

#[inline(always)]
fn bounds(sp: u64) -> (u64, u64) {
    let main = (MAIN_LOW.load(Relaxed), MAIN_HIGH.load(Relaxed));
    if (main.0..main.1).contains(&sp) {
        return main;
    }
    sampling::own_stack().map_or((0, 0), |own| (own.start as u64, own.end as u64))
}

/// Finds the first thread's stack, on whatever thread.
pub(super) fn find_main_stack() {
    let maps = std::fs::read("/proc/self/maps").unwrap_or_default();
    // The names of files may be anything.
    let Some(high) = end_of_stack(&String::from_utf8_lossy(&maps)) else { return };
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` may be written. Where the call fails, it says that there is no stack.
    unsafe { libc::getrlimit(libc::RLIMIT_STACK, &mut limit) };
    MAIN_LOW.store(high.saturating_sub(limit.rlim_cur.min(MAIN_AT_MOST)), Relaxed);
    MAIN_HIGH.store(high, Relaxed);
}

fn end_of_stack(maps: &str) -> Option<u64> {
    let line = maps.lines().find(|line| line.ends_with(" [stack]"))?;
    let (_, end) = line.split_once(' ')?.0.split_once('-')?;
    u64::from_str_radix(end, 16).ok()
}

/// Leaves signals to the application's threads.
pub(super) fn block_signals() {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is written before it is used, and a mask is the calling thread's own.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), ptr::null_mut());
    }
}

/// How much of the stack a function takes.
#[cfg(test)]
pub(super) mod depth {
    use std::mem::MaybeUninit;
    use std::ptr;

    use libc::c_void;

    const WORDS: usize = 64 << 10;

    /// Bytes of a thread's stack that are written to from its beginning to the deepest point of `act`.
    pub(in crate::unwind::live) fn of(act: fn()) -> usize {
        extern "C" fn run(act: *mut c_void) -> *mut c_void {
            // SAFETY: the function that is passed below.
            let act = unsafe { std::mem::transmute::<*mut c_void, fn()>(act) };
            act();
            ptr::null_mut()
        }
        const UNTOUCHED: u64 = 0x5a5a_a5a5_5a5a_a5a5;
        let mut stack = vec![UNTOUCHED; WORDS];
        let (mut attributes, mut thread) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: the attributes are made before they are used, and the thread ends before its stack does.
        unsafe {
            libc::pthread_attr_init(attributes.as_mut_ptr());
            assert_eq!(
                libc::pthread_attr_setstack(attributes.as_mut_ptr(), stack.as_mut_ptr().cast(), WORDS * 8),
                0
            );
            assert_eq!(
                libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), run, act as *mut c_void),
                0
            );
            libc::pthread_join(thread.assume_init(), ptr::null_mut());
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
        }
        (WORDS - stack.iter().take_while(|word| **word == UNTOUCHED).count()) * 8
    }
}
