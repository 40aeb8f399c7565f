//! Allocations that are picked at random, to be looked at: what a heap profile is made of.
//!
//! Each thread walks along the bytes that it allocates and stops after gaps whose lengths are exponentially distributed
//! about a mean, the *interval*. The block that the last byte of a gap is in is a *sample*. A block of `size` bytes becomes
//! one with the probability `1 - exp(-size / interval)`, whatever was allocated before it, and so stands for
//! `1 / (1 - exp(-size / interval))` blocks of its size: a sum of these is right in the mean, without bias.
//!
//! Threads keep such gaps whether anybody wants samples or not, because the end of a gap costs some nanoseconds and a
//! thread need not be told then when somebody does. What is in between costs an allocation nothing. A free looks at one
//! byte, which says whether blocks that begin in the same page of memory are samples.
//!
//! ```
//! use otel_vitals_alloc::{Counting, sampling};
//! use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
//!
//! #[global_allocator]
//! static ALLOCATOR: Counting = Counting::system();
//!
//! /// Estimates what was allocated, of which it wants to know no more.
//! struct Estimate(AtomicU64);
//!
//! impl sampling::Sampler for Estimate {
//!     fn allocated(&self, _block: usize, size: usize, interval: u64) -> bool {
//!         let (size, interval) = (size as f64, interval as f64);
//!         self.0.fetch_add((size / (1.0 - (-size / interval).exp())) as u64, Relaxed);
//!         false
//!     }
//!     fn freed(&self, _block: usize) -> bool {
//!         false
//!     }
//!     fn moving(&self, _block: usize) -> Option<u64> {
//!         None
//!     }
//!     fn stayed(&self, _block: usize, _token: u64) {}
//!     fn moved(&self, _token: u64) {}
//! }
//!
//! static ESTIMATE: Estimate = Estimate(AtomicU64::new(0));
//!
//! fn main() {
//!     if sampling::install(&ESTIMATE, sampling::DEFAULT_INTERVAL) {
//!         let blocks: Vec<_> = (0..1000).map(|_| vec![0_u8; 10_000]).collect();
//!         println!("about {} bytes in {} vectors", ESTIMATE.0.load(Relaxed), blocks.len());
//!     }
//! }
//! ```

mod filter;

use std::mem;
use std::ops::Range;
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::shard::{LARGEST_INTERVAL, Shard};
use crate::thread;
use filter::Filter;

/// 512 KiB, as in Go's profiles and in tcmalloc's.
pub const DEFAULT_INTERVAL: u64 = 512 << 10;

/// What is done with samples.
///
/// Its methods are called **inside the global allocator**, on the thread that allocates or frees. So they
///
/// - must not panic: the process is aborted when one unwinds;
/// - must not block, nor take a lock: a signal handler, or a thread that was stopped in the midst of it, may have it;
/// - must not allocate from the global allocator. What they do allocate (and what a signal handler does that interrupts
///   them) is counted and never a sample; but the block that they are told of is then not the last, and an allocator that
///   is in the midst of something may not be entered again;
/// - must be quick: a thread comes here once for each `interval` that it allocates.
///
/// A thread that is in [`allocated`](Sampler::allocated) does not come there again. To all others it may come from a
/// signal handler that has interrupted any of them, and all threads come at the same time.
///
/// For each block of which `allocated` says so, its end is told once, by [`freed`](Sampler::freed) or by
/// [`moving`](Sampler::moving). In the child of a fork nobody tells the end of what the threads of the parent had only for
/// themselves.
pub trait Sampler: Sync {
    /// `block`, which is the address of `size` bytes just allocated, is a sample; `interval` is the mean in bytes that its
    /// gap was drawn with. Whether its end is to be told.
    ///
    /// Nobody has the block yet. What a reallocation comes to is a block like any other.
    fn allocated(&self, block: usize, size: usize, interval: u64) -> bool;

    /// `block` is about to be freed, and from then on another thread may have its address. Whether it is one whose end was
    /// to be told, which it was by this.
    ///
    /// It often is not: blocks come here that begin in the same page as one which is, modulo 4 GiB.
    fn freed(&self, block: usize) -> bool;

    /// `block` is about to be reallocated, and from then on another thread may have its address. If it is one whose end is
    /// to be told, something by which [`stayed`](Sampler::stayed) or [`moved`](Sampler::moved) will know it, of which one
    /// is called next for it, on this thread.
    fn moving(&self, block: usize) -> Option<u64>;

    /// The reallocation has failed, and `block` is what it was: its end is to be told, still.
    fn stayed(&self, block: usize, token: u64);

    /// The reallocation was done, wherever to: this was the end of the block. The new one is told of after this, if it is a
    /// sample.
    fn moved(&self, token: u64);
}

static SAMPLER: OnceLock<&'static dyn Sampler> = OnceLock::new();
/// The mean of gaps that are drawn from now on; zero while nothing is sampled.
static INTERVAL: AtomicU64 = AtomicU64::new(0);
static FILTER: Filter = Filter::new();

/// Whether threads have shards of their own, which is what tells them when a sample is due.
const SAMPLES: bool = cfg!(all(unix, not(otel_vitals_portable)));

/// Has `sampler` told of samples, `interval` bytes from each other in the mean; with zero, of none before
/// [`set_interval`]. Whether it will be: not where another was installed before, which stays for good, nor where the system
/// has no hook at the end of a thread, so that threads have nothing of their own to count on.
///
/// It is called wherever a [`Counting`](crate::Counting) is the program's global allocator. What is allocated already is
/// never told of.
#[must_use]
pub fn install(sampler: &'static dyn Sampler, interval: u64) -> bool {
    let installed = SAMPLES && SAMPLER.set(sampler).is_ok();
    if installed {
        set_interval(interval);
    }
    installed
}

/// Changes the mean of bytes between samples; zero turns sampling off, and what is larger than 2⁴⁸ counts as that. Nothing
/// happens as long as no sampler is [installed](install).
///
/// The calling thread draws anew at once, all others when they come to the end of the gap that they have drawn; each sample
/// is told of with the mean that its gap was drawn with, so that sums stay right. Gaps that were drawn while sampling was
/// off have the mean [`DEFAULT_INTERVAL`]. Samples whose end is to be told keep that when sampling is turned off.
pub fn set_interval(bytes: u64) {
    if SAMPLER.get().is_some() {
        INTERVAL.store(bytes.min(LARGEST_INTERVAL), Relaxed);
        thread::set_off();
    }
}

/// The mean of bytes between samples; zero while nothing is sampled.
#[must_use]
pub fn interval() -> u64 {
    INTERVAL.load(Relaxed)
}

/// Where the stack of the calling thread is, as it was mapped: for a [`Sampler`] that looks at who has allocated.
///
/// Each thread asks the C library for it once (`pthread_getattr_np`), with its first allocation and before anything that it allocates is
/// a sample; this only reads what it was told, and may be called anywhere, in signal handlers, too. None on a thread that has allocated
/// nothing, on the first thread of a process, whose stack grows, and on other systems than Linux. A thread may run on
/// another stack than its own for a while, as signal handlers and coroutines do.
#[inline]
#[must_use]
pub fn own_stack() -> Option<Range<usize>> {
    thread::own_stack()
}

/// Begins a gap on a shard that the calling thread has put aside.
pub(crate) fn set_off(shard: &Shard) {
    let interval = match interval() {
        0 => DEFAULT_INTERVAL,
        interval => interval,
    };
    shard.set_off(shard.gaps.draw(interval));
}

/// To be called when `block` was counted on a shard on which a sample is due, and which the calling thread has put aside.
pub(crate) fn due(shard: &Shard, block: usize, size: usize) {
    if !shard.is_due() {
        // A signal handler has come in between, and what it allocated was the sample.
        return;
    }
    let drawn_with = shard.gaps.interval();
    set_off(shard);
    if interval() == 0 {
        return;
    }
    if ask(|sampler| sampler.allocated(block, size, drawn_with)).unwrap_or_default() {
        FILTER.add(block);
    }
}

/// Whether [`freed`] or [`moving`] is to be called before `block` is given up.
#[inline(always)]
pub(crate) fn may_be_sampled(block: usize) -> bool {
    SAMPLES && FILTER.may_have(block)
}

/// To be called before a block is freed.
pub(crate) fn freed(block: usize) {
    if ask(|sampler| sampler.freed(block)).unwrap_or_default() {
        FILTER.remove(block);
    }
}

/// A sampled block of which it is not known yet whether a reallocation is its end.
#[derive(Debug)]
pub(crate) struct Moving {
    block: usize,
    token: u64,
}

/// To be called before a block is reallocated.
pub(crate) fn moving(block: usize) -> Option<Moving> {
    let token = ask(|sampler| sampler.moving(block)).flatten()?;
    Some(Moving { block, token })
}

impl Moving {
    /// To be called once the allocator has answered.
    pub(crate) fn end(self, failed: bool) {
        if failed {
            ask(|sampler| sampler.stayed(self.block, self.token));
        } else {
            ask(|sampler| sampler.moved(self.token));
            FILTER.remove(self.block);
        }
    }
}

/// A global allocator must not unwind.
fn ask<T>(question: impl FnOnce(&dyn Sampler) -> T) -> Option<T> {
    let abort = Abort;
    let answer = SAMPLER.get().map(|sampler| question(*sampler));
    mem::forget(abort);
    answer
}

struct Abort;

impl Drop for Abort {
    fn drop(&mut self) {
        process::abort();
    }
}
