//! `symbol`: names of addresses, for tools that have a profile without names.

use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use otel_vitals::profiling;
use std::sync::Arc;

use super::refusal::Refusal;
use crate::answer;
use crate::state::State;

/// The addresses are what was posted, else what stands behind the question mark.
pub(super) async fn answer(
    state: Arc<State>,
    request: &HttpRequest,
    posted: Bytes,
) -> Result<HttpResponse, Refusal> {
    let asked = match *request.method() {
        Method::POST => String::from_utf8_lossy(&posted).into_owned(),
        _ => request.query_string().to_owned(),
    };
    let names = state.profiles.now(move || Ok(profiling::symbol(&asked))).await?;
    Ok(answer::text(StatusCode::OK, names))
}
