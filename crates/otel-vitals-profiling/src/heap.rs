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
//!     # if cfg!(not(all(target_os = "linux", not(otel_vitals_portable)))) { return Ok(()) }
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
//! - **Time**: nothing where an allocation is not picked. One that is costs some 100 ns and its stack: a few nanoseconds a frame where
//!   the program is built with frame pointers (`-C force-frame-pointers=yes`), which [`install`] finds out, and some tens of
//!   nanoseconds a frame otherwise.
//! - **Memory**: what is touched of tables that are mapped once, outside of any allocator, and are bounded: 1.3 million sampled
//!   blocks, 32,766 different stacks of up to 128 frames and 2 million frames altogether. [`table_size`] tells how much. What finds
//!   no room is counted, and told in a comment of the profile and by [`dropped`].
//!
//! Without frame pointers, a thread that has less than 24 KiB of stack left gets no stack for its sample, and no more than eight
//! threads walk at a time. Such samples count as `[stack not walked]`.

#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#[path = "heap/sampled.rs"]
mod sampled;

use crate::{Error, Profile};

/// Mean bytes between samples, unless something else is asked for: 512 KiB, as in Go.
pub const DEFAULT_INTERVAL: u64 = otel_vitals_alloc::sampling::DEFAULT_INTERVAL;
