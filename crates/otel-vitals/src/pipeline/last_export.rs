//! What the last export came to, for those who ask.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::reader::{Failure, Outcome};

/// The last export that is over. Clones see the same.
#[derive(Clone, Debug)]
pub(crate) struct LastExport {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// Of the export, or of the start.
    at: Instant,
    /// None before the first; else what it came to, or why it failed.
    outcome: Option<Result<(), String>>,
}

impl LastExport {
    pub(super) fn new() -> Self {
        LastExport { state: Arc::new(Mutex::new(State { at: Instant::now(), outcome: None })) }
    }

    /// How long ago it was, or the start, and what it came to; none before the first.
    pub(crate) fn get(&self) -> (Duration, Option<Result<(), String>>) {
        let state = self.lock();
        (state.at.elapsed(), state.outcome.clone())
    }

    /// One is over. Of one that a shutdown interrupted nothing is known.
    pub(super) fn set(&self, outcome: &Outcome) {
        if !matches!(outcome, Err(Failure::Interrupted)) {
            let outcome = outcome.as_ref().copied().map_err(Failure::to_string);
            *self.lock() = State { at: Instant::now(), outcome: Some(outcome) };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // It is set whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
