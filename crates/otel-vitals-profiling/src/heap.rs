//! Where what the program holds on its heap was allocated, and all that it ever allocated.
//!
//! [`Counting`](otel_vitals_alloc::Counting), as the global allocator, picks allocations at random, one for each 512 KiB or what is
//! asked for. Here the stack of each is kept, with what it stands for, until its block is freed. So what is told is an estimate
//! without bias: of what one line allocates it is good to about one over the square root of the samples there, 10 % for 50 MiB at an
//! interval of 512 KiB.
//!
//! ```
//! use otel_vitals_alloc::Counting;
//! use otel_vitals_profiling::heap;
//!
//! #[global_allocator]
//! static ALLOCATOR: Counting = Counting::system();
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     # if cfg!(not(target_os = "linux")) { return Ok(()) }
//!     heap::install(heap::DEFAULT_INTERVAL)?;
//!     let held = vec![1_u8; 100 << 20];
//!     let profile = heap::profile()?;
//!     println!("{} bytes in use", profile.total("inuse_space").unwrap_or_default());
//!     # assert!(profile.total("inuse_space") >= Some(100 << 20));
//!     drop(held);
//!     Ok(())
//! }
//! ```
//!
//! # What it takes
//!
//! - **Time**: nothing where an allocation is not picked. One that is costs, with the end of its block, some 100 ns and 3 ns for each frame
//!   of its stack beyond the first few where the program is built with frame pointers (`-C force-frame-pointers=yes`), which
//!   [`install`] finds out, and some 270 ns and 13 ns a frame otherwise. At 512 KiB that is one in eight blocks of 64 KiB, one in 128 of
//!   4 KiB, and one in 8,192 of 64 bytes. A block that is freed in the same page as a sample costs 8 ns more. (A thread keeps up with
//!   libraries that are loaded: in a program that has no other, glibc's allocator begins to take its locks, for blocks above 1 KiB.)
//! - **Memory**: what is touched of tables that are mapped once, outside of any allocator, and are bounded: 1.3 million sampled
//!   blocks, 32,766 different stacks of up to 128 frames and 2 million frames altogether. [`table_size`] tells how much. What finds
//!   no room is counted, and told in a comment of the profile and by [`dropped`].
//!
//! Without frame pointers, a thread that has less than 24 KiB of stack left gets no stack for its sample, and no more than eight
//! threads walk at a time. Such samples count as `[stack not walked]`.

#[cfg(all(feature = "jemalloc", target_os = "linux"))]
mod jemalloc;
#[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
mod sampled;
#[cfg(not(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64"))))]
#[path = "heap/unsampled.rs"]
mod sampled;

use crate::{Error, Profile};

/// Mean bytes between samples, unless something else is asked for: 512 KiB, as in Go.
pub const DEFAULT_INTERVAL: u64 = otel_vitals_alloc::sampling::DEFAULT_INTERVAL;

/// The largest interval. What is larger counts as this.
const LARGEST_INTERVAL: u64 = 1 << 40;

/// Samples that are not as they should be, of all since [`install`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// Samples that are missing from what is in use, because the table of blocks was full.
    pub blocks: u64,
    /// Samples that count as `[stacks beyond the limit]`, because the table of stacks was full.
    pub stacks: u64,
    /// Samples that count as `[stack not walked]`, because the thread had not enough of its stack left, or too many walked at once.
    pub walks: u64,
}

/// Begins to sample what the program allocates, `interval` bytes from each other in the mean; zero is off until
/// [`set_interval`].
///
/// It is called once, from an ordinary place at the start of the program, since what was allocated before is never sampled; called
/// again, it sets the interval. It finds out how stacks are walked, and gets all the memory that it takes ahead.
///
/// # Errors
///
/// [`Error::Unavailable`] when the program's global allocator is not a [`Counting`](otel_vitals_alloc::Counting), when another
/// sampler is installed, and on other systems than Linux on x86-64 and aarch64. [`Error::System`] when there is no memory for the
/// tables, or no thread.
pub fn install(interval: u64) -> Result<(), Error> {
    sampled::install(interval.min(LARGEST_INTERVAL))
}

/// Changes the mean bytes between samples, at any time; zero turns sampling off. Samples whose blocks are in use stay, and go with
/// them. Nothing happens before [`install`].
///
/// The calling thread follows at once, others when they come to the sample that they are on the way to. Each counts for what it was
/// drawn with, so that sums stay right.
pub fn set_interval(interval: u64) {
    sampled::set_interval(interval.min(LARGEST_INTERVAL));
}

/// Mean bytes between samples; zero while nothing is sampled.
#[must_use]
pub fn interval() -> u64 {
    sampled::interval()
}

/// The heap profile as it is now: of each stack, objects and bytes that were ever allocated from it (`alloc_objects`, `alloc_space`)
/// and that are in use (`inuse_objects`, `inuse_space`, which is shown at first), as estimated.
///
/// # Errors
///
/// [`Error::Unavailable`] before [`install`] has succeeded.
pub fn profile() -> Result<Profile, Error> {
    sampled::profile()
}

/// Bytes of memory that the tables of samples and stacks take; zero before [`install`].
#[must_use]
pub fn table_size() -> u64 {
    sampled::table_size()
}

/// Sampled blocks that are in use, {object}; zero before [`install`].
#[must_use]
pub fn samples() -> u64 {
    sampled::samples()
}

/// Samples that found no room or no stack.
#[must_use]
pub fn dropped() -> Dropped {
    sampled::dropped()
}

/// The heap profile that jemalloc keeps itself, where it is built with profiling and started with it (feature `jemalloc`): the types
/// of [`profile`], without those of what was ever allocated unless jemalloc keeps that (`prof_accum:true`).
///
/// It knows what C code has got from jemalloc, too, and costs more: stacks are walked by libgcc. Blocks count as large as their size
/// classes. The profile is written to a file in memory and read from there, while jemalloc holds locks of its own.
///
/// # Errors
///
/// [`Error::Unavailable`] when jemalloc is built or started without profiling, which says what it takes, and on other systems than
/// Linux; [`Error::System`] when the profile cannot be written or read.
#[cfg(feature = "jemalloc")]
pub fn jemalloc_profile() -> Result<Profile, Error> {
    #[cfg(target_os = "linux")]
    return jemalloc::profile();
    #[cfg(not(target_os = "linux"))]
    Err(Error::Unavailable { what: "heap profile of jemalloc", why: "it takes Linux" })
}
