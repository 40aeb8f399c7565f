//! A global allocator that counts what a Rust program allocates and frees, to the byte, for the price of nothing.
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

#![cfg_attr(loom, expect(dead_code, reason = "what is not modelled"))]
#![cfg_attr(miri, expect(dead_code, unused_imports, reason = "Miri knows no forks and no stacks"))]

#[cfg(not(target_has_atomic = "64"))]
compile_error!("bytes are counted in 64-bit atomics, which this target does not have");

mod atomic;
#[cfg(not(loom))]
mod counting;
mod counts;
#[cfg(any(loom, all(unix, not(otel_vitals_portable))))]
mod free_list;
#[cfg(not(loom))]
mod introspect;
#[cfg(all(loom, test))]
mod model;
#[cfg(not(loom))]
mod registry;
mod shard;
#[cfg(feature = "size-classes")]
mod size_class;
#[cfg(not(loom))]
mod thread;

#[cfg(not(loom))]
pub use counting::Counting;
pub use counts::{Counts, SizeClass};
#[cfg(not(loom))]
pub use counts::{counts, own_size, thread_stacks};
#[cfg(not(loom))]
pub use introspect::{Allocator, Introspect, Memory, Untold, allocator};
