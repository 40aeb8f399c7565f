//! Profiles of a Rust service that any tool which reads Go's can read: where it spends CPU time ([`cpu`]), where what it
//! holds on the heap was allocated ([`heap`]), and which threads it has ([`threads`]).
//!
//! Each of them is a [`Profile`], which is measured as addresses and written as gzipped `profile.proto` with the names of
//! functions, files and lines in it, as text, or as a flame graph.

pub mod cpu;
mod error;
mod flame;
pub mod heap;
#[cfg(target_os = "linux")]
mod modules;
mod objects;
mod pprof;
mod profile;
mod proto;
mod stacks;
mod symbol;
mod symbols;
mod text;
pub mod threads;
#[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
mod unwind;

pub use error::Error;
pub use profile::Profile;
pub use symbol::symbol;
