//! What every response of ours has in common.
//!
//! Nothing that is told here is to be kept by a cache, nor to be taken by a browser for something else than it is.

use actix_web::HttpResponse;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use std::time::{Duration, SystemTime};

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// The methods that a route answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Methods {
    /// Those that every route answers.
    Asking,
    /// And one that sends a question too long for a URL.
    Posting,
}

/// An answer of plain text.
pub(crate) fn text(status: StatusCode, body: impl MessageBody + 'static) -> HttpResponse {
    typed(status, TEXT, body)
}

/// A moment, as JSON has it (RFC 3339).
pub(crate) fn time(moment: SystemTime) -> String {
    humantime::format_rfc3339_millis(moment).to_string()
}

/// A page, which loads nothing and runs nothing.
pub(crate) fn html(body: impl MessageBody + 'static) -> HttpResponse {
    const POLICY: HeaderName = HeaderName::from_static("content-security-policy");
    let mut response = typed(StatusCode::OK, HTML, body);
    response.headers_mut().insert(POLICY, HeaderValue::from_static("default-src 'none'"));
    response
}

/// Whether a method is one that every route answers.
pub(crate) fn allows(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

impl Methods {
    pub(crate) fn allow(self, method: &Method) -> bool {
        allows(method) || self == Methods::Posting && *method == Method::POST
    }

    /// The answer to any other method.
    pub(crate) fn refuse(self) -> HttpResponse {
        let (allowed, text_of) = match self {
            Methods::Asking => ("GET, HEAD", "only GET and HEAD are answered here\n"),
            Methods::Posting => ("GET, HEAD, POST", "only GET, HEAD and POST are answered here\n"),
        };
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, text_of);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
        response
    }
}

/// An answer that is another after `wait`, which is told in whole seconds, one at least.
pub(crate) fn later(status: StatusCode, wait: Duration, body: impl MessageBody + 'static) -> HttpResponse {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let mut response = text(status, body);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response
}

/// An answer of this media type.
pub(crate) fn typed(
    status: StatusCode,
    content_type: &'static str,
    body: impl MessageBody + 'static,
) -> HttpResponse {
    let mut response = HttpResponse::with_body(status, BoxBody::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_shall_come_again_is_told_whole_seconds_and_never_none() {
        for (wait, told) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (2_000, "2")] {
            let response = later(StatusCode::TOO_MANY_REQUESTS, Duration::from_millis(wait), "");
            assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), told, "{wait} ms");
        }
    }

    #[test]
    fn every_answer_says_what_it_is_and_that_nobody_keeps_it() {
        let json = typed(StatusCode::SERVICE_UNAVAILABLE, "application/health+json", "{}");
        assert_eq!(json.headers().get(CONTENT_TYPE).unwrap(), "application/health+json");
        let others = [text(StatusCode::OK, "OK"), html("<p>"), Methods::Asking.refuse()];
        for response in others.iter().chain([&json]) {
            assert_eq!(response.headers().get(CACHE_CONTROL).unwrap(), "no-store");
            assert_eq!(response.headers().get(X_CONTENT_TYPE_OPTIONS).unwrap(), "nosniff");
        }
    }
}
