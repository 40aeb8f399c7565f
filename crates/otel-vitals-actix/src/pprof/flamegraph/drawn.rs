//! The picture.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use otel_vitals::profiling::Profile;
use std::sync::Arc;

use crate::pprof::cpu;
use crate::pprof::parameters::Parameters;
use crate::pprof::refusal::Refusal;
use crate::pprof::snapshot::{Kind, difference};
use crate::pprof::streamed::SVG;
use crate::state::State;

/// What the picture has in itself: a script that makes it larger where it is clicked, which asks nobody, and its colours.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'";

/// `profile` says of what: `cpu`, which is taken now, `heap` or `allocs`.
pub(in crate::pprof) async fn answer(
    state: Arc<State>,
    request: &HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let parameters = Parameters::of(&state, request);
    let is_head = *request.method() == Method::HEAD;
    let response = match parameters.get("profile").unwrap_or("cpu") {
        "cpu" if is_head => {
            parameters.duration().and(parameters.frequency())?;
            SVG.head(None)
        }
        "cpu" => SVG
            .answer(None, cpu::begin(state, &parameters, |profile| drawn(&profile, "CPU time").ok()).await?),
        "heap" => of_heap(state, &parameters, is_head, "heap", ["Heap", "Growth of the heap"]).await?,
        "allocs" => {
            of_heap(state, &parameters, is_head, "allocs", ["Allocations", "New allocations"]).await?
        }
        _ => {
            let text = "invalid value for \"profile\" - must be cpu, heap or allocs";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, text));
        }
    };
    Ok(with_policy(response))
}

/// The heap of now, or with `seconds` by what it grows in them; the titles are of these.
async fn of_heap(
    state: Arc<State>,
    parameters: &Parameters,
    is_head: bool,
    name: &str,
    [title, title_of_growth]: [&'static str; 2],
) -> Result<HttpResponse, Refusal> {
    let kind = Kind::named(name).ok_or_else(Refusal::failed)?;
    match parameters.difference()? {
        _ if is_head => Ok(SVG.head(None)),
        Some(after) => {
            let draw = move |profile: &Profile| drawn(profile, title_of_growth).ok();
            Ok(SVG.answer(None, difference(state, kind, after, draw).await?))
        }
        None => {
            let vitals = state.vitals().clone();
            let drawn = state.profiles.now(move || drawn(&kind.take(&vitals)?, title)).await?;
            Ok(SVG.at_once(None, drawn))
        }
    }
}

/// The picture without the declaration that it begins with.
fn drawn(profile: &Profile, title: &str) -> Result<Bytes, Refusal> {
    let svg = profile.flamegraph(title)?;
    let after = svg.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")).map(|(_, rest)| rest.len());
    let after = after.unwrap_or(svg.len());
    let start = svg.len() - after;
    Ok(Bytes::from(svg).slice(start..))
}

fn with_policy(mut response: HttpResponse) -> HttpResponse {
    const NAME: HeaderName = HeaderName::from_static("content-security-policy");
    response.headers_mut().insert(NAME, HeaderValue::from_static(POLICY));
    response
}
