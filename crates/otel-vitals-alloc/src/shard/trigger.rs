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

/// See [`crate::model`].
#[cfg(all(loom, test))]
mod tests {
    use super::*;
    use crate::model::check_preempted;
    use loom::sync::Arc;
    use loom::thread;

    /// How often at most a thread is interrupted: before and after a step in which something can go wrong.
    const INTERRUPTIONS: usize = 2;

    /// What the threads of these share.
    struct Shared {
        allocated: AtomicU64,
        trigger: Trigger,
        freed: AtomicU64,
    }

    impl Shared {
        fn new() -> Arc<Shared> {
            let [allocated, freed] = [0; 2].map(AtomicU64::new);
            Arc::new(Shared { allocated, trigger: Trigger::new(), freed })
        }

        fn set(&self, gap: u64) {
            self.trigger.set(&self.allocated, gap);
        }

        /// As the holder of a shard counts.
        fn allocate(&self, size: u64) {
            self.allocated.store(self.allocated.load(Relaxed).wrapping_add(size), Relaxed);
        }

        fn read(&self) -> u64 {
            self.trigger.read(&self.allocated)
        }
    }

    /// Has one thread do what `counting` says and another read meanwhile, as often as it says.
    fn while_one_counts<const READINGS: usize>(
        interruptions: usize,
        counting: impl Fn(&Shared) + Copy + Sync + Send + 'static,
        expected: &'static [u64],
    ) {
        check_preempted(Some(interruptions), move || {
            let shared = Shared::new();
            shared.set(5);
            let counting = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || counting(&shared))
            };
            let reading = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let readings: [u64; READINGS] = std::array::from_fn(|_| shared.read());
                    assert!(readings.is_sorted(), "{readings:?}");
                    assert!(readings.iter().all(|reading| expected.contains(reading)), "{readings:?}");
                })
            };
            reading.join().unwrap();
            counting.join().unwrap();
            assert_eq!(Some(&shared.read()), expected.last());
        });
    }

    #[test]
    fn readings_of_a_counter_that_is_set_off_are_exact() {
        let counting = |shared: &Shared| {
            shared.allocate(10);
            shared.set(70);
            shared.allocate(20);
        };
        while_one_counts::<1>(INTERRUPTIONS, counting, &[0, 10, 30]);
    }

    #[test]
    fn readings_of_a_counter_that_is_set_off_never_go_back() {
        let counting = |shared: &Shared| {
            shared.allocate(10);
            shared.set(70);
        };
        while_one_counts::<2>(INTERRUPTIONS, counting, &[0, 10]);
    }

    #[test]
    fn a_reading_is_not_of_two_settings() {
        let counting = |shared: &Shared| {
            shared.set(50);
            shared.set(70);
        };
        while_one_counts::<1>(INTERRUPTIONS, counting, &[0]);
    }

    /// What was written down for one setting is not taken for that of the one before. To see too little of what another
    /// thread has done takes no interruption.
    #[test]
    fn readings_never_go_back_from_one_setting_to_the_one_before() {
        let counting = |shared: &Shared| {
            shared.set(50);
            shared.allocate(10);
            shared.set(70);
        };
        while_one_counts::<2>(0, counting, &[0, 10]);
    }

    #[test]
    fn who_sees_a_block_freed_sees_it_allocated_though_it_was_a_sample() {
        check_preempted(Some(INTERRUPTIONS), || {
            let shared = Shared::new();
            shared.set(10);
            let counting = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    shared.allocate(10);
                    shared.set(70);
                    shared.freed.store(10, Release);
                })
            };
            let reading = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let freed = shared.freed.load(Acquire);
                    assert!(freed <= shared.read());
                })
            };
            reading.join().unwrap();
            counting.join().unwrap();
        });
    }

    #[test]
    fn a_reader_is_not_misled_by_the_next_holder_of_a_shard() {
        check_preempted(Some(INTERRUPTIONS), || {
            let shared = Shared::new();
            let reading = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || assert!([0, 10].contains(&shared.read())))
            };
            // This is the first holder, which the reader may have seen nothing of.
            shared.set(50);
            let next = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    shared.set(70);
                    shared.allocate(10);
                })
            };
            reading.join().unwrap();
            next.join().unwrap();
        });
    }

    #[test]
    fn a_setting_that_a_fork_has_left_undone_is_done_by_the_next_holder() {
        check_preempted(Some(INTERRUPTIONS), || {
            let shared = Shared::new();
            shared.set(50);
            shared.allocate(10);
            for moved in [false, true] {
                shared.trigger.counted.store(shared.read(), Relaxed);
                shared.trigger.settings.store(shared.trigger.settings.load(Relaxed) + 1, Relaxed);
                if moved {
                    shared.trigger.offset.store(12345, Relaxed);
                }
                assert_eq!(shared.read(), 10);
                shared.set(70);
                assert_eq!(shared.read(), 10);
            }
        });
    }
}
