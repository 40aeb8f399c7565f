//! `profile`: where CPU time is spent.

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use otel_vitals::profiling::Profile;
use std::sync::Arc;

use super::gzip;
use super::parameters::Parameters;
use super::places::CpuPlaces;
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
    let CpuPlaces { recording: turn, whole } = state.profiles.cpu()?;
    let write = move |profile| {
        // Who asks for one after the other gets them: the next may begin while this is written.
        drop(turn);
        let _whole = whole;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pprof::index;
    use actix_web::http::StatusCode;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::web::Bytes;
    use actix_web::{App, rt};
    use opentelemetry_sdk::metrics::SdkMeterProvider;
    use otel_vitals::{Config, Vitals};
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::mpsc;
    use std::time::{Duration, Instant};
    use tokio::sync::oneshot;

    const DEADLINE: Duration = Duration::from_secs(20);

    fn vitals() -> Vitals {
        let builder = Vitals::builder().config(Config::default()).meter_provider(SdkMeterProvider::default());
        let change = |config: &mut Config| {
            config.monitor.pprof = true;
            config.monitor.retry_count = 0;
        };
        builder.configure(change).start().unwrap()
    }

    /// What writes no more than a name, and not before it may.
    struct Slow {
        began: oneshot::Receiver<()>,
        go_on: mpsc::Sender<()>,
    }

    impl Slow {
        fn writer(name: &'static str) -> (Self, impl FnOnce(Profile) -> Rest + Send + 'static) {
            let (begin, began) = oneshot::channel();
            let (go_on, told) = mpsc::channel();
            let write = move |_| {
                begin.send(()).unwrap();
                told.recv_timeout(DEADLINE).unwrap();
                Some(Bytes::from_static(name.as_bytes()))
            };
            (Slow { began, go_on }, write)
        }
    }

    /// All on one thread, as with one worker: were anything written or looked at on it, nothing would go on.
    #[actix_web::test]
    async fn the_next_is_taken_while_one_is_written_and_the_worker_answers_others_meanwhile() {
        let vitals = vitals();
        let state = State::of(&vitals);
        let of_a_second = TestRequest::with_uri("/?seconds=1").to_http_request();
        let parameters = Parameters::of(&state, &of_a_second);
        let begin = |write| begin(Arc::clone(&state), &parameters, write);

        let (mut slow, write) = Slow::writer("first");
        let first = begin(write).await.unwrap();
        let (_, write) = Slow::writer("too early");
        assert_eq!(begin(write).await.err().unwrap().answer().status(), StatusCode::CONFLICT);
        (&mut slow.began).await.unwrap();
        let (mut slower, write) = Slow::writer("second");
        let second = begin(write).await.unwrap();
        (&mut slower.began).await.unwrap();
        let (_, write) = Slow::writer("third");
        assert_eq!(begin(write).await.err().unwrap().answer().status(), StatusCode::SERVICE_UNAVAILABLE);

        let service = init_service(App::new().configure(crate::routes(&vitals))).await;
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        for place in ["/status/health", "/debug/pprof/", "/debug/pprof/threadcreate"] {
            let request = TestRequest::get().uri(place).peer_addr(here).to_request();
            assert_eq!(call_service(&service, request).await.status(), StatusCode::OK, "{place}");
        }

        slow.go_on.send(()).unwrap();
        assert_eq!(first.await.unwrap(), "first");
        slower.go_on.send(()).unwrap();
        assert_eq!(second.await.unwrap(), "second");
        let deadline = Instant::now() + DEADLINE;
        while begin(Slow::writer("fourth").1).await.is_err() {
            assert!(Instant::now() < deadline, "the places have not come back");
            tokio::task::yield_now().await;
        }
        the_index_is_made_where_there_is_a_place_for_it(&state).await;
        vitals.shutdown().unwrap();
    }

    async fn the_index_is_made_where_there_is_a_place_for_it(state: &Arc<State>) {
        let mut works = Vec::new();
        for _ in 0..2 {
            let (begin, began) = oneshot::channel();
            let (go_on, told) = mpsc::channel::<()>();
            let state = Arc::clone(state);
            works.push((
                go_on,
                rt::spawn(async move {
                    let work = move || {
                        begin.send(()).unwrap();
                        told.recv_timeout(DEADLINE).unwrap();
                        Ok(())
                    };
                    state.profiles.soon(work).await.unwrap();
                }),
            ));
            began.await.unwrap();
        }
        let crowded = index::answer(Arc::clone(state), "/debug/pprof/").await;
        assert_eq!(crowded.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(crowded.headers().get("x-go-pprof").unwrap(), "1");
        for (go_on, work) in works {
            go_on.send(()).unwrap();
            work.await.unwrap();
        }
        assert_eq!(index::answer(Arc::clone(state), "/debug/pprof/").await.status(), StatusCode::OK);
    }
}
