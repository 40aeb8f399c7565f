//! Secrets in a form that can be compared without telling where they differ.

use blake2::Blake2sMac256;
use blake2::digest::{KeyInit, Mac};
use subtle::{Choice, ConstantTimeEq};

/// Makes digests with a key that only this process knows, so that a digest is worth nothing elsewhere and nobody can choose
/// what his own looks like.
pub(super) struct Keyed {
    key: [u8; 32],
}

/// All are of one length, whatever they are of.
#[derive(Clone, Copy)]
pub(super) struct Digest([u8; 32]);

impl Keyed {
    /// None when the system has no randomness to give.
    pub(super) fn new() -> Option<Self> {
        random().map(|key| Keyed { key })
    }

    /// The digest of these parts, which are told apart: `ab` and `c` are not `a` and `bc`.
    pub(super) fn digest(&self, parts: &[&str]) -> Digest {
        let mut mac = Blake2sMac256::new(&self.key.into());
        for part in parts {
            mac.update(&part.len().to_le_bytes());
            mac.update(part.as_bytes());
        }
        Digest(mac.finalize().into_bytes().into())
    }
}

impl ConstantTimeEq for Digest {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

/// Bytes that nobody can guess.
pub(super) fn random<const LENGTH: usize>() -> Option<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn same(a: Digest, b: Digest) -> bool {
        a.ct_eq(&b).into()
    }

    #[test]
    fn the_key_is_another_each_time() {
        let (one, other) = (Keyed::new().unwrap(), Keyed::new().unwrap());
        assert!(same(one.digest(&["a"]), one.digest(&["a"])));
        assert!(!same(one.digest(&["a"]), other.digest(&["a"])));
    }

    proptest! {
        #[test]
        fn different_parts_have_different_digests(
            one in proptest::collection::vec("[ab]{0,3}", 0..3),
            other in proptest::collection::vec("[ab]{0,3}", 0..3),
        ) {
            let keyed = Keyed::new().unwrap();
            let parts = |strings: &[String]| {
                keyed.digest(&strings.iter().map(String::as_str).collect::<Vec<_>>())
            };
            prop_assert_eq!(same(parts(&one), parts(&other)), one == other);
        }
    }
}
