//! What jemalloc writes of its heap: the format `heap_v2`.
//!
//! ```text
//! heap_v2/524288
//!   t*: 28106: 56637512 [0: 0]
//!   t0: 28106: 56637512 [0: 0]
//! @ 0x5f1c3e 0x5f2a10
//!   t*: 13: 6688 [0: 0]
//!   t0: 13: 6688 [0: 0]
//!
//! MAPPED_LIBRARIES:
//! ```
//!
//! Of each stack, `t*` are all threads together. In brackets is what was ever allocated, where jemalloc was told to keep that.

/// Samples of one stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Dump {
    /// Mean bytes between samples.
    pub(super) rate: u64,
    /// Return addresses, the leaf first; what is in use, and what was ever allocated.
    pub(super) stacks: Vec<(Vec<u64>, Counts, Counts)>,
}

/// None when it is another format. What cannot be read of a stack is left out with it.
pub(super) fn parse(text: &str) -> Option<Dump> {
    let (first, rest) = text.split_once('\n')?;
    let mut dump =
        Dump { rate: first.trim_end().strip_prefix("heap_v2/")?.parse().ok()?, stacks: Vec::new() };
    let mut stack = None;
    for line in rest.lines().map(str::trim).take_while(|line| *line != "MAPPED_LIBRARIES:") {
        if let Some(addresses) = line.strip_prefix('@') {
            stack = addresses.split_whitespace().map(address).collect::<Option<Vec<_>>>();
        } else if let Some(all) = line.strip_prefix("t*:") {
            // The first is of all stacks and has none of its own.
            if let (Some(stack), Some((held, ever))) = (stack.take(), both(all)) {
                dump.stacks.push((stack, held, ever));
            }
        }
    }
    Some(dump)
}

fn address(word: &str) -> Option<u64> {
    u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()
}

fn both(line: &str) -> Option<(Counts, Counts)> {
    let (held, ever) = line.split_once('[')?;
    Some((counts(held)?, counts(ever.trim_end().strip_suffix(']')?)?))
}

fn counts(text: &str) -> Option<Counts> {
    let (objects, bytes) = text.split_once(':')?;
    Some(Counts { objects: objects.trim().parse().ok()?, bytes: bytes.trim().parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DUMPED: &str = "heap_v2/524288\n  t*: 3: 1054720 [5: 2103296]\n  t0: 3: 1054720 [5: 2103296]\n\
        @ 0x55d0c0a1b2c3 0x55d0c0a1b000 0x7f0000000001\n  t*: 2: 1048576 [4: 2097152]\n  t0: 1: 524288 [3: 1572864]\n  t1: 1: 524288 [1: 524288]\n\
        @ 0x55d0c0a1ffff\n  t*: 1: 6144 [1: 6144]\n  t0: 1: 6144 [1: 6144]\n\n\
        MAPPED_LIBRARIES:\n55d0c0a00000-55d0c0b00000 r-xp 00000000 fe:00 1 /bin/service\n@ 0x1\n  t*: 9: 9 [9: 9]\n";

    fn of(objects: u64, bytes: u64) -> Counts {
        Counts { objects, bytes }
    }

    #[test]
    fn each_stack_has_the_counts_of_all_threads() {
        let dump = parse(DUMPED).unwrap();
        assert_eq!(dump.rate, 524_288);
        let first =
            (vec![0x55d0_c0a1_b2c3, 0x55d0_c0a1_b000, 0x7f00_0000_0001], of(2, 1_048_576), of(4, 2_097_152));
        assert_eq!(dump.stacks, [first, (vec![0x55d0_c0a1_ffff], of(1, 6_144), of(1, 6_144))]);
    }

    #[test]
    fn an_empty_heap_has_no_stacks() {
        let dump = parse("heap_v2/1\n  t*: 0: 0 [0: 0]\n\nMAPPED_LIBRARIES:\n").unwrap();
        assert_eq!(dump, Dump { rate: 1, stacks: Vec::new() });
    }

    #[test]
    fn another_format_is_refused() {
        for text in ["", "heap_v2/", "heap_v2/x\n", "heap profile: 1: 2 [3: 4] @ heap/512\n", "heap_v3/1\n"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_stack_that_cannot_be_read_is_left_out() {
        let text = "heap_v2/1\n  t*: 3: 3 [0: 0]\n@ 0x1 what\n  t*: 1: 1 [0: 0]\n@ 0x2\n  t*: 1: -1 [0: 0]\n@ 0x3\n  t*: 1: 1 [0: 0]\n@ 0x4";
        assert_eq!(parse(text).unwrap().stacks, [(vec![3], of(1, 1), of(0, 0))]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(heap_v2/[0-9]{1,25}\n)?([@tx0-9a-f*: \\[\\]\n]|MAPPED_LIBRARIES:|.){0,200}") {
            parse(&text);
        }

        #[test]
        fn a_dump_that_is_cut_anywhere_has_no_stacks_that_were_not_there(at in 0..DUMPED.len()) {
            let whole = parse(DUMPED).unwrap();
            if let Some(cut) = parse(&DUMPED[..at]) {
                prop_assert!(cut.stacks.iter().zip(&whole.stacks).all(|(cut, whole)| cut.0 == whole.0));
                prop_assert!(cut.stacks.len() <= whole.stacks.len());
            }
        }
    }
}
