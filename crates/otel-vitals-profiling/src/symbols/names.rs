//! Names as people write them.

use addr2line::gimli::{DW_LANG_Rust, DwLang};
use std::borrow::Cow;

/// How long a name may be, in bytes: types of types of types make longer ones, of which nobody reads the end.
const LONGEST: usize = 4096;

/// A name without what the compiler adds to it for the linker.
pub(super) fn demangled(name: &str, language: Option<DwLang>) -> String {
    // What is mangled says so itself, whatever language the unit is said to be of.
    let language = language.filter(|_| !is_mangled(name));
    shortened(addr2line::demangle_auto(Cow::Borrowed(name), language).into_owned())
}

/// Whether a function of Rust is called by nothing but its last name, as it is where debug information is only for line tables: the
/// table of symbols knows more.
pub(super) fn is_bare(name: &str, language: Option<DwLang>) -> bool {
    language == Some(DW_LANG_Rust) && !is_mangled(name)
}

fn is_mangled(name: &str) -> bool {
    name.starts_with("_ZN") || name.starts_with("_R") || name.starts_with("_Z")
}

fn shortened(mut name: String) -> String {
    if name.len() > LONGEST {
        name.truncate(name.floor_char_boundary(LONGEST));
        name.push('…');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use addr2line::gimli::{DW_LANG_C, DW_LANG_C_plus_plus};

    #[test]
    fn names_of_rust_have_no_hash() {
        let legacy = "_ZN4core3ptr13drop_in_place17h0123456789abcdefE";
        assert_eq!(demangled(legacy, Some(DW_LANG_Rust)), "core::ptr::drop_in_place");
        assert_eq!(demangled(legacy, None), "core::ptr::drop_in_place");
        assert_eq!(demangled("_RNvCs1234_7mycrate3foo", Some(DW_LANG_Rust)), "mycrate::foo");
    }

    #[test]
    fn names_of_cpp_have_their_parameters() {
        for language in [Some(DW_LANG_C_plus_plus), None] {
            assert_eq!(demangled("_ZN3foo3barEi", language), "foo::bar(int)");
        }
    }

    #[test]
    fn other_names_stay_as_they_are() {
        for name in ["malloc", "", "_Z", "_R", "_ZN", "with\0\u{fffd} anything\n"] {
            assert_eq!(demangled(name, Some(DW_LANG_C)), name);
        }
        assert!(is_bare("alloc", Some(DW_LANG_Rust)));
        assert!(!is_bare("alloc", Some(DW_LANG_C)));
        assert!(!is_bare("_RNvCs1234_7mycrate3foo", Some(DW_LANG_Rust)));
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let name = demangled(&"ä".repeat(LONGEST), None);
        assert_eq!(name.chars().count(), LONGEST / 2 + 1);
        assert!(name.ends_with("ä…"));
    }
}
