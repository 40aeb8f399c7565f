//! A signal may interrupt counting anywhere, and count itself, where the allocator behind it can be used in a handler.
#![cfg(all(target_os = "linux", target_arch = "x86_64", not(otel_vitals_portable)))]
#![allow(
    unsafe_code,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test calls an allocator, and fails when it cannot go on"
)]

use otel_vitals_alloc::{Counting, counts};
use std::alloc::{GlobalAlloc, Layout};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
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

fn allocate_and_free(size: usize) {
    let layout = Layout::from_size_align(size, 1).unwrap();
    // SAFETY: nobody uses the block.
    unsafe { ALLOCATOR.dealloc(ALLOCATOR.alloc(layout), layout) };
}

static HANDLED: AtomicU64 = AtomicU64::new(0);

extern "C" fn handle(_signal: libc::c_int) {
    allocate_and_free(1_000);
    HANDLED.fetch_add(1, Relaxed);
}

/// Sees to it that SIGUSR1 allocates.
fn handle_signals() {
    // SAFETY: zero is an action, without flags and with an empty mask, and the handler does what a handler may.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handle as extern "C" fn(libc::c_int) as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut()), 0);
    }
}

/// On x86-64, where a counter is one instruction.
#[test]
fn nothing_is_lost_when_signals_interrupt_counting() {
    const SIGNALS: u64 = 5_000;
    handle_signals();
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
