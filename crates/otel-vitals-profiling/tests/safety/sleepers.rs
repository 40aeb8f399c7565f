//! Threads that sleep in system calls. Those calls which `SA_RESTART` has the kernel restart must not report `EINTR`.

use crate::profiled::sum;
use crate::sys;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread;

/// Two threads that wait for each other's byte, and compute in between so that they are interrupted on the way.
pub(super) fn pipe(stop: &AtomicBool) -> u64 {
    let (there, back) = (sys::Pipe::new(), sys::Pipe::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            // Ends with a zero.
            loop {
                let byte = there.read().unwrap();
                sum(1, 20_000);
                back.write(byte.wrapping_add(1)).unwrap();
                if byte == 0 {
                    break;
                }
            }
        });
        let mut rounds = 0;
        while !stop.load(Relaxed) {
            let byte = (rounds % 255) as u8 + 1;
            there.write(byte).unwrap();
            assert_eq!(back.read().unwrap(), byte.wrapping_add(1));
            sum(2, 20_000);
            rounds += 1;
        }
        there.write(0).unwrap();
        rounds
    })
}

/// The same with a word.
pub(super) fn futex(stop: &AtomicBool) -> u64 {
    const OVER: u32 = u32::MAX;
    let turn = AtomicU32::new(0);
    // Odd numbers are the other's turn.
    let wait_for = |odd: u32| loop {
        let seen = turn.load(Relaxed);
        if seen == OVER || seen % 2 == odd {
            return seen;
        }
        match sys::wait(&turn, seen) {
            Ok(()) => {}
            // It has changed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => panic!("waiting for a word: {error}"),
        }
    };
    let pass_on = |value: u32| {
        turn.store(value, Relaxed);
        sys::wake(&turn);
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                let seen = wait_for(1);
                if seen == OVER {
                    break;
                }
                sum(1, 20_000);
                pass_on(seen + 1);
            }
        });
        let mut rounds = 0;
        while !stop.load(Relaxed) {
            let seen = wait_for(0);
            sum(2, 20_000);
            pass_on(seen + 1);
            rounds += 1;
        }
        wait_for(0);
        pass_on(OVER);
        rounds
    })
}

/// Calls that no flag has restarted: that they end early is what their callers know to deal with.
pub(super) fn sleeps(stop: &AtomicBool) -> u64 {
    let poll = sys::Epoll::new();
    let mut rounds = 0;
    while !stop.load(Relaxed) {
        sum(1, 20_000);
        for outcome in [sys::nanosleep(100_000), poll.wait(1)] {
            assert!(
                outcome.as_ref().err().is_none_or(|error| error.kind() == io::ErrorKind::Interrupted),
                "{outcome:?}"
            );
        }
        rounds += 1;
    }
    rounds
}
