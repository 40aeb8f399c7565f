//! `/proc/self/stat`, of which more than one source takes a number.

use otel_vitals_core::{Malformed, scan};

/// The number in field `position` of `/proc/self/stat`, counted from 1 as proc(5) does; from 4 on.
///
/// Field 2 is the name of the program in parentheses, which may hold blanks, parentheses and line feeds, so the
/// fields are counted from the last closing one.
pub(super) fn number(bytes: &[u8], position: usize, expected: &'static str) -> Result<u64, Malformed> {
    let name_end = bytes.iter().rposition(|byte| *byte == b')');
    let after_name = name_end.and_then(|at| bytes.get(at + 1..));
    let after_name = after_name.ok_or_else(|| Malformed::new("a program name in parentheses", bytes))?;
    let mut from_field_3 = scan::fields(scan::trim(after_name)).skip(position.saturating_sub(3));
    scan::next_number(&mut from_field_3, expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_fields_behind_any_program_name() {
        for name in ["cat", "a b", ") R 1 (", "", "\n1 2 3", "((("] {
            let line = format!("4711 ({name}) R 1 2 3\n");
            assert_eq!(number(line.as_bytes(), 4, "parent"), Ok(1), "{name}");
            assert_eq!(number(line.as_bytes(), 6, "session"), Ok(3), "{name}");
        }
    }

    #[test]
    fn says_what_is_missing() {
        let short = number(b"4711 (cat) R 1", 22, "start").unwrap_err();
        assert_eq!((short.expected, short.found.as_str()), ("start", "the end of the line"));
        let nameless = number(b"4711 cat R 1", 4, "parent").unwrap_err();
        assert_eq!(nameless.expected, "a program name in parentheses");
        let wrong = number(b"4711 (cat) R x", 4, "parent").unwrap_err();
        assert_eq!((wrong.expected, wrong.found.as_str()), ("parent", "x"));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..128), position: usize) {
            let _ = number(&bytes, position, "anything");
        }
    }
}
