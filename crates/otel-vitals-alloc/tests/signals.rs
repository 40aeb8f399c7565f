//! A signal may interrupt counting anywhere, and count itself, where the allocator behind it can be used in a handler.
#![cfg(all(target_os = "linux", target_arch = "x86_64", not(otel_vitals_portable)))]
#![allow(
    unsafe_code,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test calls an allocator, and fails when it cannot go on"
)]

mod sampler;

use otel_vitals_alloc::{Counting, Counts, counts, own_size};
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// Always gives the same block, which nobody looks into: it can be used anywhere.
struct Same;

static BLOCK: AtomicU64 = AtomicU64::new(0);

// SAFETY: its callers here do not use their blocks.
unsafe impl GlobalAlloc for Same {
    unsafe fn alloc(&self, _layout: Layout) -> *mut u8 {
        BLOCK.as_ptr().cast()
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
}

/// Called directly and not the global allocator, so that nothing else is counted.
static ALLOCATOR: Counting<Same> = Counting::new(Same);

fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn allocate_and_free(size: usize) {
    let layout = Layout::from_size_align(size, 1).unwrap();
    // SAFETY: nobody uses the block.
    unsafe { ALLOCATOR.dealloc(ALLOCATOR.alloc(layout), layout) };
}

/// Sees to it that `handler` is called at `signal`.
fn on_signal(
    signal: libc::c_int,
    handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void),
) {
    // SAFETY: zero is an action, with an empty mask, and the handler does what a handler may.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        assert_eq!(libc::sigaction(signal, &action, ptr::null_mut()), 0);
    }
}

static HANDLED: AtomicU64 = AtomicU64::new(0);

extern "C" fn handle(_signal: libc::c_int, _info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    allocate_and_free(1_000);
    HANDLED.fetch_add(1, Relaxed);
}

/// On x86-64, where a counter is one instruction.
#[test]
fn nothing_is_lost_when_signals_interrupt_counting() {
    const SIGNALS: u64 = 5_000;
    let _alone = alone();
    sampler::install(20);
    on_signal(libc::SIGUSR1, handle);
    allocate_and_free(1);
    let before = counts().unwrap();
    let over = AtomicBool::new(false);
    // SAFETY: has no conditions.
    let this = unsafe { libc::pthread_self() };
    let pairs = thread::scope(|scope| {
        scope.spawn(|| {
            for sent in 1..=SIGNALS {
                // SAFETY: the thread lives until this one is joined.
                unsafe { libc::pthread_kill(this, libc::SIGUSR1) };
                while HANDLED.load(Relaxed) < sent {
                    thread::yield_now();
                }
            }
            over.store(true, Relaxed);
        });
        let mut pairs = 0;
        while !over.load(Relaxed) {
            allocate_and_free(10);
            pairs += 1;
        }
        pairs
    });
    let after = counts().unwrap();
    assert_eq!(HANDLED.load(Relaxed), SIGNALS);
    assert_counted(after.allocations - before.allocations, pairs + SIGNALS, SIGNALS);
    assert_counted(after.deallocations - before.deallocations, pairs + SIGNALS, SIGNALS);
    assert_counted(after.allocated - before.allocated, 10 * pairs + 1_000 * SIGNALS, 1_000 * SIGNALS);
    assert_counted(after.freed - before.freed, 10 * pairs + 1_000 * SIGNALS, 1_000 * SIGNALS);
}

/// Without optimisation a counter is three instructions: what the handler counts in between is overwritten.
#[track_caller]
fn assert_counted(counted: u64, expected: u64, interrupting: u64) {
    let lost = if cfg!(debug_assertions) { interrupting } else { 0 };
    assert!((expected - lost..=expected).contains(&counted), "{counted} of {expected}");
}

thread_local! {
    /// After so many instructions the handler allocates.
    static STEPS: Cell<u32> = const { Cell::new(0) };
}

/// The processor's flag that has it trap after each instruction.
const TRAP: i64 = 0x100;

extern "C" fn step(_signal: libc::c_int, _info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    STEPS.set(STEPS.get() - 1);
    if STEPS.get() == 0 {
        allocate_and_free(1_000);
        // SAFETY: this is what the kernel hands to a handler that asks for it, and takes back from it.
        unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_EFL as usize] &= !TRAP };
    }
}

/// Allocates for the first time on this thread, and lets a handler allocate after so many instructions of that; whether
/// there were so many.
fn interrupted_after(steps: u32) -> bool {
    let layout = Layout::from_size_align(10, 1).unwrap();
    STEPS.set(steps);
    // SAFETY: the flag is set and cleared and nothing else; nobody uses the block.
    let block = unsafe {
        std::arch::asm!("pushfq", "or qword ptr [rsp], {trap}", "popfq", trap = const TRAP);
        let block = ALLOCATOR.alloc(layout);
        std::arch::asm!("pushfq", "and qword ptr [rsp], {others}", "popfq", others = const !TRAP);
        block
    };
    let interrupted = STEPS.replace(0) == 0;
    // SAFETY: nobody uses the block.
    unsafe { ALLOCATOR.dealloc(block, layout) };
    interrupted
}

fn since(before: &Counts) -> [u64; 4] {
    let after = counts().unwrap();
    [
        after.allocations - before.allocations,
        after.deallocations - before.deallocations,
        after.allocated - before.allocated,
        after.freed - before.freed,
    ]
}

/// A thread gets its shard in many instructions; each of them may be the one that is interrupted by a handler that gets
/// one, too. The first block is a sample, so that they are those of the sampler, too.
#[test]
fn nothing_is_lost_wherever_a_signal_interrupts_the_first_allocation_of_a_thread() {
    let _alone = alone();
    sampler::install(1);
    on_signal(libc::SIGTRAP, step);
    thread::spawn(|| allocate_and_free(1)).join().unwrap();
    let size = own_size();
    // Without optimisation there are many more of them: a sample.
    let every = if cfg!(debug_assertions) { 61 } else { 1 };
    for steps in (1..).step_by(every) {
        let before = counts().unwrap();
        if !thread::spawn(move || interrupted_after(steps)).join().unwrap() {
            assert!(steps > 50, "there were {steps} instructions only");
            break;
        }
        let counted = since(&before);
        if cfg!(debug_assertions) {
            // A counter of objects is three instructions: what the handler counts in between is overwritten.
            assert_eq!(counted[2..], [1_010, 1_010], "after {steps} instructions");
        } else {
            assert_eq!(counted, [2, 2, 1_010, 1_010], "after {steps} instructions");
        }
        assert_eq!(own_size(), size, "after {steps} instructions");
    }
}
