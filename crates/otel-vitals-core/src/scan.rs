//! Lines, fields and numbers out of kernel text.
//!
//! Everything works on borrowed bytes and allocates only to describe what is malformed.

use crate::Malformed;

/// The lines of `bytes`, without their line feeds; a last line without one counts.
///
/// ```
/// let lines: Vec<&[u8]> = otel_vitals_core::scan::lines(b"one\ntwo").collect();
/// assert_eq!(lines, [b"one", b"two"]);
/// ```
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, after) = match memchr::memchr(b'\n', rest) {
            Some(at) => (rest.get(..at)?, rest.get(at + 1..)?),
            None => (rest, Default::default()),
        };
        rest = after;
        Some(line)
    })
}

/// The lines of `bytes`, without their line feeds, but for a last line without one: it may be cut, even in a number.
///
/// ```
/// let lines: Vec<&[u8]> = otel_vitals_core::scan::whole_lines(b"total 17\ntotal 1").collect();
/// assert_eq!(lines, [b"total 17"]);
/// ```
pub fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = memchr::memrchr(b'\n', bytes).unwrap_or(0);
    lines(bytes.get(..end).unwrap_or_default())
}

/// The fields of `line`, which blanks and tabs divide.
///
/// ```
/// let fields: Vec<&[u8]> = otel_vitals_core::scan::fields(b"  8  0 sda").collect();
/// assert_eq!(fields, [&b"8"[..], b"0", b"sda"]);
/// ```
pub fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|field| !field.is_empty())
}

/// `bytes` without white space at either end.
#[must_use]
pub fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

/// The decimal number that `field` is, all of it.
///
/// # Errors
/// When it is empty, has another character, or does not fit into 64 bits; `expected` says what should be there.
pub fn number(field: &[u8], expected: &'static str) -> Result<u64, Malformed> {
    decimal(field).ok_or_else(|| Malformed::new(expected, field))
}

/// The decimal number in the next of `fields`.
///
/// # Errors
/// As [`number`], and when there is no next field.
pub fn next_number<'a>(
    fields: &mut impl Iterator<Item = &'a [u8]>,
    expected: &'static str,
) -> Result<u64, Malformed> {
    match fields.next() {
        Some(field) => number(field, expected),
        None => Err(Malformed::new(expected, b"the end of the line")),
    }
}

/// Keeps the first error of several parts that are read independently, so that one bad value costs only itself.
///
/// ```
/// use otel_vitals_core::scan::{self, Faults};
///
/// let mut faults = Faults::default();
/// let read = faults.keep(scan::number(b"17", "reads"));
/// let written = faults.keep(scan::number(b"x", "writes"));
/// assert_eq!((read, written), (Some(17), None));
/// assert_eq!(faults.result().unwrap_err().expected, "writes");
/// ```
#[derive(Debug, Default)]
pub struct Faults {
    first: Option<Malformed>,
}

impl Faults {
    /// The value of `result`; its error, if it is the first, is kept.
    pub fn keep<T>(&mut self, result: Result<T, Malformed>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(malformed) => {
                self.first.get_or_insert(malformed);
                None
            }
        }
    }

    /// Notes that `expected` was nowhere, when `value` is none.
    pub fn require<T>(&mut self, value: &Option<T>, expected: &'static str) {
        if value.is_none() {
            self.first.get_or_insert_with(|| Malformed::new(expected, b"nothing"));
        }
    }

    /// The first error, if any part had one.
    ///
    /// # Errors
    /// The first that was kept.
    pub fn result(self) -> Result<(), Malformed> {
        self.first.map_or(Ok(()), Err)
    }
}

fn decimal(field: &[u8]) -> Option<u64> {
    if field.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for byte in field {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_all_digits_and_fit() {
        assert_eq!(number(b"18446744073709551615", "n"), Ok(u64::MAX));
        for bad in [&b""[..], b"18446744073709551616", b"-1", b"+1", b"1.0", b"1 ", b"0x1", b"\xff"] {
            let error = number(bad, "a count").unwrap_err();
            assert_eq!(error.expected, "a count");
        }
    }

    #[test]
    fn a_long_field_is_quoted_in_part() {
        let error = number(&[b'x'; 10_000], "a count").unwrap_err();
        assert_eq!(error.found.len(), 64);
    }

    proptest! {
        #[test]
        fn every_number_survives(value: u64) {
            prop_assert_eq!(number(value.to_string().as_bytes(), "n"), Ok(value));
        }

        #[test]
        fn numbers_agree_with_the_standard_library(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
            let expected = std::str::from_utf8(&bytes).ok()
                .filter(|text| !text.starts_with('+'))
                .and_then(|text| text.parse::<u64>().ok());
            prop_assert_eq!(number(&bytes, "n").ok(), expected);
        }

        #[test]
        fn lines_agree_with_the_standard_library(text in "[a-z \n]{0,80}") {
            let ours: Vec<&[u8]> = lines(text.as_bytes()).collect();
            let theirs: Vec<&[u8]> = text.split_terminator('\n').map(str::as_bytes).collect();
            prop_assert_eq!(ours, theirs);
        }

        #[test]
        fn fields_agree_with_the_standard_library(text in "[a-z \t]{0,80}") {
            let ours: Vec<&[u8]> = fields(text.as_bytes()).collect();
            let theirs: Vec<&[u8]> = text.split_whitespace().map(str::as_bytes).collect();
            prop_assert_eq!(ours, theirs);
        }
    }
}
