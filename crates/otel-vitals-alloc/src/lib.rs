//! A global allocator that counts what a Rust program allocates and frees, to the byte, for well under a
//! nanosecond each.
//!
//! [`Counting`] wraps the allocator that a program has, the system's or any other. It counts blocks and bytes that are
//! allocated, freed and reallocated, and blocks by size class. [`counts`] reads them, at any time and from any thread.
//!
//! ```
//! use otel_vitals_alloc::Counting;
//!
//! #[global_allocator]
//! static ALLOCATOR: Counting = Counting::system();
//!
//! fn main() {
//!     let counts = otel_vitals_alloc::counts().unwrap();
//!     println!("{} bytes in {} blocks", counts.used(), counts.objects());
//! }
//! ```
//!
//! The crate is part of [otel-vitals](https://docs.rs/otel-vitals), which ships what is counted as OpenTelemetry metrics,
//! and stands by itself: it depends on `libc` and nothing else.
//!
//! # What is counted
//!
//! | | |
//! | --- | --- |
//! | what | every block that Rust code asks its global allocator for, and its size as it was asked for |
//! | exactly | nothing is sampled, estimated or lost: totals are those of an independent count, whatever threads do |
//! | a reallocation | one block freed, one allocated, and one reallocated, wherever the block then is |
//! | a failure | an allocation that returns null counts nothing |
//! | not | what C code gets from `malloc`, what is mapped directly, and what an allocator rounds up or keeps for itself; see [`allocator`] for the last |
//!
//! No total ever goes back, and in every reading no more is freed than allocated, in all and in each class.
//!
//! # How
//!
//! Each thread counts on a *shard* of its own, which it alone writes, with plain additions: no lock prefix, no shared
//! cache line, no destructor in thread-local storage. It gets the shard with its first allocation and gives it back at its
//! end, with what is on it, to the next thread that starts. So there are as many shards, of some 1.2 KiB each, as
//! there were threads at a time, however many there ever were. Readers add up all shards; no thread waits for them, nor
//! they for any.
//!
//! # Where it may be used
//!
//! - **Before `main`, and in destructors** of thread-local storage and POSIX keys, up to the last one: all of it counts.
//! - **After `fork`**, the child counts on from what its parent had counted, and its new threads take over the shards of
//!   those that it has lost. A child that was made without the C library's `fork` (a bare `clone`) leaves those unused.
//! - **In a library that is loaded later** (`dlopen`), with a global allocator of its own, it counts for that library. It
//!   may be unloaded while threads live that have allocated in it; the memory of its shards, some 20 KiB, stays.
//! - **In a signal handler**, where the inner allocator can be used there, except that the first allocation of a thread
//!   registers a hook with the C library, which is not made for handlers. In optimised builds for x86-64 nothing is lost,
//!   whatever the handler interrupts. Elsewhere a counter is several instructions, and what a handler counts in the midst
//!   of them is overwritten: a block that it allocates and frees may then count as freed only.
//! - **With `panic = "abort"`, in `no_main` programs and without `std` threads**: it does not care.
//!
//! Linux and other Unix have all this. Elsewhere there is no hook at the end of a thread; all threads then count on a few
//! shards together, exactly, but with atomic additions, which cost more.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `size-classes` | yes | blocks by size, in the classes of Go's allocator; without it a shard is 128 bytes |
//! | `jemalloc` | no | what jemalloc tells of itself, for `Counting<tikv_jemallocator::Jemalloc>` |
//! | `mimalloc` | no | what mimalloc tells of itself, for `Counting<mimalloc::MiMalloc>` |

#![cfg_attr(all(loom, test), expect(dead_code, reason = "what is not modelled"))]
#![cfg_attr(miri, expect(dead_code, reason = "Miri has no hooks for forks"))]

#[cfg(not(target_has_atomic = "64"))]
compile_error!("bytes are counted in 64-bit atomics, which this target does not have");

mod atomic;
#[cfg(not(all(loom, test)))]
mod counting;
mod counts;
#[cfg(any(all(loom, test), all(unix, not(otel_vitals_portable))))]
mod free_list;
#[cfg(not(all(loom, test)))]
mod introspect;
#[cfg(all(loom, test))]
mod model;
#[cfg(not(all(loom, test)))]
mod registry;
#[cfg(not(all(loom, test)))]
pub mod sampling;
mod shard;
#[cfg(feature = "size-classes")]
mod size_class;
#[cfg(not(all(loom, test)))]
mod thread;

#[cfg(not(all(loom, test)))]
pub use counting::Counting;
pub use counts::{Counts, SizeClass};
#[cfg(not(all(loom, test)))]
pub use counts::{counts, own_size, thread_stacks};
#[cfg(not(all(loom, test)))]
pub use introspect::{Allocator, Introspect, Memory, Untold, allocator};
