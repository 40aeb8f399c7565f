//! What the routes of one set of vitals share, however often and on however many workers they are mounted.

use otel_vitals::{MonitorConfig, Vitals};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::gate::Gate;
#[cfg(feature = "profiling")]
use crate::pprof::Places;
use crate::self_check::SelfChecks;
use crate::variables::Looking;

/// The closure that `HttpServer::new` takes asks for routes once for each worker. They must be the same to all of them: who
/// has failed to log in on one worker has failed.
static STATES: Mutex<States> = Mutex::new(Vec::new());

/// With the places of their configurations.
type States = Vec<(usize, Weak<State>)>;

pub(crate) struct State {
    vitals: Vitals,
    pub(crate) gate: Gate,
    pub(crate) self_checks: SelfChecks,
    pub(crate) looking: Looking,
    #[cfg(feature = "profiling")]
    pub(crate) profiles: Places,
}

impl State {
    /// The state of these vitals, made when there is none.
    pub(crate) fn of(vitals: &Vitals) -> Arc<State> {
        // Where their configuration is tells one set of vitals from another as long as it lives, and a state keeps it alive.
        let place = std::ptr::from_ref(vitals.config()).addr();
        if let Some(state) = at(&mut states(), place) {
            return state;
        }
        // Nobody waits for it: it logs, and a subscriber of the application's may do anything, ask for routes too.
        let made = Arc::new(State {
            vitals: vitals.clone(),
            gate: Gate::new(&vitals.config().monitor),
            self_checks: SelfChecks::default(),
            looking: Looking::default(),
            #[cfg(feature = "profiling")]
            profiles: Places::default(),
        });
        let mut states = states();
        // Another thread may have been faster.
        at(&mut states, place).unwrap_or_else(|| {
            states.push((place, Arc::downgrade(&made)));
            made
        })
    }

    pub(crate) fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    pub(crate) fn monitor(&self) -> &MonitorConfig {
        &self.vitals.config().monitor
    }
}

fn states() -> MutexGuard<'static, States> {
    STATES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn at(states: &mut States, place: usize) -> Option<Arc<State>> {
    states.retain(|(_, state)| state.strong_count() > 0);
    states.iter().find(|state| state.0 == place).and_then(|state| state.1.upgrade())
}
