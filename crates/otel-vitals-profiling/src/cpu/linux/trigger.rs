//! What interrupts a thread when it has used a period of CPU time.

mod sys;

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use super::collector::Plan;
use super::handler::{self, Signal};

pub(super) use sys::{Timer, clock_of, own_clock, process_clock, tick};

/// Descriptors are taken by at most so many threads.
const MOST_EVENTS: usize = 512;

/// As for descriptors, the user's signals that may be pending, of which each timer takes one for itself, are not taken by timers alone.
const PART_OF_SIGNALS: u64 = 2;

/// The trigger of one thread, which is gone when this is dropped.
#[derive(Debug)]
pub(super) enum Armed {
    Timer(#[expect(dead_code, reason = "it is deleted when it is dropped")] Timer),
    Event(#[expect(dead_code, reason = "it is closed when it is dropped")] Event),
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
    signal: Signal,
    /// Whether events are tried at first.
    events: bool,
    /// Threads that have an event.
    held: usize,
    /// Threads that have a timer, and how many may.
    timers: u64,
    most_timers: u64,
    /// On the CPU time of all threads, for those which do not live long enough to be found.
    of_process: Option<Timer>,
    /// Threads that ever got an event, a timer or neither.
    pub(super) armed: [u64; 3],
}

impl Triggers {
    pub(super) fn new(plan: &Plan) -> Self {
        let Plan { period, signal, events } = *plan;
        let most_timers = match read_status().pending_signals {
            Some((used, most)) => most.saturating_sub(used) / PART_OF_SIGNALS,
            None => u64::MAX,
        };
        Triggers { period, signal, events, held: 0, timers: 0, most_timers, of_process: None, armed: [0; 3] }
    }

    /// Has threads interrupted that nobody knows yet, where the kernel interrupts the one that runs.
    pub(super) fn arm_process(&mut self) {
        if interrupts_who_runs(&std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default()) {
            let first = process_clock() + self.period;
            self.of_process = Timer::arm_process(self.signal.number(), first, self.period).ok();
        }
    }

    /// Whether threads are interrupted that nobody knows yet.
    pub(super) fn has_process(&self) -> bool {
        self.of_process.is_some()
    }

    pub(super) fn disarm_process(&mut self) {
        self.of_process = None;
    }

    /// Has a thread interrupted for the first time when its CPU time is `first` nanoseconds, and then with each period. An event begins
    /// with a whole period.
    pub(super) fn arm(&mut self, thread: u32, first: u64) -> io::Result<Armed> {
        if self.events
            && self.held < MOST_EVENTS
            && let Ok(event) = Event::arm(thread, self.period)
        {
            self.held += 1;
            self.armed[0] += 1;
            handler::set_triggered(thread, true);
            return Ok(Armed::Event(event));
        }
        let timer = if self.timers < self.most_timers {
            Timer::arm(thread, self.signal.number(), first, self.period)
        } else {
            Err(io::ErrorKind::QuotaExceeded.into())
        };
        match &timer {
            Ok(_) => {
                self.armed[1] += 1;
                self.timers += 1;
                handler::set_triggered(thread, true);
            }
            Err(_) => self.armed[2] += 1,
        }
        timer.map(Armed::Timer)
    }

    pub(super) fn disarm(&mut self, thread: u32, armed: Armed) {
        handler::set_triggered(thread, false);
        match armed {
            Armed::Event(_) => self.held -= 1,
            Armed::Timer(_) => self.timers -= 1,
            Armed::Not => {}
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
        sys::send_signal(&event.descriptor, Signal::Urgent.number(), thread)?;
        sys::enable(&event.descriptor, true)?;
        Ok(event)
    }
}

/// Whether a timer of the process interrupts the thread that runs when it expires, and not any: since Linux 6.4.
fn interrupts_who_runs(release: &str) -> bool {
    let mut numbers = release.split(|other: char| !other.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (6, 4),
        _ => false,
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

/// Whether a filter says which system calls are allowed.
pub(super) fn calls_are_filtered() -> bool {
    read_status().filtered
}

/// What `/proc/self/status` says of what the process may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Status {
    filtered: bool,
    /// Signals that are pending for the user, or reserved to be, and how many may.
    pending_signals: Option<(u64, u64)>,
}

fn read_status() -> Status {
    // The name of the program, which is in it, may be anything.
    let status = std::fs::read("/proc/self/status").unwrap_or_default();
    status_of(&String::from_utf8_lossy(&status))
}

fn status_of(text: &str) -> Status {
    let mut status = Status::default();
    for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match key {
            // 1 is the strict mode, in which nobody reads files.
            "Seccomp" => status.filtered = value == "2",
            "SigQ" => {
                let numbers = value.split_once('/');
                status.pending_signals =
                    numbers.and_then(|(used, most)| Some((used.parse().ok()?, most.parse().ok()?)));
            }
            _ => {}
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_and_signals_are_read_from_the_status() {
        let text = "Name:\tprogram\nSigQ:\t3/63432\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        assert_eq!(status_of(text), Status { filtered: true, pending_signals: Some((3, 63_432)) });
        assert_eq!(status_of("Seccomp:\t0\nSigQ:\tmany\n"), Status::default());
        assert!(read_status().pending_signals.is_some());
    }

    #[test]
    fn timers_leave_room_for_signals_of_others_and_give_it_back() {
        let id = std::process::id();
        let plan = Plan { period: 1_000_000_000, signal: Signal::Urgent, events: false };
        let mut triggers = Triggers { most_timers: 1, ..Triggers::new(&plan) };
        // So late that it never interrupts.
        let first = u64::MAX / 4;
        let armed = triggers.arm(id, first).unwrap();
        assert_eq!(triggers.arm(id, first).unwrap_err().kind(), io::ErrorKind::QuotaExceeded);
        triggers.disarm(id, armed);
        assert!(triggers.arm(id, first).is_ok());
        assert_eq!(triggers.armed, [0, 2, 1]);
    }

    #[test]
    fn kernels_since_6_4_interrupt_who_runs() {
        for release in ["6.4.0", "6.18.44-fc-v509\n", "7.0", "10.1-rc1"] {
            assert!(interrupts_who_runs(release), "{release}");
        }
        for release in ["6.3.9", "5.15.0-91-generic", "4.4", "", "six", "6"] {
            assert!(!interrupts_who_runs(release), "{release}");
        }
    }
}
