//! What a bench is asked for on its command line.

/// The value after `--name`, or else the first number; with `--quick` the second.
#[must_use]
pub fn number(name: &str, usual: usize, quick: usize) -> usize {
    let mut after = std::env::args().skip_while(|argument| argument.strip_prefix("--") != Some(name)).skip(1);
    let asked = after.next().and_then(|number| number.parse().ok());
    asked.unwrap_or(if std::env::args().any(|argument| argument == "--quick") { quick } else { usual })
}
