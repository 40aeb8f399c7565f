//! Where a route is, literally: what actix takes for a pattern in it is one no more.

use actix_web::dev::{ResourceDef, Url};
use actix_web::http::Uri;
use std::fmt::Write as _;

/// The path of `route` below `prefix`, with the slash that both begin with.
pub(crate) fn below(prefix: &str, route: &str) -> String {
    let mut path = String::with_capacity(prefix.len() + route.len() + 2);
    for part in [prefix.trim_end_matches('/'), route] {
        if !part.is_empty() && !part.starts_with('/') {
            path.push('/');
        }
        path.push_str(part);
    }
    path
}

/// Matches `path` and nothing else.
pub(crate) fn exactly(path: &str) -> ResourceDef {
    ResourceDef::new(pattern(&as_routed(path)))
}

/// Matches `path` and what is below it.
pub(crate) fn tree(path: &str) -> ResourceDef {
    ResourceDef::prefix(pattern(&as_routed(path)))
}

/// The router compares what is left when percent-encoding is taken away where that means nothing.
fn as_routed(path: &str) -> String {
    match Uri::try_from(path) {
        Ok(uri) if path.contains('%') => Url::new(uri).path().to_owned(),
        _ => path.to_owned(),
    }
}

/// The pattern that matches `path`. Only a brace and a star at the end mean something to actix, which knows no way to
/// escape them, but takes a regular expression for a segment with a name.
fn pattern(path: &str) -> String {
    if !path.contains('{') && !path.ends_with('*') {
        return path.to_owned();
    }
    let rest = path.strip_prefix('/').unwrap_or(path);
    let mut pattern = String::from("/{vitals:");
    for letter in rest.chars() {
        if letter.is_ascii() && !letter.is_ascii_alphanumeric() && letter != '/' {
            // Writing to a string cannot fail.
            let _ = write!(pattern, r"\x{:02X}", u32::from(letter));
        } else {
            pattern.push(letter);
        }
    }
    pattern.push('}');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::dev::Path;
    use proptest::prelude::*;

    fn takes(definition: &ResourceDef, path: &str) -> bool {
        definition.capture_match_info(&mut Path::new(path))
    }

    #[test]
    fn a_route_is_below_its_prefix_with_one_slash() {
        assert_eq!(below("", "/status/health"), "/status/health");
        assert_eq!(below("/internal", "/status/health"), "/internal/status/health");
        assert_eq!(below("/internal/", "status"), "/internal/status");
        assert_eq!(below("internal", "status"), "/internal/status");
    }

    #[test]
    fn what_actix_takes_for_a_pattern_is_literal() {
        for path in
            ["/{id}", "/a{b", "/a}b{", "/x/*", "/{tail}*", "/{n:[0-9]+}", "/a.b{", "/{{{{{{{{{{{{{{{{{{"]
        {
            let definition = exactly(path);
            assert!(takes(&definition, path), "{path}");
            for other in ["/x", "/x/y", "/1", "/axb{"] {
                assert!(!takes(&definition, other), "{path} took {other}");
            }
            assert!(takes(&tree(path), &format!("{path}/below")), "{path}");
            assert!(!takes(&tree(path), &format!("{path}x")), "{path}");
        }
    }

    #[test]
    fn percent_encoding_is_taken_as_the_router_takes_it() {
        assert!(takes(&exactly("/a%20b"), "/a b"));
        assert!(takes(&exactly("/a%2Fb"), "/a%2Fb"));
    }

    proptest! {
        #[test]
        fn no_path_panics_and_each_matches_itself(path in "/[ -~]{0,40}", other in "/[ -~]{0,40}") {
            prop_assume!(!path.contains('%'));
            let definition = exactly(&path);
            prop_assert!(takes(&definition, &path));
            prop_assert_eq!(takes(&definition, &other), path == other);
        }

        #[test]
        fn nor_does_any_text(path in ".{0,40}") {
            exactly(&path);
            tree(&path);
        }
    }
}
