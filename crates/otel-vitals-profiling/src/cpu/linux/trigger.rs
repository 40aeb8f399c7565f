//! What interrupts a thread when it has used a period of CPU time.

mod sys;

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use super::handler::Signal;

pub(super) use sys::{Timer, clock_of, own_clock, process_clock, tick};

/// Descriptors are taken by at most so many threads.
const MOST_EVENTS: usize = 512;

/// The trigger of one thread, which is gone when this is dropped.
#[derive(Debug)]
pub(super) enum Armed {
    Timer(#[expect(dead_code, reason = "it is deleted when it is dropped")] Timer),
    Event(Event),
    /// The kernel has refused.
    Not,
}

/// A perf event on the CPU time of a thread.
#[derive(Debug)]
pub(super) struct Event {
    descriptor: OwnedFd,
}

/// What is used, and how often.
#[derive(Debug)]
pub(super) struct Triggers {
    /// CPU time from one sample to the next, nanoseconds.
    period: u64,
    /// Whether events are tried at first.
    events: bool,
    /// Threads that have an event.
    held: usize,
    /// Threads that ever got an event, a timer or neither.
    pub(super) armed: [u64; 3],
}

impl Triggers {
    pub(super) fn new(period: u64, events: bool) -> Self {
        Triggers { period, events, held: 0, armed: [0; 3] }
    }

    /// Has a thread interrupted for the first time when its CPU time is `first` nanoseconds, and then with each period. An event begins
    /// with a whole period.
    pub(super) fn arm(&mut self, thread: u32, first: u64) -> io::Result<Armed> {
        if self.events && self.held < MOST_EVENTS {
            if let Ok(event) = Event::arm(thread, self.period) {
                self.held += 1;
                self.armed[0] += 1;
                return Ok(Armed::Event(event));
            }
        }
        let timer = Timer::arm(thread, Signal::Timer.number(), first, self.period);
        match &timer {
            Ok(_) => self.armed[1] += 1,
            Err(_) => self.armed[2] += 1,
        }
        timer.map(Armed::Timer)
    }

    pub(super) fn disarm(&mut self, armed: Armed) {
        if let Armed::Event(_) = armed {
            self.held -= 1;
        }
    }
}

impl Event {
    /// Fails when the kernel does, and when descriptors run low.
    fn arm(thread: u32, period: u64) -> io::Result<Self> {
        let descriptor = sys::open_event(thread, period)?;
        // The lowest free number is what one gets, so that it tells how many are used.
        if descriptor.as_raw_fd() as u64 >= sys::most_descriptors() / 4 * 3 {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let event = Event { descriptor };
        sys::send_signal(&event.descriptor, Signal::Event.number(), thread)?;
        sys::enable(&event.descriptor, true)?;
        Ok(event)
    }
}

/// Whether events are allowed, in the kernel too: CPU time is used there as well, and without it would be taken for that of what runs
/// next.
pub(super) fn events_allowed() -> bool {
    sys::open_event(0, 1_000_000_000).is_ok()
}

impl Drop for Event {
    fn drop(&mut self) {
        // A child that was forked meanwhile has the descriptor too, and would keep the event running.
        let _ = sys::enable(&self.descriptor, false);
    }
}
