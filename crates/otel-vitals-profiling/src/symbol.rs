//! Names for a tool that has addresses alone.

use crate::symbols::Symbols;
use std::fmt::Write as _;

/// How many addresses are looked up for one question.
const MOST: usize = 1 << 16;

/// Answers what Go answers at `/debug/pprof/symbol`: `query` has addresses in hexadecimal, joined by `+`, and the answer a line for each
/// that has a name, behind one that says that there are names at all. What is no address is passed over, and what is behind the
/// 65,536th, too.
///
/// Profiles that [`Profile::pprof`](crate::Profile::pprof) writes have their names in them; this is for those that others wrote.
/// It looks up names, as that does.
///
/// ```
/// assert_eq!(otel_vitals_profiling::symbol(""), "num_symbols: 1\n");
/// assert_eq!(otel_vitals_profiling::symbol("0x1+elephants"), "num_symbols: 1\n");
/// ```
#[must_use]
pub fn symbol(query: &str) -> String {
    let addresses: Vec<u64> = query.split('+').filter_map(address).take(MOST).collect();
    let symbols = Symbols::of(addresses.iter().copied());
    let mut answer = "num_symbols: 1\n".to_owned();
    for address in addresses {
        let innermost = symbols.at(address).and_then(|place| place.names.lines.first());
        if let Some(line) = innermost {
            // A string takes everything.
            let _ = writeln!(answer, "{address:#x} {}", line.function.name);
        }
    }
    answer
}

/// Go takes other bases, too, which no tool sends.
fn address(word: &str) -> Option<u64> {
    let word = word.trim();
    let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"))?;
    u64::from_str_radix(digits, 16).ok().filter(|address| *address != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_hexadecimal() {
        assert_eq!(address("0x1f"), Some(0x1f));
        assert_eq!(address(" 0XAB\n"), Some(0xab));
        for word in ["", "0x", "0", "0x0", "1f", "0xg", "-0x1", "0x10000000000000000"] {
            assert_eq!(address(word), None, "{word:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn functions_have_their_names() {
        let here = addresses_are_hexadecimal as *const () as u64;
        let answer = symbol(&format!("0x10+{here:#x}"));
        let name = "otel_vitals_profiling::symbol::tests::addresses_are_hexadecimal";
        assert_eq!(answer, format!("num_symbols: 1\n{here:#x} {name}\n"));
    }

    proptest! {
        #[test]
        fn any_question_is_answered(query in "(\\PC|[0-9a-fx+]){0,200}") {
            prop_assert!(symbol(&query).starts_with("num_symbols: 1\n"));
        }
    }
}
