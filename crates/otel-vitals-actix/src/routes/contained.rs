//! A handler that panics costs its own answer, and not the worker with all of its connections.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use otel_vitals_core::quietly;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use crate::answer;

/// What `handler` answers, or a 500 when it panics.
pub(crate) async fn contained(handler: impl Future<Output = HttpResponse>) -> HttpResponse {
    let mut handler = pin!(handler);
    poll_fn(|context| {
        // It is not polled again after a panic, so that nobody sees what that left half-done.
        match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(context))) {
            Ok(polled) => polled,
            Err(_) => Poll::Ready(panicked()),
        }
    })
    .await
}

fn panicked() -> HttpResponse {
    quietly(|| tracing::error!(target: "otel_vitals", "a route of ours panicked; please report it"));
    answer::text(StatusCode::INTERNAL_SERVER_ERROR, "this could not be told\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn a_panic_is_an_answer() {
        let response = contained(async { answer::text(StatusCode::OK, "fine") }).await;
        assert_eq!(response.status(), StatusCode::OK);
        let response = contained(async { panic!("of the test") }).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers().get("cache-control").unwrap(), "no-store");
    }
}
