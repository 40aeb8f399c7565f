//! `profile`: where CPU time is spent.

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use otel_vitals::profiling::Profile;
use std::sync::Arc;

use super::gzip;
use super::parameters::Parameters;
use super::refusal::Refusal;
use super::shutdown;
use super::streamed::{PROFILE, Rest};
use crate::state::State;

const NAME: Option<&str> = Some("profile");

pub(super) async fn answer(state: Arc<State>, request: &HttpRequest) -> Result<HttpResponse, Refusal> {
    let parameters = Parameters::of(&state, request);
    if *request.method() == Method::HEAD {
        parameters.duration().and(parameters.frequency())?;
        return Ok(PROFILE.head(NAME));
    }
    let write = |profile: Profile| gzip::after_header(profile.pprof());
    Ok(PROFILE.answer(NAME, begin(state, &parameters, write).await?))
}

/// A CPU profile as the parameters ask for it, which `write` writes on the thread that takes it. It has begun when there is a future of it.
pub(super) async fn begin(
    state: Arc<State>,
    parameters: &Parameters,
    write: impl FnOnce(Profile) -> Rest + Send + 'static,
) -> Result<impl Future<Output = Rest> + 'static, Refusal> {
    let (duration, frequency) = (parameters.duration()?, parameters.frequency()?);
    let place = state.profiles.cpu()?;
    let write = move |profile| {
        // Writing a profile may take longer than a short one, and there is one at a time of that too.
        let _place = place;
        write(profile)
    };
    let mut recording = state.vitals().record_cpu(frequency, duration, write).await?;
    Ok(async move {
        tokio::select! {
            written = &mut recording => return written.ok()?,
            () = shutdown::begun(state.vitals()) => recording.end(),
        }
        recording.await.ok()?
    })
}
