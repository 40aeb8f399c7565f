//! What a collection costs, beside the raw system calls of the same sources and beside the peers, in one run.
//!
//! ```console
//! $ cargo bench -p benches
//! ```
//!
//! A [`Subject`](subject::Subject) is one way to collect one group: ours, the system calls alone, or a peer, as far as
//! the callbacks or through an SDK.

#[cfg(not(target_os = "linux"))]
compile_error!("the benches compare ways to read Linux's /proc; elsewhere build with `--exclude benches`");

pub mod allocations;
pub mod bare;
pub mod group;
mod instrument;
pub mod peers;
pub mod pipeline;
pub mod raw;
pub mod schedulers;
pub mod strace;
pub mod subject;
pub mod timing;
