//! The published variables.
//!
//! Closures of the application's are called here, which may wait: so not on a worker's thread, at most a few at a time, and
//! nobody waits for them longer than [`PATIENCE`].

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::answer;
use crate::blocking::on_a_thread;
use crate::state::State;

const JSON: &str = "application/json; charset=utf-8";

/// How many look at the variables at once, those included whose closures never return.
const AT_ONCE: usize = 4;
const PATIENCE: Duration = Duration::from_secs(5);

/// Those who look now.
pub(crate) struct Looking(Arc<Semaphore>);

impl Default for Looking {
    fn default() -> Self {
        Looking(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// All variables, as `expvar` writes them.
pub(crate) async fn answer(state: Arc<State>, _request: HttpRequest) -> HttpResponse {
    let looked = timeout(PATIENCE, async {
        let place = Arc::clone(&state.looking.0).acquire_owned().await.ok()?;
        let vars = state.vitals().vars().clone();
        on_a_thread("vitals-vars", move || {
            let _place = place;
            vars.to_json()
        })
        .await
    });
    match looked.await {
        Ok(Some(json)) => answer::typed(StatusCode::OK, JSON, json),
        Ok(None) => answer::text(StatusCode::SERVICE_UNAVAILABLE, "the variables cannot be looked at now\n"),
        Err(_) => answer::later(
            StatusCode::SERVICE_UNAVAILABLE,
            PATIENCE,
            "a published variable has not told its value for five seconds\n",
        ),
    }
}
