//! Threads that had ended before anybody knew of them.
//!
//! What all of them used together is known. Where they were when the timer of the process found them running tells how that is to be
//! shared out.

use std::collections::HashMap;
use std::sync::Arc;

use super::slots::Name;
use super::tally::Tally;

/// Threads with more names than these have none.
const MOST_NAMES: usize = 1 << 10;

#[derive(Debug, Default)]
pub(super) struct Strays {
    /// How often they were found where, by the number of their name.
    pub(super) tally: Tally,
    numbers: HashMap<Name, usize>,
    names: Vec<Arc<str>>,
}

impl Strays {
    /// The number of a name.
    pub(super) fn number(&mut self, name: Name) -> usize {
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        if self.names.len() >= MOST_NAMES {
            return MOST_NAMES;
        }
        self.numbers.insert(name, self.names.len());
        self.names.push(text(name).into());
        self.names.len() - 1
    }

    pub(super) fn name(&self, number: usize) -> Option<&Arc<str>> {
        self.names.get(number)
    }
}

fn text(name: Name) -> String {
    let bytes: Vec<u8> =
        name.iter().flat_map(|word| word.to_ne_bytes()).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        let mut bytes = [0; 16];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        let (first, second) = bytes.split_at(8);
        [first, second].map(|half| u64::from_ne_bytes(half.try_into().unwrap()))
    }

    #[test]
    fn names_are_numbered() {
        let mut strays = Strays::default();
        assert_eq!(strays.number(name("worker")), 0);
        assert_eq!(strays.number(name("fifteen-letters")), 1);
        assert_eq!(strays.number(name("worker")), 0);
        assert_eq!(strays.name(1).map(|name| &**name), Some("fifteen-letters"));
        assert_eq!(strays.name(2), None);
    }

    #[test]
    fn there_are_only_so_many_names() {
        let mut strays = Strays::default();
        for number in 0..MOST_NAMES {
            assert_eq!(strays.number(name(&format!("{number}"))), number);
        }
        assert_eq!(strays.number(name("one more")), MOST_NAMES);
        assert_eq!(strays.name(MOST_NAMES), None);
    }
}
