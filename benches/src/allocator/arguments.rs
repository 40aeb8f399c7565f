//! What a bench of allocators is asked for on its command line.

use super::Inner;
use super::program::Workload;

/// The value after `--name`, or else the first number; with `--quick` the second.
#[must_use]
pub fn number(name: &str, usual: usize, quick: usize) -> usize {
    let mut after = std::env::args().skip_while(|argument| argument.strip_prefix("--") != Some(name)).skip(1);
    let asked = after.next().and_then(|number| number.parse().ok());
    asked.unwrap_or(if std::env::args().any(|argument| argument == "--quick") { quick } else { usual })
}

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
