//! The thread that looks, and those who wait for it.

use otel_vitals_core::quietly;
use otel_vitals_host::hardware::{HardwareReader, HardwareReading};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

use super::Snapshot;
use crate::config::Thresholds;

/// Name of the thread.
const THREAD: &str = "vitals-hardware";

/// Who looks. Each of these comes back within a fraction of a second.
pub(super) trait Look {
    fn read(&mut self) -> HardwareReading;
    fn keep_up(&mut self);
}

impl Look for HardwareReader {
    fn read(&mut self) -> HardwareReading {
        HardwareReader::read(self)
    }

    fn keep_up(&mut self) {
        HardwareReader::keep_up(self);
    }
}

/// Makes the one who looks, on the thread.
type MakeLook = Box<dyn Fn() -> Box<dyn Look> + Send + Sync>;

/// When to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// So long a look is good for.
    pub(super) fresh: Duration,
    /// So often processors are looked at, so that it is known what they did lately.
    pub(super) keep_up: Duration,
    /// As long after somebody asked.
    pub(super) in_use: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            fresh: Duration::from_secs(1),
            keep_up: Duration::from_secs(10),
            in_use: Duration::from_secs(60),
        }
    }
}

pub(super) struct Sampler {
    shared: Arc<Shared>,
}

/// What the thread and those who ask have in common.
struct Shared {
    make: MakeLook,
    paths: Vec<String>,
    thresholds: Thresholds,
    timing: Timing,
    state: Mutex<State>,
    /// Something is to be done.
    wake: Condvar,
    /// The last look. Changed only with the state locked.
    latest: watch::Sender<Arc<Snapshot>>,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    /// Whether somebody waits for a look that has not begun.
    is_wanted: bool,
    /// Whether a look is under way.
    is_reading: bool,
    /// When somebody asked last.
    asked: Option<Instant>,
    /// When the last look began.
    taken: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// There is no thread.
    #[default]
    Idle,
    /// The process of this number has the thread: a child that was forked has not.
    Running(u32),
    Ended,
}

/// What the thread does next.
#[derive(Debug, PartialEq)]
enum Task {
    Read,
    KeepUp,
    End,
}

impl Sampler {
    pub(super) fn new(make: MakeLook, paths: Vec<String>, thresholds: Thresholds, timing: Timing) -> Self {
        let nothing = Snapshot::unknown(&paths, "there has been no look yet");
        let (latest, _) = watch::channel(Arc::new(nothing));
        let (state, wake) = (Mutex::default(), Condvar::new());
        Sampler { shared: Arc::new(Shared { make, paths, thresholds, timing, state, wake, latest }) }
    }

    pub(super) async fn snapshot(&self) -> Arc<Snapshot> {
        match self.shared.ask() {
            Answer::Known(snapshot) => snapshot,
            // The thread comes back from whatever it looks at, so that this needs no clock, which not every runtime has.
            Answer::Coming(mut latest) => {
                let _ = latest.changed().await;
                Arc::clone(&latest.borrow())
            }
        }
    }

    /// Ends the thread, for good, and tells all who ask `why`. Does not wait for it; it ends after the look that is under way.
    pub(super) fn stop(&self, why: &str) {
        let mut state = self.shared.lock();
        if state.phase == Phase::Ended {
            return;
        }
        state.phase = Phase::Ended;
        self.shared.latest.send_modify(|latest| {
            let mut last = match latest.taken_at {
                Some(_) => Snapshot::clone(latest),
                None => Snapshot::unknown(&self.shared.paths, why),
            };
            last.problem = Some(why.to_owned());
            *latest = Arc::new(last);
        });
        self.shared.wake.notify_all();
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop("nobody asks any more");
    }
}

/// What there is for one who asks.
enum Answer {
    Known(Arc<Snapshot>),
    /// The next one that is sent.
    Coming(watch::Receiver<Arc<Snapshot>>),
}

impl Shared {
    fn ask(self: &Arc<Self>) -> Answer {
        let now = Instant::now();
        let mut state = self.lock();
        state.asked = Some(now);
        let age = state.taken.map(|taken| now.saturating_duration_since(taken));
        if state.phase == Phase::Ended || age.is_some_and(|age| age <= self.timing.fresh) {
            return Answer::Known(Arc::clone(&self.latest.borrow()));
        }
        if let Err(error) = self.ensure_thread(&mut state) {
            let problem = format!("there is no thread to look: {error}");
            return Answer::Known(Arc::new(Snapshot::unknown(&self.paths, &problem)));
        }
        if !state.is_reading {
            state.is_wanted = true;
            self.wake.notify_all();
        }
        Answer::Coming(self.latest.subscribe())
    }

    fn ensure_thread(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let own = Phase::Running(std::process::id());
        if state.phase != own {
            let shared = Arc::clone(self);
            std::thread::Builder::new().name(THREAD.to_owned()).spawn(move || shared.run())?;
            (state.phase, state.is_reading) = (own, false);
        }
        Ok(())
    }

    fn run(&self) {
        let _ended = Ended(self);
        let mut look = (self.make)();
        let mut looked = Instant::now();
        loop {
            let task = self.next(looked);
            looked = Instant::now();
            let outcome = match task {
                Task::End => return,
                Task::Read => catch_unwind(AssertUnwindSafe(|| {
                    let reading = look.read();
                    self.publish(looked, Snapshot::new(reading, &self.thresholds));
                })),
                Task::KeepUp => catch_unwind(AssertUnwindSafe(|| look.keep_up())),
            };
            if outcome.is_err() {
                quietly(|| tracing::warn!(target: "otel_vitals", "a look at the hardware panicked"));
                look = (self.make)();
                if task == Task::Read {
                    self.publish(looked, Snapshot::unknown(&self.paths, "the look at it panicked"));
                }
            }
        }
    }

    /// Sleeps until there is something to do.
    fn next(&self, looked: Instant) -> Task {
        let mut state = self.lock();
        loop {
            if state.phase == Phase::Ended {
                return Task::End;
            }
            if std::mem::take(&mut state.is_wanted) {
                state.is_reading = true;
                return Task::Read;
            }
            let in_use = state.asked.is_some_and(|asked| asked.elapsed() < self.timing.in_use);
            state = if in_use {
                let left = self.timing.keep_up.saturating_sub(looked.elapsed());
                if left.is_zero() {
                    return Task::KeepUp;
                }
                self.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
            } else {
                self.wake.wait(state).unwrap_or_else(PoisonError::into_inner)
            };
        }
    }

    fn publish(&self, began: Instant, snapshot: Snapshot) {
        let mut state = self.lock();
        (state.is_reading, state.taken) = (false, Some(began));
        // What was said at the end stays.
        if state.phase != Phase::Ended {
            self.latest.send_replace(Arc::new(snapshot));
        }
    }

    /// The thread is not there any more.
    fn ended(&self) {
        let mut state = self.lock();
        if state.phase != Phase::Ended {
            // Nothing is known, so that the next who asks starts another.
            *state = State { asked: state.asked, ..State::default() };
            let nothing = Snapshot::unknown(&self.paths, "the thread that looks has ended");
            self.latest.send_replace(Arc::new(nothing));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change of it is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells that the thread is not there any more, whatever ended it, so that nobody waits for it.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.ended();
    }
}

#[cfg(test)]
mod tests;
