//! A small service that allocates for a living: a store of JSON documents in memory, which can be started with each
//! allocator. The programs in `src/bin/` choose it, and have nothing else to say.
//!
//! `cargo run --release -p allocators --bin jemalloc -- --load 2`

mod arguments;
pub mod client;
mod documents;
mod load;
mod routes;
mod service;
mod table;

use std::process::ExitCode;

/// Runs the service with the arguments of this process until it is told to stop.
#[must_use]
pub fn run() -> ExitCode {
    arguments::run(service::serve)
}
