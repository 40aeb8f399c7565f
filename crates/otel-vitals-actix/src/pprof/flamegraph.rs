//! `flamegraph`: CPU time or the heap as a picture, for people without tools.

#[cfg(feature = "flamegraph")]
pub(super) use drawn::answer;

#[cfg(not(feature = "flamegraph"))]
pub(super) async fn answer(
    _state: std::sync::Arc<crate::state::State>,
    _request: &actix_web::HttpRequest,
) -> Result<actix_web::HttpResponse, super::refusal::Refusal> {
    let text = "this program is built without the feature flamegraph of otel-vitals-actix";
    Err(super::refusal::Refusal::new(actix_web::http::StatusCode::NOT_FOUND, text))
}

#[cfg(feature = "flamegraph")]
mod drawn;
