//! What a bench of allocators is asked for on its command line, beside numbers.

use super::Inner;
use super::program::Workload;

/// The allocator after `--only`, or else all.
#[must_use]
pub fn inners() -> Vec<Inner> {
    chosen("--only", &Inner::ALL, Inner::name)
}

/// The workload after `--workload`, or else all.
#[must_use]
pub fn workloads() -> Vec<Workload> {
    chosen("--workload", &Workload::ALL, Workload::name)
}

fn chosen<T: Copy>(argument: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Vec<T> {
    let only = std::env::args().skip_while(|given| given != argument).nth(1);
    all.iter().copied().filter(|one| only.as_ref().is_none_or(|only| only == name(*one))).collect()
}
