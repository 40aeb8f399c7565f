//! What a collection costs, beside the raw system calls of the same sources and beside the peers, in one run.
//!
//! ```console
//! $ cargo bench -p benches
//! ```
//!
//! A [`Subject`](subject::Subject) is one way to collect one group: ours, the system calls alone, or a peer, as far as
//! the callbacks or through an SDK. Linux only, as the peers are.
#![cfg(target_os = "linux")]

pub mod allocations;
pub mod bare;
pub mod group;
mod instrument;
pub mod peers;
pub mod pipeline;
pub mod raw;
pub mod strace;
pub mod subject;
pub mod table;
pub mod timing;
