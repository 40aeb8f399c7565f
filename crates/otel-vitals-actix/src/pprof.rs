//! Profiles, where Go's `net/http/pprof` has them and as it answers them, so that Go's tools and continuous profilers read ours.
//!
//! | below the route | what it is | parameters |
//! | --- | --- | --- |
//! | | the index | |
//! | `profile` | where CPU time is spent | `seconds`, `hz` |
//! | `heap`, `allocs` | what is allocated, and where | `seconds`, `debug` |
//! | `threadcreate` | threads | `seconds`, `debug` |
//! | `tasks`, `goroutine` | tasks of tokio | `seconds`, `debug` |
//! | `block`, `mutex` | nothing: they are not measured, and continuous profilers ask for them | `seconds`, `debug` |
//! | `flamegraph` | CPU time or the heap as SVG | `seconds`, `hz`, `profile` |
//! | `cmdline`, `symbol` | the command line; names of addresses | |
//!
//! What takes its time (`profile`, `flamegraph`, and anything with `seconds`) is answered as a stream that begins at once and goes on with
//! each second, so that it ends when nobody reads it any more: see `streamed.rs`. All that takes processor time is done on threads of our own, and
//! no more of it at a time than [`Places`] has.

mod cmdline;
mod index;

#[cfg(feature = "profiling")]
mod cpu;
#[cfg(feature = "profiling")]
mod flamegraph;
#[cfg(feature = "profiling")]
mod gzip;
#[cfg(feature = "profiling")]
mod parameters;
#[cfg(feature = "profiling")]
mod places;
#[cfg(feature = "profiling")]
mod refusal;
#[cfg(feature = "profiling")]
mod shutdown;
#[cfg(feature = "profiling")]
mod snapshot;
#[cfg(feature = "profiling")]
mod streamed;
#[cfg(feature = "profiling")]
mod symbol;

use actix_web::body::MessageBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use std::sync::Arc;

use crate::answer::{self, Methods};
use crate::state::State;
#[cfg(feature = "profiling")]
pub(crate) use places::Places;

/// The methods of what is below `monitor.debug_pprof`.
pub(crate) fn methods(request: &HttpRequest) -> Methods {
    match request.match_info().unprocessed() {
        "/symbol" if cfg!(feature = "profiling") => Methods::Posting,
        _ => Methods::Asking,
    }
}

/// Answers what is below `monitor.debug_pprof`.
pub(crate) async fn answer(state: Arc<State>, request: HttpRequest, posted: Bytes) -> HttpResponse {
    // What is asked is not kept while it is answered.
    let below = request.match_info().unprocessed().to_owned();
    match below.as_str() {
        "" | "/" => index::answer(state, request.uri().path()).await,
        "/cmdline" => cmdline::answer(&state),
        "/trace" => {
            refused(StatusCode::NOT_FOUND, "there are no traces of execution: Go's are of its scheduler\n")
        }
        name => profile(state, &request, name.strip_prefix('/').unwrap_or_default(), posted).await,
    }
}

#[cfg(feature = "profiling")]
async fn profile(state: Arc<State>, request: &HttpRequest, name: &str, posted: Bytes) -> HttpResponse {
    let outcome = match (name, snapshot::Kind::named(name)) {
        ("profile", _) => cpu::answer(state, request).await,
        ("flamegraph", _) => flamegraph::answer(state, request).await,
        ("symbol", _) => symbol::answer(state, request, posted).await,
        (_, Some(kind)) => snapshot::answer(state, request, kind).await,
        _ => return refused(StatusCode::NOT_FOUND, "there is no such profile\n"),
    };
    outcome.unwrap_or_else(refusal::Refusal::answer)
}

#[cfg(not(feature = "profiling"))]
async fn profile(_state: Arc<State>, _request: &HttpRequest, _name: &str, _posted: Bytes) -> HttpResponse {
    refused(
        StatusCode::NOT_FOUND,
        "this program is built without the feature profiling of otel-vitals-actix\n",
    )
}

/// As Go answers, so that its tools show the text, and know this from a server that is something else.
fn refused(status: StatusCode, text: impl MessageBody + 'static) -> HttpResponse {
    of_go(answer::text(status, text))
}

/// A refusal as Go has it.
pub(crate) fn of_go(mut response: HttpResponse) -> HttpResponse {
    const GO: HeaderName = HeaderName::from_static("x-go-pprof");
    response.headers_mut().insert(GO, HeaderValue::from_static("1"));
    response
}
