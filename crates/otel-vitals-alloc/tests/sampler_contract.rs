//! What a sampler may and may not do.
#![cfg(all(unix, not(otel_vitals_portable)))]
#![allow(
    unsafe_code,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test calls an allocator, and fails when it cannot go on"
)]

use otel_vitals_alloc::{Counting, counts, sampling};
use std::alloc::{GlobalAlloc, Layout};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Called directly and not the global allocator, so that nothing else is sampled.
static ALLOCATOR: Counting = Counting::system();

fn allocate_and_free(size: usize) {
    let layout = Layout::from_size_align(size, 8).unwrap();
    // SAFETY: the layout has a size, and the block is freed with it.
    unsafe { ALLOCATOR.dealloc(ALLOCATOR.alloc(layout), layout) };
}

/// Allocates where it should not; with blocks of one size it panics.
struct Careless {
    samples: AtomicU64,
    ends: AtomicU64,
}

const PANICS: usize = 4_242;

impl sampling::Sampler for Careless {
    fn allocated(&self, _block: usize, size: usize, _interval: u64) -> bool {
        assert!(size != PANICS, "a sampler panics");
        self.samples.fetch_add(1, Relaxed);
        allocate_and_free(1_000);
        true
    }

    fn freed(&self, _block: usize) -> bool {
        self.ends.fetch_add(1, Relaxed);
        true
    }

    fn moving(&self, _block: usize) -> Option<u64> {
        None
    }

    fn stayed(&self, _block: usize, _token: u64) {}

    fn moved(&self, _token: u64) {}
}

static CARELESS: Careless = Careless { samples: AtomicU64::new(0), ends: AtomicU64::new(0) };

#[test]
fn what_a_sampler_allocates_is_counted_and_no_sample() {
    assert!(sampling::install(&CARELESS, 1));
    assert!(!sampling::install(&CARELESS, 1), "there is one");
    allocate_and_free(100);
    let (before, samples) = (counts().unwrap(), CARELESS.samples.load(Relaxed));
    allocate_and_free(100);
    let after = counts().unwrap();
    assert_eq!(CARELESS.samples.load(Relaxed) - samples, 1);
    assert_eq!((after.allocations - before.allocations, after.allocated - before.allocated), (2, 1_100));
    assert_eq!((after.deallocations - before.deallocations, after.freed - before.freed), (2, 1_100));
    assert!(CARELESS.ends.load(Relaxed) >= 2);
}

#[test]
fn a_sampler_that_panics_ends_the_process_instead_of_unwinding_through_an_allocator() {
    if std::env::var_os("PANICS").is_some() {
        let _ = sampling::install(&CARELESS, 1);
        let _ = std::panic::catch_unwind(|| allocate_and_free(PANICS));
        return;
    }
    let this = "a_sampler_that_panics_ends_the_process_instead_of_unwinding_through_an_allocator";
    let mut again = Command::new(std::env::current_exe().unwrap());
    let ended = again.args(["--exact", this]).env("PANICS", "1").output().unwrap();
    assert_eq!(ended.status.signal(), Some(libc::SIGABRT), "{ended:?}");
}
