//! That vitals run once in a process.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::error::Error;

/// The process in which vitals run; zero is none. One set a process: two would report every value twice. A child that
/// was forked has its parent's number here, and is free to start its own.
static RUNNING: AtomicU32 = AtomicU32::new(0);

/// Holds [`RUNNING`] until shutdown or drop.
pub(super) struct Running {
    held: AtomicBool,
}

impl Running {
    pub(super) fn claim() -> Result<Self, Error> {
        let own = std::process::id();
        let claim = |running| (running != own).then_some(own);
        match RUNNING.fetch_update(Ordering::AcqRel, Ordering::Acquire, claim) {
            Ok(_) => Ok(Running { held: AtomicBool::new(true) }),
            Err(_) => Err(Error::AlreadyInitialized),
        }
    }

    pub(super) fn is_held(&self) -> bool {
        self.held.load(Ordering::Acquire)
    }

    pub(super) fn release(&self) {
        if self.held.swap(false, Ordering::AcqRel) {
            RUNNING.store(0, Ordering::Release);
        }
    }
}

impl Drop for Running {
    // A start that fails half-way leaves the place free.
    fn drop(&mut self) {
        self.release();
    }
}
