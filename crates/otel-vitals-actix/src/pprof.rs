//! Profiles, where Go's `net/http/pprof` has them: so far an index, which says so, and the command line.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::answer;
use crate::state::State;

const INDEX: &str = "<!DOCTYPE html>
<html lang=\"en\">
<head><meta charset=\"utf-8\"><title>pprof</title></head>
<body>
<h1>pprof</h1>
<ul>
<li><a href=\"{below}/cmdline\">cmdline</a>: the program, and its arguments where monitor.cmdline is true</li>
</ul>
<p>Profiles are not there yet: they belong to a later version of otel-vitals.</p>
</body>
</html>
";

const UNKNOWN: &str = "there is no such profile: this version of otel-vitals has cmdline only\n";

/// Answers what is below `monitor.debug_pprof`. What is asked for in a query string has no meaning yet and is ignored.
pub(crate) async fn answer(state: Arc<State>, request: HttpRequest) -> HttpResponse {
    match request.match_info().unprocessed() {
        "" | "/" => answer::html(index(request.uri().path())),
        "/cmdline" => {
            let all = state.monitor().cmdline;
            answer::text(StatusCode::OK, cmdline(std::env::args_os().take(if all { usize::MAX } else { 1 })))
        }
        _ => unknown(),
    }
}

/// The index at `path`. Links have all of it, because `NormalizePath` may have taken the slash at its end, by which a browser would
/// find what is below.
fn index(path: &str) -> String {
    INDEX.replace("{below}", &escaped(path.trim_end_matches('/')))
}

/// Below a scope with a pattern the path is what was asked for, whatever that is.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' | '<' | '>' | '"' | '\'' => drop(write!(escaped, "&#{};", u32::from(character))),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// As Go answers, so that its tools tell this from a server that is something else.
fn unknown() -> HttpResponse {
    const GO: HeaderName = HeaderName::from_static("x-go-pprof");
    let mut response = answer::text(StatusCode::NOT_FOUND, UNKNOWN);
    response.headers_mut().insert(GO, HeaderValue::from_static("1"));
    response
}

/// The arguments, with a NUL between them.
fn cmdline(arguments: impl Iterator<Item = OsString>) -> Vec<u8> {
    let mut line = Vec::new();
    for (index, argument) in arguments.enumerate() {
        if index > 0 {
            line.push(0);
        }
        line.extend_from_slice(argument.as_encoded_bytes());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_has_links_that_hold_wherever_it_is() {
        for path in ["/debug/pprof", "/debug/pprof/"] {
            assert!(index(path).contains("<a href=\"/debug/pprof/cmdline\">"), "{path}");
        }
        assert!(index("/\"><script>/pprof").contains("\"/&#34;&#62;&#60;script&#62;/pprof/cmdline\""));
    }

    #[test]
    fn arguments_have_a_nul_between_them() {
        assert_eq!(cmdline(["shop", "--port", ""].into_iter().map(OsString::from)), b"shop\0--port\0");
        assert_eq!(cmdline(std::iter::empty()), b"");
    }
}
