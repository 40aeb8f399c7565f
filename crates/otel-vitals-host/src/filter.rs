//! Which names the options take: patterns over a group's default choice.

use std::str::Chars;

use crate::Filter;

/// A [`Filter`], ready to be asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

#[derive(Clone, Debug)]
struct Pattern(Box<str>);

impl Choice {
    pub(crate) fn new(filter: &Filter) -> Self {
        let patterns = |texts: &[String]| texts.iter().map(|text| Pattern(text.as_str().into())).collect();
        Choice { include: patterns(&filter.include), exclude: patterns(&filter.exclude) }
    }

    /// Whether `name` is taken, where `by_default` is the group's own choice.
    pub(crate) fn takes(&self, name: &str, by_default: impl FnOnce() -> bool) -> bool {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(name));
        let wanted = if self.replaces_default() { any(&self.include) } else { by_default() };
        wanted && !any(&self.exclude)
    }

    /// Whether the group's own choice does not count.
    pub(crate) fn replaces_default(&self) -> bool {
        !self.include.is_empty()
    }
}

impl Pattern {
    /// Whether the pattern is all of `name`: `*` is any characters, also none, and `?` is one.
    fn matches(&self, name: &str) -> bool {
        let (mut pattern, mut name) = (self.0.chars(), name.chars());
        // Where the last `*` stands: the pattern after it, and the name from where it took nothing more.
        let mut star: Option<(Chars<'_>, Chars<'_>)> = None;
        loop {
            let from_here = name.clone();
            match (pattern.next(), name.next()) {
                (None, None) => return true,
                (Some('*'), _) => {
                    star = Some((pattern.clone(), from_here.clone()));
                    name = from_here;
                }
                (Some('?'), Some(_)) => {}
                (Some(expected), Some(found)) if expected == found => {}
                _ => {
                    let Some((after, rest)) = &mut star else { return false };
                    if rest.next().is_none() {
                        return false;
                    }
                    (pattern, name) = (after.clone(), rest.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern(pattern.into()).matches(name)
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name) in [
            ("sda", "sda"),
            ("sd*", "sda"),
            ("sd*", "sd"),
            ("sd?", "sdb"),
            ("*", ""),
            ("*", "anything"),
            ("nvme*n1", "nvme0n1"),
            ("nvme*n1", "nvme0n1n1"),
            ("/mnt/*/data", "/mnt/a/b/data"),
            ("**a*", "bab"),
            ("/mnt/d?ten", "/mnt/däten"),
        ] {
            assert!(matches(pattern, name), "{pattern} and {name}");
        }
        for (pattern, name) in [
            ("sda", "sda1"),
            ("sda", "xsda"),
            ("sd?", "sd"),
            ("sd?", "sdaa"),
            ("", "sda"),
            ("nvme*n1", "nvme0n1p1"),
            ("*a", "ab"),
            ("SDA", "sda"),
        ] {
            assert!(!matches(pattern, name), "{pattern} and {name}");
        }
    }

    #[test]
    fn include_replaces_the_default_choice_and_exclude_takes_away_from_either() {
        let everything = Choice::new(&Filter::default());
        assert!(everything.takes("eth0", || true));
        assert!(!everything.takes("lo", || false));
        let some = Choice::new(&Filter::new(["lo", "eth*"], ["eth1"]));
        assert!(some.takes("lo", || false));
        assert!(some.takes("eth0", || false));
        assert!(!some.takes("eth1", || true));
        assert!(!some.takes("wlan0", || true));
        let all_but = Choice::new(&Filter::new([""; 0], ["veth*"]));
        assert!(all_but.takes("eth0", || true));
        assert!(!all_but.takes("veth1a2b", || true));
        assert!(!all_but.takes("lo", || false));
    }

    /// The definition, without regard to speed.
    fn by_definition(pattern: &[char], name: &[char]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some(('*', after)), _) => (0..=name.len()).any(|taken| by_definition(after, &name[taken..])),
            (Some((wanted, after)), Some((found, rest))) => {
                (*wanted == '?' || wanted == found) && by_definition(after, rest)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?]{0,7}", name in "[abc]{0,9}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &name), by_definition(&chars(&pattern), &chars(&name)));
        }

        #[test]
        fn never_panics(pattern: String, name: String) {
            let _ = matches(&pattern, &name);
        }
    }
}
