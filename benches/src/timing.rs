//! Times of subjects that take turns.
//!
//! What is compared is measured in the same seconds: each subject collects a few times, then the next, and again from
//! the first. A machine that slows down for a while slows down all of them. The first collection of a turn is not
//! counted: it finds the caches as the subject before left them, which for some is as good as having run already.

use std::time::Duration;

use crate::subject::Subject;

/// How long each of many collections took.
#[derive(Clone, Debug, Default)]
pub struct Times {
    sorted: Vec<Duration>,
}

impl Times {
    /// The shortest: what a collection costs when nobody interrupts it.
    #[must_use]
    pub fn fastest(&self) -> Duration {
        self.sorted.first().copied().unwrap_or_default()
    }

    /// The one in the middle.
    #[must_use]
    pub fn median(&self) -> Duration {
        self.sorted.get(self.sorted.len() / 2).copied().unwrap_or_default()
    }
}

/// Collections of a subject in each turn that count.
const TURN: usize = 4;

/// Times of at least `rounds` collections of every subject, in the order of the subjects.
#[must_use]
pub fn in_turns(subjects: &mut [Subject], rounds: usize) -> Vec<Times> {
    let turns = rounds.div_ceil(TURN);
    let mut times = vec![Times { sorted: Vec::with_capacity(turns * TURN) }; subjects.len()];
    for _ in 0..turns {
        for (subject, times) in subjects.iter_mut().zip(&mut times) {
            subject.run();
            times.sorted.extend((0..TURN).map(|_| subject.run()));
        }
    }
    for times in &mut times {
        times.sorted.sort_unstable();
    }
    times
}
