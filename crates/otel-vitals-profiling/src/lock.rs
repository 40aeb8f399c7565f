//! A lock that the child of a fork does not wait for.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// A mutex that knows of forks: in the child of one, a thread of the parent's may have it for ever, which is not there any more.
#[derive(Debug)]
pub(crate) struct Lock<T> {
    /// The process that has used it last; zero before.
    process: AtomicU32,
    of: Mutex<T>,
}

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Lock { process: AtomicU32::new(0), of: Mutex::new(value) }
    }

    /// None where anybody has it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.of.try_lock() {
            Ok(free) => Some(free),
            Err(TryLockError::Poisoned(free)) => Some(free.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// None where the process is the child of a fork and a thread of the parent's had it.
    pub(crate) fn lock(&self) -> Option<MutexGuard<'_, T>> {
        let own = process::id();
        if self.process.compare_exchange(0, own, Relaxed, Relaxed).is_ok()
            || self.process.load(Relaxed) == own
        {
            return Some(self.of.lock().unwrap_or_else(PoisonError::into_inner));
        }
        let free = self.try_lock()?;
        self.process.store(own, Relaxed);
        Some(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_at_a_times() {
        let lock = Lock::new(1);
        *lock.lock().unwrap() += 1;
        let held = lock.lock().unwrap();
        assert_eq!(*held, 2);
        assert!(lock.of.try_lock().is_err());
    }

    #[test]
    fn what_another_process_has_left_is_taken_and_what_it_has_is_not_waited_for() {
        let lock = Lock::new(());
        lock.process.store(process::id() + 1, Relaxed);
        let held = lock.of.lock().unwrap();
        assert!(lock.lock().is_none());
        drop(held);
        assert!(lock.lock().is_some());
        assert_eq!(lock.process.load(Relaxed), process::id());
    }
}
