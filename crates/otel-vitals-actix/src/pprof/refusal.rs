//! Why there is no profile, as Go says it: text, and a header by which its tools know that it is meant for whoever reads it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use otel_vitals::{Error, profiling};
use std::borrow::Cow;
use std::time::Duration;

use super::{of_go, refused};
use crate::answer;

/// When to come again, where others are being answered.
const LATER: Duration = Duration::from_secs(2);

/// Why there is no profile.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    text: Cow<'static, str>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Refusal { status, text: Cow::Owned(text.into()) }
    }

    /// Of a CPU profile, of which there is one at a time.
    pub(super) fn busy() -> Self {
        profiling::Error::Busy.into()
    }

    /// Of a CPU profile, when those before it are not written yet.
    pub(super) fn unwritten() -> Self {
        let text = "two CPU profiles are being written, and no more are at a time";
        Refusal { status: StatusCode::SERVICE_UNAVAILABLE, text: Cow::Borrowed(text) }
    }

    /// Of others, which are answered a few at a time.
    pub(super) fn crowded() -> Self {
        let text = "others are being answered profiles, and only two are at a time";
        Refusal { status: StatusCode::SERVICE_UNAVAILABLE, text: Cow::Borrowed(text) }
    }

    /// Of a thread that could not be had, or panicked.
    pub(super) fn failed() -> Self {
        let text = "the profile cannot be taken now";
        Refusal { status: StatusCode::SERVICE_UNAVAILABLE, text: Cow::Borrowed(text) }
    }

    pub(super) fn answer(self) -> HttpResponse {
        let text = format!("{}\n", self.text);
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => of_go(answer::later(self.status, LATER, text)),
            status => refused(status, text),
        }
    }

    #[cfg(test)]
    pub(super) fn into_text(self) -> String {
        self.text.into_owned()
    }
}

impl From<profiling::Error> for Refusal {
    fn from(error: profiling::Error) -> Self {
        let status = match error {
            profiling::Error::Busy => StatusCode::CONFLICT,
            profiling::Error::Unavailable { .. } => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Refusal::new(status, error.to_string())
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Profile(error) => error.into(),
            Error::ProfileTooLong { .. } => Refusal::new(StatusCode::BAD_REQUEST, error.to_string()),
            _ => Refusal::failed(),
        }
    }
}
