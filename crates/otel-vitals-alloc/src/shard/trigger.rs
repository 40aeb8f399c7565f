//! When the next sample is due, and what readers add for it.

use std::sync::atomic::Ordering::*;

use crate::atomic::{AtomicU64, const_unless_loom, fence};

/// From here on the sign bit is set.
const DUE: u64 = 1 << 63;

/// What makes the sign bit of a counter say that a sample is due: it is set off, so as to get there when the gap is over.
///
/// The thread that holds the shard sets it again and again, and any thread reads meanwhile. Counter and offset are two
/// words, of which a reader may see one of before and one of after. So the owner says that it is about to change them,
/// having written down what was counted, which stays true until it says that it has: it counts nothing in between. A
/// reader takes that number for as long, and waits for nobody, not even for an owner that a fork has left behind. It
/// begins again when it sees that what it has read is of two settings, which is when the owner was faster.
///
/// All zero is a counter that was never set off.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Trigger {
    /// Twice the number of times that it was set; odd meanwhile.
    settings: AtomicU64,
    /// What was counted is the counter and this, modulo 2^64.
    offset: AtomicU64,
    /// What was counted when it was about to be set.
    counted: AtomicU64,
}

impl Trigger {
    const_unless_loom! {
        pub(super) fn new() -> Trigger {
            Trigger { settings: AtomicU64::new(0), offset: AtomicU64::new(0), counted: AtomicU64::new(0) }
        }
    }

    /// Sets `counter` off so that its sign bit is set once `gap` more bytes are counted. To be called by the thread that
    /// holds the shard, which counts nothing meanwhile.
    pub(super) fn set(&self, counter: &AtomicU64, gap: u64) {
        let settings = self.settings.load(Relaxed);
        let left_behind = settings % 2 == 1;
        let counted = if left_behind {
            self.counted.load(Relaxed)
        } else {
            counter.load(Relaxed).wrapping_add(self.offset.load(Relaxed))
        };
        let meanwhile = settings | 1;
        // Who sees what is stored now sees that the last setting is over.
        fence(Release);
        self.counted.store(counted, Relaxed);
        self.settings.store(meanwhile, Release);
        // Who sees what is stored now, or counted later, sees that this setting has begun.
        fence(Release);
        let start = DUE.wrapping_sub(gap);
        self.offset.store(counted.wrapping_sub(start), Relaxed);
        counter.store(start, Relaxed);
        self.settings.store(meanwhile.wrapping_add(1), Release);
    }

    /// What was counted with `counter`, from any thread.
    pub(super) fn read(&self, counter: &AtomicU64) -> u64 {
        loop {
            let settings = self.settings.load(Acquire);
            let counted = if settings % 2 == 1 {
                self.counted.load(Acquire)
            } else {
                counter.load(Acquire).wrapping_add(self.offset.load(Acquire))
            };
            if self.settings.load(Relaxed) == settings {
                return counted;
            }
        }
    }
}
