//! The thread that keeps up to date what is known of the objects that are loaded.

use std::io;
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

use super::{Way, learn, sys};
use crate::modules::Modules;

/// How often objects are looked for at most, when addresses are in none.
const REFRESH: Duration = Duration::from_millis(100);

static LEARNER: OnceLock<Thread> = OnceLock::new();

/// Starts it, once. It sleeps until it is woken.
pub(super) fn start(way: Way) -> io::Result<()> {
    if LEARNER.get().is_some() {
        return Ok(());
    }
    let learner =
        thread::Builder::new().name("vitals-modules".into()).stack_size(256 << 10).spawn(move || {
            sys::block_signals();
            // What is known was learned before: it may be less by now.
            let mut modules = Arc::default();
            loop {
                thread::park();
                let now = Modules::now();
                if !Arc::ptr_eq(&now, &modules) {
                    learn(way);
                    modules = now;
                }
                // Whoever asks meanwhile is heard after it.
                thread::sleep(REFRESH);
            }
        })?;
    let _ = LEARNER.set(learner.thread().clone());
    Ok(())
}

/// Has it look for objects that were loaded. In the child of a fork there is no such thread, and nothing happens.
pub(super) fn wake() {
    if let Some(learner) = LEARNER.get() {
        learner.unpark();
    }
}
