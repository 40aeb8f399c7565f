//! The thread that sleeps and wakes, and looks how late it is.

use opentelemetry::metrics::Meter;
use otel_vitals_core::quietly;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::Duration;

use super::PauseScope;
use super::cause;
use super::evidence::Samples;
use super::instruments::Instruments;
use super::monitor::Shared;
use super::ongoing::Ongoing;
use super::ring::{Entry, Name, Writer};
use super::tracker::{Look, Settings, Stall, Tracker};
use super::warnings::Warnings;
use crate::moments::nanoseconds;
use crate::{PauseOptions, Runtimes, moments};

/// As many stamps are sent in one tick at most; with more runtimes they take turns.
const STAMPS: usize = 64;

/// More often it is not woken, whatever the options say.
const SHORTEST_TICK: Duration = Duration::from_millis(1);

/// A worker that does not turn for less is not suspected, in nanoseconds.
const SHORT: u64 = 50_000_000;

pub(super) struct Ticker {
    shared: Arc<Shared>,
    runtimes: Runtimes,
    /// The version of `runtimes` that `trackers` are of.
    version: Option<u64>,
    trackers: Vec<Tracker>,
    /// Whose turn it is to get a stamp.
    turn: usize,
    settings: Settings,
    output: Output,
    ongoing: Vec<Ongoing>,
    /// Of those, which have been logged: number of the runtime, worker, since when.
    logged: Vec<(u64, Option<u32>, u64)>,
}

/// Where pauses go.
struct Output {
    writer: Writer,
    instruments: Instruments,
    warnings: Warnings,
}

impl Ticker {
    pub(super) fn new(
        shared: Arc<Shared>,
        writer: Writer,
        runtimes: Runtimes,
        meter: &Meter,
        options: &PauseOptions,
    ) -> Self {
        let tick = nanoseconds(options.tick.max(SHORTEST_TICK));
        let runtime_threshold = nanoseconds(options.runtime_threshold);
        Ticker {
            shared,
            runtimes,
            version: None,
            trackers: Vec::new(),
            turn: 0,
            settings: Settings {
                tick,
                threshold: nanoseconds(options.threshold),
                runtime_threshold,
                stuck_after: runtime_threshold.max(tick / 2).max(SHORT),
            },
            output: Output {
                writer,
                instruments: Instruments::new(meter),
                warnings: Warnings::new(&options.warnings),
            },
            ongoing: Vec::new(),
            logged: Vec::new(),
        }
    }

    /// Ticks until the monitor is stopped.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        // Nothing in here should panic. If something does, the application goes on without the watch.
        if catch_unwind(AssertUnwindSafe(|| self.ticks())).is_err() {
            shared.end();
            quietly(|| {
                tracing::error!(target: "otel_vitals", "the pause monitor has panicked; pauses are not watched any more");
            });
        }
    }

    fn ticks(&mut self) {
        let this = thread::current();
        let mut previous = moments::now();
        let samples = Samples::new(previous);
        let mut dither = Dither(previous | 1);
        let mut tick = previous.saturating_add(self.settings.tick);
        let mut wake = tick;
        while !self.shared.is_stopped() {
            self.sleep(wake);
            let now = moments::now();
            samples.begin(now);
            // Whoever returns a late stamp wakes us before it is time.
            let late = now.checked_sub(wake);
            let platform = late.and_then(|late| self.woken(late, now, previous, &samples));
            let settings = self.settings;
            let look = Look { settings: &settings, now, previous, platform, samples: &samples };
            self.look(&look, &this);
            if now >= tick {
                self.send(&look, &this);
                // Ticks that a stall has taken are left out.
                tick = tick.saturating_add(dither.about(self.settings.tick)).max(moments::now());
            }
            samples.end();
            previous = now;
            // What all this took is not that it woke up late.
            let done = moments::now();
            wake =
                self.again_after(done).map_or(tick, |after| done.saturating_add(after).min(tick)).max(done);
        }
        self.shared.end();
    }

    /// Sleeps until `wake`, or until somebody wakes it up.
    fn sleep(&self, wake: u64) {
        if let Some(left) = wake.checked_sub(moments::now()) {
            self.shared.sleeps_until(wake);
            thread::park_timeout(Duration::from_nanos(left));
            self.shared.sleeps_until(0);
        }
    }

    /// Woke up so `late`. If that is a pause of the process, returns from when to when it may have been: one that is about as
    /// long as the sleep before may have begun in that.
    fn woken(&mut self, late: u64, now: u64, previous: u64, samples: &Samples) -> Option<(u64, u64)> {
        self.output.instruments.wakeup(late, self.settings.tick);
        if late < self.settings.threshold {
            return None;
        }
        let before = samples.known();
        let evidence = samples.fresh().since(&before);
        let cause = cause::decide(PauseScope::Process, Duration::from_nanos(late), &evidence);
        self.output.pause(&Entry::new(PauseScope::Process, cause, late, now), now);
        Some((if late >= self.settings.tick / 2 { previous } else { now - late }, now))
    }

    fn look(&mut self, look: &Look<'_>, this: &Thread) {
        self.follow();
        self.ongoing.clear();
        // How often each of them gets a stamp.
        let rounds = self.trackers.len().div_ceil(STAMPS).max(1) as u64;
        for tracker in &mut self.trackers {
            let watched = Arc::clone(&tracker.watched);
            let output = &mut self.output;
            let delay = tracker.look(look, |stall| output.stall(&watched.name, &stall, look.now));
            if let Some(delay) = delay {
                output.instruments.schedule(delay, look.settings.tick * rounds, &watched.attributes);
            }
            // Who is suspected gets more of them.
            if tracker.again_after(look.now).is_some() {
                tracker.send(look, this);
            }
            tracker.ongoing(look, |worker, since| {
                self.ongoing.push(Ongoing { watched: Arc::clone(&watched), worker, since });
            });
        }
        self.warn(look.now);
        let mut shown = self.shared.lock();
        // Untouched while nothing stands still.
        if !(shown.is_empty() && self.ongoing.is_empty()) {
            std::mem::swap(&mut *shown, &mut self.ongoing);
        }
    }

    /// Takes up the runtimes that have come, and lets go of those that have left.
    fn follow(&mut self) {
        let version = self.runtimes.version();
        if self.version.replace(version) == Some(version) {
            return;
        }
        let mut known = std::mem::take(&mut self.trackers);
        let mut come = Vec::new();
        self.runtimes.for_each(|watched| come.push(Arc::clone(watched)));
        self.trackers.extend(come.into_iter().map(|watched| {
            let at = known.iter().position(|tracker| tracker.watched.number == watched.number);
            at.map_or_else(|| Tracker::new(watched), |at| known.swap_remove(at))
        }));
    }

    fn send(&mut self, look: &Look<'_>, this: &Thread) {
        let (runtimes, turn) = (self.trackers.len(), self.turn);
        for at in 0..runtimes.min(STAMPS) {
            if let Some(tracker) = self.trackers.get_mut((turn + at) % runtimes) {
                tracker.send(look, this);
            }
        }
        self.turn = (turn + STAMPS).checked_rem(runtimes).filter(|_| runtimes > STAMPS).unwrap_or(0);
    }

    fn again_after(&self, now: u64) -> Option<u64> {
        self.trackers.iter().filter_map(|tracker| tracker.again_after(now)).min()
    }

    /// A pause that does not end is logged, too.
    fn warn(&mut self, now: u64) {
        let key = |ongoing: &Ongoing| (ongoing.watched.number, ongoing.worker, ongoing.since);
        self.logged.retain(|logged| self.ongoing.iter().any(|ongoing| key(ongoing) == *logged));
        for ongoing in &self.ongoing {
            let duration = now.saturating_sub(ongoing.since);
            if !self.logged.contains(&key(ongoing))
                && self.output.warnings.ongoing(now, duration, &ongoing.watched.name, ongoing.worker)
            {
                self.logged.push(key(ongoing));
            }
        }
    }
}

/// Makes ticks a little longer or shorter. What the kernel does every 100 ms, such as to fill quotas up, would otherwise always
/// be met at the same point, or never.
struct Dither(u64);

impl Dither {
    /// `time`, or up to an eighth less or more.
    fn about(&mut self, time: u64) -> u64 {
        // Marsaglia's xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        time - time / 8 + self.0 % (time / 4 + 1)
    }
}

impl Output {
    fn stall(&mut self, runtime: &str, stall: &Stall, now: u64) {
        let known = stall.window.min(Duration::from_nanos(stall.duration));
        let cause = cause::decide(PauseScope::Runtime, known, &stall.evidence);
        let entry = Entry {
            name: Name::new(runtime),
            worker: stall.worker,
            ..Entry::new(PauseScope::Runtime, cause, stall.duration, stall.end)
        };
        self.pause(&entry, now);
    }

    fn pause(&mut self, entry: &Entry, now: u64) {
        self.writer.push(entry);
        self.instruments.pause(entry.scope, entry.cause, entry.duration);
        self.warnings.pause(now, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_about_as_long_as_they_should_be_and_not_all_alike() {
        for time in [1_000, 5_000_000, 100_000_000] {
            let mut dither = Dither(1);
            let ticks: Vec<u64> = (0..1_000).map(|_| dither.about(time)).collect();
            assert!(ticks.iter().all(|tick| tick.abs_diff(time) <= time / 8), "{time}");
            let mean = ticks.iter().sum::<u64>() / 1_000;
            assert!(mean.abs_diff(time) <= time / 50, "{mean} of {time}");
        }
    }
}
