//! Hashes of passwords as the PHC writes them.

use std::ops::RangeInclusive;

/// What a password that is a hash of argon2 begins with.
pub(super) const ARGON2: &str = "$argon2";

/// What a hash may ask for, because anybody who shows a password has us do that work: KiB of memory, passes and lanes.
const MOST: [u32; 3] = [256 * 1024, 64, 64];

/// Bytes of a salt and of what is made of a password, as argon2 and the format have them.
const SALT: RangeInclusive<usize> = 8..=48;
const HASH: RangeInclusive<usize> = 10..=64;

/// Whether `text` has the parts of a hash of argon2: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`. Whoever asks for
/// passwords finds out whether it is one. One that would take too much is none.
pub(super) fn is_argon2(text: &str) -> bool {
    let parts: Vec<_> = text.split('$').collect();
    let ["", "argon2id" | "argon2i" | "argon2d", "v=19", parameters, salt, hash] = parts[..] else {
        return false;
    };
    are_parameters(parameters) && is_base64(salt, SALT) && is_base64(hash, HASH)
}

/// Memory in KiB, passes and lanes.
fn are_parameters(text: &str) -> bool {
    let numbers: Vec<_> =
        text.split(',').zip(["m=", "t=", "p="]).map(|(text, name)| number(text, name)).collect();
    match (text.split(',').count(), &numbers[..]) {
        (3, [Some(memory), Some(passes), Some(lanes)]) => {
            let enough = *passes > 0 && *lanes > 0 && u64::from(*memory) >= 8 * u64::from(*lanes);
            enough && [memory, passes, lanes].into_iter().zip(MOST).all(|(asked, most)| *asked <= most)
        }
        _ => false,
    }
}

fn number(text: &str, name: &str) -> Option<u32> {
    let digits = text.strip_prefix(name)?;
    let is_canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| is_canonical)
}

/// Base64 without padding, of so many bytes.
fn is_base64(text: &str, bytes: RangeInclusive<usize>) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    bytes.contains(&(text.len() * 3 / 4)) && text.len() % 4 != 1 && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hashes_of_argon2_are_known() {
        for hash in [
            "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI",
            "$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy",
            "$argon2d$v=19$m=65536,t=3,p=4$c29tZXNhbHQxMjM0/+AA$aaaabbbbccccdddd",
            "$argon2id$v=19$m=262144,t=64,p=64$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy",
        ] {
            assert!(is_argon2(hash) && hash.starts_with(ARGON2), "{hash}");
        }
        for wrong in [
            "",
            "$argon2",
            "$argon2id",
            "$argon2x$v=19$m=8,t=1,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy",
            "$argon2id$v=16$m=8,t=1,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy",
            "$argon2id$m=8,t=1,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy",
            "$argon2id$v=19$m=8,t=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy",
            "$argon2id$v=19$t=1,m=8,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy",
            "$argon2id$v=19$m=8,t=1,p=1,x=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy",
            "$argon2id$v=19$m=8,t=0,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy",
            "$argon2id$v=19$m=8,t=1,p=0$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy",
            "$argon2id$v=19$m=8,t=1,p=2$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy",
            "$argon2id$v=19$m=08,t=1,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy",
            "$argon2id$v=19$m=+8,t=1,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy",
            "$argon2id$v=19$m=262145,t=1,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy",
            "$argon2id$v=19$m=1024,t=65,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy",
            "$argon2id$v=19$m=1024,t=1,p=65$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy",
            "$argon2id$v=19$m=4294967296,t=1,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy",
            "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbA$MTIzNDU2Nzg5MDEy",
            "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5",
            "$argon2id$v=19$m=8,t=1,p=1$$MTIzNDU2Nzg5MDEy",
            "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$",
            "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ",
            "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy$",
            "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEyM",
            "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDE=",
            "x$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy",
        ] {
            assert!(!is_argon2(wrong), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[$argon2idv=19m,tp0-9+/ ]{0,40}") {
            let _ = is_argon2(&text);
        }
    }
}
