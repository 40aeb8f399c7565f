//! Where something is asked for over HTTP: routes, what comes before them, and the URL of the own heartbeat.

use http::Uri;

use super::endpoint;
use super::value::Expected;

/// Whether a request can have `route` as its path exactly as it is written, since routes are matched literally.
pub(super) fn check(route: &str) -> Result<(), Expected> {
    let Some(parts) = route.strip_prefix('/') else { return Err(expected()) };
    if parts.split('/').any(|part| part.is_empty() || !part.bytes().all(is_literal)) {
        return Err(expected());
    }
    if parts.split('/').any(|part| matches!(part, "." | "..")) {
        return Err(Expected::new("a path without . and .. between its slashes, which clients take out"));
    }
    Ok(())
}

/// Whether `prefix` can come before a route.
pub(super) fn check_prefix(prefix: &str) -> Result<(), Expected> {
    if prefix.is_empty() || check(prefix).is_ok() { Ok(()) } else { Err(expected_prefix()) }
}

/// Whether `url` can be asked without TLS, credentials and parameters.
pub(super) fn check_url(url: &str) -> Result<(), Expected> {
    let parsed: Uri = url.parse().map_err(|_| expected_url())?;
    let is_plain = parsed.scheme_str() == Some("http") && !url.contains(['@', '?', '#']);
    let host_is_there = parsed.host().is_some_and(|host| !host.is_empty());
    // A path that is not there reads as the root.
    let path_is_there = url.matches('/').count() > 2;
    if is_plain && host_is_there && path_is_there && endpoint::port_is_valid(&parsed) {
        return Ok(());
    }
    Err(expected_url())
}

pub(super) fn expected() -> Expected {
    Expected::new(
        "a path such as /status/health, of letters, digits and -._~!$&'()+,;=:@ between single slashes",
    )
}

pub(super) fn expected_prefix() -> Expected {
    Expected::new("nothing, or a path such as /internal without a slash at its end")
}

pub(super) fn expected_url() -> Expected {
    Expected::new("a URL with a path, such as http://127.0.0.1:8080/status/health, without a query")
}

/// What stands in a path for itself, but for the `*` that routers take for anything.
fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()+,;=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn routes_are_matched_as_they_are_written() {
        for route in ["/a", "/status/health", "/.well-known/live", "/a.b/c-d_e~f", "/x:y@z", "/...", "/A/b/C"]
        {
            assert_eq!(check(route), Ok(()), "{route}");
            assert_eq!(check_prefix(route), Ok(()), "{route}");
        }
        for wrong in [
            "",
            "/",
            "a",
            "a/b",
            "//",
            "/a/",
            "/a//b",
            "//a",
            "/a b",
            " /a",
            "/a ",
            "/a?b",
            "/a#b",
            "/{a}",
            "/a*",
            "/a%20b",
            "/a\n",
            "/a\\b",
            "/ä",
            "http://a/b",
            "/a\0",
            "/\"a\"",
        ] {
            assert_eq!(check(wrong), Err(expected()), "{wrong:?}");
        }
        for dots in ["/.", "/..", "/a/../b", "/./a"] {
            let expected = "a path without . and .. between its slashes, which clients take out";
            assert_eq!(check(dots), Err(Expected::new(expected)), "{dots}");
        }
    }

    #[test]
    fn a_prefix_may_be_empty_and_has_no_slash_at_its_end() {
        assert_eq!(check_prefix(""), Ok(()));
        for wrong in ["/", "/a/", "a", "/.."] {
            assert_eq!(check_prefix(wrong), Err(expected_prefix()), "{wrong}");
        }
    }

    #[test]
    fn the_own_heartbeat_is_asked_over_plain_http() {
        for url in ["http://127.0.0.1:8080/status/health", "HTTP://[::1]:1/", "http://localhost/a/b"] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
        for wrong in [
            "",
            "/status/health",
            "127.0.0.1:8080/status/health",
            "https://a/b",
            "ftp://a/b",
            "http://a",
            "http://a:80",
            "http:///b",
            "http://a:0/b",
            "http://a:65536/b",
            "http://u:p@a/b",
            "http://a/b?c",
            "http://a/b#c",
            "http://a/b c",
        ] {
            assert_eq!(check_url(wrong), Err(expected_url()), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[ht:/.*{}?#%@0-9a-c \\PC]{0,24}") {
            let _ = (check(&text), check_prefix(&text), check_url(&text));
        }

        #[test]
        fn what_is_accepted_is_a_path_as_it_is(text in "[/a.~%{*? é-]{0,12}") {
            if check(&text).is_ok() {
                let uri: Uri = text.parse().unwrap();
                prop_assert_eq!(uri.path(), text.as_str());
                prop_assert!(uri.query().is_none() && !text.ends_with('/'));
            }
        }
    }
}
