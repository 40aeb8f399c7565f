//! What a bench of allocators is asked for on its command line.

use super::Inner;

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
    let only = std::env::args().skip_while(|argument| argument != "--only").nth(1);
    let wanted = |inner: &Inner| only.as_ref().is_none_or(|only| only == inner.name());
    Inner::ALL.into_iter().filter(wanted).collect()
}
