//! CPU profiles on Linux: who may take one, and when it begins and ends.

mod account;
mod collector;
mod ends;
mod handler;
mod report;
mod slots;
mod strays;
mod sys;
mod tally;
mod threads;
mod trigger;

use std::io;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::*};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::Trigger;
use crate::{Error, Profile};
use collector::{Gathered, Plan};
use handler::{SLOTS, Signal};

/// The process in which a recording is being taken, zero for none. Not only whether: a forked child has what its parent had.
static RECORDING: AtomicU32 = AtomicU32::new(0);
/// The process that used the slots last, zero before any did. A handler that was late may have been in them when a child was forked.
static USED: AtomicU32 = AtomicU32::new(0);

#[derive(Debug)]
pub(super) struct Recording {
    /// Of this process; a forked child has a copy, and nobody who collects.
    turn: Turn,
    plan: Plan,
    stop: Arc<AtomicBool>,
    collector: Option<JoinHandle<Option<Gathered>>>,
}

/// The right to take a profile, which one has at a time.
#[derive(Debug)]
struct Turn {
    process: u32,
}

pub(super) fn start(frequency: u32, trigger: Trigger) -> Result<Recording, Error> {
    let turn = Turn::take()?;
    let period = 1_000_000_000 / u64::from(frequency);
    let signal = handler::install()
        .map_err(|source| Error::System { what: "handler of the CPU profile's signal", source })?;
    let plan = Plan { period, signal, events: with_events(period, trigger, signal)? };
    let stop = Arc::new(AtomicBool::new(false));
    let (begun, begins) = mpsc::sync_channel(1);
    let collector = {
        let stop = Arc::clone(&stop);
        let builder = thread::Builder::new().name("vitals-cpu-profile".to_owned());
        sys::without_signals(|| builder.spawn(move || collector::run(plan, &stop, &begun)))
            .map_err(|source| Error::System { what: "thread of the CPU profile", source })?
    };
    // From here on it is ended when this is dropped.
    let recording = Recording { turn, plan, stop, collector: Some(collector) };
    match begins.recv() {
        Ok(Ok(())) => Ok(recording),
        // A handler of an earlier one has not come to an end.
        Ok(Err(error)) if error.kind() == io::ErrorKind::ResourceBusy => Err(Error::Busy),
        Ok(Err(source)) => Err(Error::System { what: "CPU profile", source }),
        Err(_) => Err(Error::System { what: "CPU profile", source: io::Error::other("its thread ended") }),
    }
}

/// Whether perf events are used.
fn with_events(period: u64, trigger: Trigger, signal: Signal) -> Result<bool, Error> {
    const WHAT: &str = "CPU profile by perf events";
    // One that is pending at `execve` must do no harm to the new program.
    let harmless = signal == Signal::Urgent;
    match trigger {
        Trigger::Timers => Ok(false),
        Trigger::Auto => {
            let finer = period < trigger::tick();
            // A filter may end the process for a call that it does not expect.
            Ok(finer && harmless && !trigger::calls_are_filtered() && trigger::events_allowed())
        }
        Trigger::Perf if !trigger::events_allowed() => Err(Error::Unavailable {
            what: WHAT,
            why: "the kernel allows none: kernel.perf_event_paranoid is above 1, or a system call filter forbids it",
        }),
        Trigger::Perf if !harmless => {
            Err(Error::Unavailable { what: WHAT, why: "the application has a handler for SIGURG" })
        }
        Trigger::Perf => Ok(true),
    }
}

impl Recording {
    pub(super) fn finish(mut self) -> Profile {
        match self.end() {
            Some(gathered) => report::profile(&gathered, self.plan.period),
            None => {
                let mut empty = report::empty(self.plan.period);
                empty.comment(if self.turn.is_here() {
                    "nothing was gathered: the thread of the profile has failed"
                } else {
                    "nothing was gathered: the process was forked meanwhile, and its parent has the profile"
                });
                empty
            }
        }
    }

    fn end(&mut self) -> Option<Gathered> {
        let collector = self.collector.take()?;
        if !self.turn.is_here() {
            // The thread is the parent's, and to join it here would be to wait for ever.
            std::mem::forget(collector);
            return None;
        }
        self.stop.store(true, Release);
        SLOTS.ring();
        let gathered = collector.join().ok().flatten();
        // It has done that, unless it panicked.
        SLOTS.close();
        gathered
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.end();
    }
}

impl Turn {
    fn take() -> Result<Self, Error> {
        let here = process::id();
        let found = RECORDING.load(Acquire);
        if found == here || RECORDING.compare_exchange(found, here, AcqRel, Relaxed).is_err() {
            return Err(Error::Busy);
        }
        if ![0, here].contains(&USED.swap(here, AcqRel)) {
            SLOTS.forget();
        }
        Ok(Turn { process: here })
    }

    /// Whether this is the process that took it.
    fn is_here(&self) -> bool {
        self.process == process::id()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.is_here() {
            handler::remove();
            RECORDING.store(0, Release);
        }
    }
}
