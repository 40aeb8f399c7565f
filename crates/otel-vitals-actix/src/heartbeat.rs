//! The heartbeat: that somebody is there to answer.
//!
//! It asks nothing and waits for nothing, so that it costs a server no more than an empty route; and it is never behind the
//! gate, so that whoever decides over a process need not know its secrets.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};

use crate::answer;

/// What the heartbeat says.
pub(crate) const BODY: &str = "OK";

/// The answer to a request of this method.
#[inline]
pub(crate) fn beat(method: &Method) -> HttpResponse {
    if answer::allows(method) { answer::text(StatusCode::OK, BODY) } else { answer::Methods::Asking.refuse() }
}
