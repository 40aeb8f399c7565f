//! Threads whose stacks are unusual.

use crate::profiled::sum;
use crate::sys;
use std::hint::black_box;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;

/// The least that a thread may have.
const SMALL: usize = 16 << 10;

/// What is thrown on purpose.
struct Thrown(u64);

/// Says nothing of what is thrown on purpose.
pub(super) fn quiet() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !info.payload().is::<Thrown>() {
            before(info);
        }
    }));
}

/// Panics at some depth, and counts what is dropped on the way.
pub(super) fn panics(stop: &AtomicBool) -> u64 {
    struct Counted<'a>(&'a AtomicU64);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }
    fn fall(depth: u64, dropped: &AtomicU64) -> u64 {
        let _counted = Counted(dropped);
        if depth == 0 {
            panic::panic_any(Thrown(sum(7, 100)));
        }
        black_box(fall(depth - 1, dropped)) + 1
    }
    let mut rounds = 0;
    while !stop.load(Relaxed) {
        // Where nobody can catch it, it computes instead.
        if cfg!(panic = "abort") {
            assert_eq!(black_box(sum(7, 10_000)), sum(7, 10_000));
            rounds += 1;
            continue;
        }
        let (depth, dropped) = (rounds % 50, AtomicU64::new(0));
        let thrown = panic::catch_unwind(AssertUnwindSafe(|| fall(depth, &dropped))).unwrap_err();
        assert_eq!(thrown.downcast::<Thrown>().unwrap().0, sum(7, 100));
        assert_eq!(dropped.load(Relaxed), depth + 1);
        rounds += 1;
    }
    rounds
}

/// Takes and drops many frames, of which most are beyond what is copied of a stack.
pub(super) fn recurses(stop: &AtomicBool) -> u64 {
    fn descend(depth: u64) -> u64 {
        let local = black_box([depth; 16]);
        if depth == 0 { local[3] } else { descend(depth - 1) + local[5] }
    }
    let mut rounds = 0;
    while !stop.load(Relaxed) {
        let depth = 100 + rounds % 3_000;
        assert_eq!(descend(depth), depth * (depth + 1) / 2);
        rounds += 1;
    }
    rounds
}

/// Threads with as little stack as there may be: one of Rust's, with an alternate stack for signals, and one without.
pub(super) fn small(stop: &AtomicBool) -> u64 {
    let mut rounds = 0;
    while !stop.load(Relaxed) {
        let expected = sum(rounds, 200_000);
        let ours = thread::Builder::new().stack_size(SMALL).spawn(move || sum(rounds, 200_000)).unwrap();
        assert_eq!(sys::on_bare_thread(SMALL, rounds), expected);
        assert_eq!(ours.join().unwrap(), expected);
        rounds += 1;
    }
    rounds
}

/// Computes in a signal handler on an alternate stack, where it is sampled, too.
pub(super) fn alternate(stop: &AtomicBool) -> u64 {
    let stack = sys::AlternateStack::install();
    let mut rounds = 0;
    while !stop.load(Relaxed) {
        assert_eq!(stack.compute(rounds), sum(rounds, 100_000));
        rounds += 1;
    }
    rounds
}
