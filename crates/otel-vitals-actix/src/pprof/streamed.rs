//! An answer that begins before what it tells is known.
//!
//! actix goes on with an answer when its client has gone, as long as nothing is written: a client that has half of the connection closed
//! may still read. So something is written each second that means nothing. To a client that has gone it cannot be written, the connection ends,
//! and with it what was to be told: whatever takes a profile stops when it is dropped.

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_ENCODING, HeaderValue};
use actix_web::web::Bytes;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::gzip;
use crate::answer;

/// From one sign of life to the next.
const TICK: Duration = Duration::from_secs(1);

/// A kind of file that can begin before there is anything to say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    content_type: &'static str,
    /// What it begins with.
    first: &'static [u8],
    /// What means nothing in it.
    nothing: &'static [u8],
}

/// A profile, as Go's tools read it.
pub(super) const PROFILE: Form =
    Form { content_type: "application/octet-stream", first: gzip::HEADER, nothing: gzip::NOTHING };

/// A picture.
#[cfg(any(test, feature = "flamegraph"))]
pub(super) const SVG: Form = Form {
    content_type: "image/svg+xml",
    first: b"<?xml version=\"1.0\" standalone=\"no\"?>\n",
    nothing: b"\n",
};

/// What follows the beginning of a file; none when there is nothing after all, which cuts the answer off.
pub(super) type Rest = Option<Bytes>;

impl Form {
    /// The answer that begins at once and ends with what `rest` comes to.
    pub(super) fn answer(
        self,
        name: Option<&str>,
        rest: impl Future<Output = Rest> + 'static,
    ) -> HttpResponse {
        let mut tick = interval_at(Instant::now() + TICK, TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.headed(name, Streamed { form: self, tick, next: Next::First(Box::pin(rest)) })
    }

    /// The same of what is known already.
    pub(super) fn at_once(self, name: Option<&str>, rest: Bytes) -> HttpResponse {
        let mut all = Vec::with_capacity(self.first.len() + rest.len());
        all.extend_from_slice(self.first);
        all.extend_from_slice(&rest);
        self.headed(name, all)
    }

    /// The answer to `HEAD`: the same headers, and nothing is done.
    pub(super) fn head(self, name: Option<&str>) -> HttpResponse {
        self.headed(name, Unsaid)
    }

    fn headed(self, name: Option<&str>, body: impl MessageBody + 'static) -> HttpResponse {
        let mut response = answer::typed(StatusCode::OK, self.content_type, body);
        let headers = response.headers_mut();
        // It is compressed already, and what compresses keeps what it has until it is enough.
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("identity"));
        let disposition = name.map(|name| format!("attachment; filename=\"{name}\""));
        if let Some(value) = disposition.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(CONTENT_DISPOSITION, value);
        }
        response
    }
}

struct Streamed {
    form: Form,
    tick: Interval,
    next: Next,
}

enum Next {
    First(Pin<Box<dyn Future<Output = Rest>>>),
    Rest(Pin<Box<dyn Future<Output = Rest>>>),
    End,
}

impl MessageBody for Streamed {
    type Error = CutOff;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, CutOff>>> {
        let this = &mut *self;
        let mut rest = match std::mem::replace(&mut this.next, Next::End) {
            Next::First(rest) => {
                this.next = Next::Rest(rest);
                return Poll::Ready(Some(Ok(Bytes::from_static(this.form.first))));
            }
            Next::Rest(rest) => rest,
            Next::End => return Poll::Ready(None),
        };
        if let Poll::Ready(rest) = rest.as_mut().poll(context) {
            return Poll::Ready(Some(rest.ok_or(CutOff)));
        }
        this.next = Next::Rest(rest);
        let nothing = Bytes::from_static(this.form.nothing);
        this.tick.poll_tick(context).map(|_| Some(Ok(nothing)))
    }
}

/// Nothing, of a length that nobody knows: the body of an answer to `HEAD`.
pub(super) struct Unsaid;

impl MessageBody for Unsaid {
    type Error = CutOff;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, CutOff>>> {
        Poll::Ready(None)
    }
}

/// That there is no rest.
#[derive(Debug)]
pub(super) struct CutOff;

impl fmt::Display for CutOff {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a profile that had begun could not be written")
    }
}

impl std::error::Error for CutOff {}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::BoxBody;
    use std::future::{pending, poll_fn, ready};
    use tokio::sync::oneshot;

    type Body = Pin<Box<BoxBody>>;

    async fn next(body: &mut Body) -> Option<Result<Bytes, String>> {
        let next = poll_fn(|context| body.as_mut().poll_next(context)).await;
        next.map(|part| part.map_err(|error| error.to_string()))
    }

    #[actix_web::test]
    async fn it_begins_at_once_shows_life_and_ends_with_the_rest() {
        let (tell, told) = oneshot::channel();
        let response = PROFILE.answer(Some("profile"), async move { told.await.ok() });
        assert_eq!(response.headers().get(CONTENT_ENCODING).unwrap(), "identity");
        assert_eq!(response.headers().get(CONTENT_DISPOSITION).unwrap(), "attachment; filename=\"profile\"");
        let mut body = Box::pin(response.into_body());
        assert_eq!(next(&mut body).await.unwrap().unwrap(), gzip::HEADER);
        assert_eq!(next(&mut body).await.unwrap().unwrap(), gzip::NOTHING);
        tell.send(Bytes::from_static(b"rest")).unwrap();
        assert_eq!(next(&mut body).await.unwrap().unwrap(), "rest");
        assert!(next(&mut body).await.is_none());
    }

    #[actix_web::test]
    async fn without_a_rest_it_is_cut_off() {
        let mut body = Box::pin(SVG.answer(None, ready(None)).into_body());
        assert_eq!(next(&mut body).await.unwrap().unwrap(), SVG.first);
        assert!(next(&mut body).await.unwrap().unwrap_err().contains("could not be written"));
        assert!(next(&mut body).await.is_none());
    }

    #[actix_web::test]
    async fn dropping_it_drops_what_it_waits_for() {
        let (guard, dropped) = oneshot::channel::<()>();
        let response = PROFILE.answer(None, async move {
            let _guard = guard;
            pending().await
        });
        drop(response);
        assert!(dropped.await.is_err());
    }
}
