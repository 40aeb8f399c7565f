//! What profiles cost, beside pprof-rs, pprof-alloc and jemalloc's own profiler, in one run.
//!
//! ```console
//! $ cargo bench --manifest-path benches/profiles/Cargo.toml
//! ```
//!
//! Each program in `src/bin` has one global allocator and runs one [`Work`](work::Work) under one [`Profiler`](profilers::Profiler), which
//! may be none; programs take turns. They are a package of their own because jemalloc is built with its profiler here, which no other bench
//! is to pay for.

#[cfg(not(target_os = "linux"))]
compile_error!("profiles are taken on Linux; elsewhere build with `--exclude benches-profiles`");

pub mod profilers;
pub mod program;
mod sys;
pub mod work;
