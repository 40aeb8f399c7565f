//! What the allocator holds, as people read it.

use otel_vitals::alloc::{Counts, Memory, allocator, counts};
use std::cmp::Reverse;
use std::fmt::Write as _;
use std::fs;

/// So many size classes are shown.
const SHOWN: usize = 8;

/// What it holds now.
pub(crate) fn now() -> String {
    // First of all: what the table itself takes should not be in it.
    let (Some(counts), Some(allocator)) = (counts(), allocator()) else {
        return "nothing is counted: the global allocator is no `Counting`\n".to_owned();
    };
    let mut text = format!("allocator    {}\n\n", allocator.name());
    match allocator.memory(counts.used()) {
        Ok(memory) => text.push_str(&states(&memory)),
        Err(untold) => _ = writeln!(text, "it does not tell what it holds: {untold}"),
    }
    line(
        &mut text,
        "resident",
        &status("VmRSS:").map_or_else(not_told, bytes),
        "the whole process, as the kernel counts it",
    );
    line(&mut text, "counted", &bytes(counts.used()), &format!("in {} objects", grouped(counts.objects())));
    text.push_str(&largest(classes(&counts)));
    text
}

fn states(memory: &Memory) -> String {
    let mut text = String::new();
    for (state, told, what) in [
        ("allocated", memory.allocated, "in blocks that the program has"),
        ("fragmented", memory.fragmented, "in pages with such blocks, and not in these"),
        ("metadata", memory.metadata, "in the allocator's own tables"),
        ("cached", memory.cached, "free, and kept for the next allocation"),
        ("retained", memory.retained, "address space without memory behind it"),
    ] {
        line(&mut text, state, &told.map_or_else(not_told, bytes), what);
    }
    text.push('\n');
    text
}

fn line(text: &mut String, name: &str, value: &str, what: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{name:<11}{value:>12}  {what}");
}

fn not_told() -> String {
    "not told".to_owned()
}

/// Objects of similar size that are allocated and not freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Class {
    /// The largest size, bytes; none where there is no largest.
    bound: Option<u64>,
    objects: u64,
    /// Bytes that they take, at most.
    bytes: u64,
}

fn classes(counts: &Counts) -> Vec<Class> {
    let objects = counts
        .size_classes()
        .map(|class| (class.bound, class.allocations.saturating_sub(class.deallocations)));
    with_bytes(counts.used(), objects)
}

/// Sizes are known by their class only, so each object may be as large as the largest of its class. What has no largest
/// is at most what the others, as small as they may be, leave of all that is `used`.
fn with_bytes(used: u64, classes: impl Iterator<Item = (Option<u64>, u64)>) -> Vec<Class> {
    let (mut smallest, mut left) = (0, used);
    let classes = classes.map(|(bound, objects)| {
        let bytes = bound.map_or(left, |bound| objects.saturating_mul(bound));
        left = left.saturating_sub(objects.saturating_mul(smallest));
        smallest = bound.map_or(0, |bound| bound + 1);
        Class { bound, objects, bytes }
    });
    classes.collect()
}

fn largest(mut classes: Vec<Class>) -> String {
    classes.retain(|class| class.objects > 0);
    classes.sort_by_key(|class| Reverse(class.bytes));
    let mut text = format!("\n{:>14}{:>12}{:>16}\n", "objects up to", "objects", "bytes, at most");
    for Class { bound, objects, bytes: size } in classes.into_iter().take(SHOWN) {
        let bound = bound.map_or_else(|| "larger".to_owned(), |bound| format!("{} B", grouped(bound)));
        let _ = writeln!(text, "{bound:>14}{:>12}{:>16}", grouped(objects), bytes(size));
    }
    text
}

/// What the kernel says of this process, bytes; none where it is not Linux.
fn status(field: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// `1536` is `1.5 KiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    let mut scaled = bytes as f64;
    for unit in ["B", "KiB", "MiB"] {
        // 1023.96 would be written as 1024.0.
        if scaled < 1023.95 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{scaled:.1} {unit}") };
        }
        scaled /= 1024.0;
    }
    format!("{scaled:.1} GiB")
}

/// `1234567` is `1,234,567`.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_says_so() {
        let mut memory = Memory::default();
        memory.allocated = Some(1536);
        memory.retained = Some(0);
        let shown = states(&memory);
        let values: Vec<&str> = shown.lines().filter_map(|line| line.get(11..23)).map(str::trim).collect();
        assert_eq!(values, ["1.5 KiB", "not told", "not told", "not told", "0 B"], "{shown}");
    }

    #[test]
    fn a_class_without_a_bound_has_at_most_what_the_others_leave() {
        let shown =
            with_bytes(10_000, [(Some(8), 0), (Some(16), 100), (Some(24), 50), (None, 2)].into_iter());
        let bytes: Vec<u64> = shown.iter().map(|class| class.bytes).collect();
        assert_eq!(bytes, [0, 1_600, 1_200, 10_000 - 100 * 9 - 50 * 17]);
    }

    #[test]
    fn classes_that_hold_most_come_first() {
        let classes = [(Some(8), 0), (Some(16), 1_234), (None, 2)].into_iter();
        let shown = largest(with_bytes(1 << 20, classes));
        let lines: Vec<Vec<&str>> =
            shown.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            lines,
            [vec!["larger", "2", "1013.2", "KiB"], vec!["16", "B", "1,234", "19.3", "KiB"]],
            "{shown}"
        );
    }

    #[test]
    fn numbers_are_written_for_people() {
        for (value, expected) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_048_570, "1.0 MiB"), (5 << 30, "5.0 GiB")]
        {
            assert_eq!(bytes(value), expected);
        }
        for (value, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(value), expected);
        }
    }
}
