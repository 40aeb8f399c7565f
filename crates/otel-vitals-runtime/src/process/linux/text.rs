//! The two shapes of text in `/proc/self`: the one line of `stat`, and lines of `key: value`.

use otel_vitals_core::{Malformed, scan};

/// The number in field `position` of `/proc/self/stat`, counted from 1 as proc(5) does; from 4 on.
///
/// Field 2 is the name of the program in parentheses, which may hold blanks, parentheses and line feeds, so the
/// fields are counted from the last closing one.
pub(super) fn stat_number(bytes: &[u8], position: usize, expected: &'static str) -> Result<u64, Malformed> {
    let name_end = bytes.iter().rposition(|byte| *byte == b')');
    let after_name = name_end.and_then(|at| bytes.get(at + 1..));
    let after_name = after_name.ok_or_else(|| Malformed::new("a program name in parentheses", bytes))?;
    let mut from_field_3 = scan::fields(scan::trim(after_name)).skip(position.saturating_sub(3));
    scan::next_number(&mut from_field_3, expected)
}

/// Key and value of a line of `io`, `status` or `meminfo`.
pub(super) fn entry(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((line.get(..colon)?, scan::trim(line.get(colon + 1..)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_fields_behind_any_program_name() {
        for name in ["cat", "a b", ") R 1 (", "", "\n1 2 3", "((("] {
            let line = format!("4711 ({name}) R 1 2 3\n");
            assert_eq!(stat_number(line.as_bytes(), 4, "parent"), Ok(1), "{name}");
            assert_eq!(stat_number(line.as_bytes(), 6, "session"), Ok(3), "{name}");
        }
    }

    #[test]
    fn says_what_is_missing() {
        let short = stat_number(b"4711 (cat) R 1", 22, "start").unwrap_err();
        assert_eq!((short.expected, short.found.as_str()), ("start", "the end of the line"));
        let nameless = stat_number(b"4711 cat R 1", 4, "parent").unwrap_err();
        assert_eq!(nameless.expected, "a program name in parentheses");
        let wrong = stat_number(b"4711 (cat) R x", 4, "parent").unwrap_err();
        assert_eq!((wrong.expected, wrong.found.as_str()), ("parent", "x"));
    }

    #[test]
    fn divides_key_and_value() {
        assert_eq!(entry(b"read_bytes: 17"), Some((&b"read_bytes"[..], &b"17"[..])));
        assert_eq!(entry(b"SigPnd:\t0000"), Some((&b"SigPnd"[..], &b"0000"[..])));
        assert_eq!(entry(b"MemTotal:       16 kB"), Some((&b"MemTotal"[..], &b"16 kB"[..])));
        assert_eq!(entry(b"no colon"), None);
        assert_eq!(entry(b":"), Some((&b""[..], &b""[..])));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..128), position: usize) {
            let _ = stat_number(&bytes, position, "anything");
            let _ = entry(&bytes);
        }
    }
}
