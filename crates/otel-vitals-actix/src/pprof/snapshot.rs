//! What there is at a moment, or what has changed between two: the heap, threads and tasks.

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use otel_vitals::Vitals;
use otel_vitals::profiling::{Profile, threads};
use std::sync::Arc;
use std::time::Duration;

use super::gzip;
use super::parameters::Parameters;
use super::refusal::Refusal;
use super::shutdown;
use super::streamed::{PROFILE, Rest, Unsaid};
use crate::answer;
use crate::state::State;

/// A profile of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// What it is called, by itself and as a difference.
    names: [&'static str; 2],
    of: Of,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Heap,
    /// The heap, with what was ever allocated shown first.
    Allocations,
    Threads,
    Tasks,
    /// Of what is not measured.
    Contentions,
}

impl Kind {
    /// That of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        const ALL: [Kind; 7] = [
            Kind { names: ["heap", "heap-delta"], of: Of::Heap },
            Kind { names: ["allocs", "allocs-delta"], of: Of::Allocations },
            Kind { names: ["threadcreate", "threadcreate-delta"], of: Of::Threads },
            Kind { names: ["tasks", "tasks-delta"], of: Of::Tasks },
            Kind { names: ["goroutine", "goroutine-delta"], of: Of::Tasks },
            Kind { names: ["block", "block-delta"], of: Of::Contentions },
            Kind { names: ["mutex", "mutex-delta"], of: Of::Contentions },
        ];
        ALL.into_iter().find(|kind| kind.names.first() == Some(&name))
    }

    pub(super) fn take(self, vitals: &Vitals) -> Result<Profile, Refusal> {
        Ok(match self.of {
            Of::Heap => vitals.heap_snapshot()?,
            Of::Allocations => allocations(vitals.heap_snapshot()?)?,
            Of::Threads => threads::profile()?,
            Of::Tasks => vitals.task_snapshot(),
            Of::Contentions => Profile::contentions(),
        })
    }
}

/// The same heap with what was ever allocated first, if that is known.
fn allocations(heap: Profile) -> Result<Profile, Refusal> {
    const SHOWN: &str = "alloc_space";
    if heap.total(SHOWN).is_none() {
        let text = "what was ever allocated is not known here: jemalloc keeps that when it is told `prof_accum:true` as well";
        return Err(Refusal::new(StatusCode::NOT_FOUND, text));
    }
    Ok(heap.showing(SHOWN))
}

pub(super) async fn answer(
    state: Arc<State>,
    request: &HttpRequest,
    kind: Kind,
) -> Result<HttpResponse, Refusal> {
    let parameters = Parameters::of(&state, request);
    let [name, name_of_difference] = kind.names.map(Some);
    let is_head = *request.method() == Method::HEAD;
    match parameters.difference()? {
        Some(_) if is_head => Ok(PROFILE.head(name_of_difference)),
        Some(after) => {
            let write = |profile: &Profile| gzip::after_header(profile.pprof());
            Ok(PROFILE.answer(name_of_difference, difference(state, kind, after, write).await?))
        }
        None if parameters.debug() && is_head => Ok(answer::text(StatusCode::OK, Unsaid)),
        None if parameters.debug() => {
            let text = now(state, kind, |profile| profile.text()).await?;
            Ok(answer::text(StatusCode::OK, text))
        }
        None if is_head => Ok(PROFILE.head(name)),
        None => {
            let written = now(state, kind, |profile| gzip::after_header(profile.pprof())).await?;
            Ok(PROFILE.at_once(name, written.ok_or_else(Refusal::failed)?))
        }
    }
}

/// The profile of now, written.
async fn now<T: Send + 'static>(
    state: Arc<State>,
    kind: Kind,
    write: impl FnOnce(Profile) -> T + Send + 'static,
) -> Result<T, Refusal> {
    let vitals = state.vitals().clone();
    state.profiles.now(move || kind.take(&vitals).map(write)).await
}

/// What will have changed `after` so long a time, written.
pub(super) async fn difference(
    state: Arc<State>,
    kind: Kind,
    after: Duration,
    write: impl FnOnce(&Profile) -> Rest + Send + 'static,
) -> Result<impl Future<Output = Rest> + 'static, Refusal> {
    let place = state.profiles.difference()?;
    let earlier = now(Arc::clone(&state), kind, |profile| profile).await?;
    Ok(async move {
        let _place = place;
        tokio::select! {
            () = tokio::time::sleep(after) => {}
            () = shutdown::begun(state.vitals()) => {}
        }
        let vitals = state.vitals().clone();
        let work = move || Ok(write(&kind.take(&vitals)?.since(&earlier)));
        state.profiles.soon(work).await.ok()?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_that_nobody_has_counted_are_refused_with_what_it_takes() {
        let held_alone = Profile::counts("inuse_space", "bytes", [("main".to_owned(), 1)]);
        let refusal = allocations(held_alone).unwrap_err();
        assert!(refusal.into_text().contains("`prof_accum:true`"));
        let counted = Profile::counts("alloc_space", "bytes", []);
        assert_eq!(allocations(counted).unwrap().total("alloc_space"), Some(0));
    }
}
