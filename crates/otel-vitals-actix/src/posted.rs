//! What a client posts, and one of us reads: no more than [`MOST`], and no longer than [`PATIENCE`].

use actix_web::HttpResponse;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, BytesMut};
use futures_core::Stream;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::timeout;

use crate::answer;

/// Bytes. Some three thousand addresses.
const MOST: usize = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(5);

/// All of it, or what the client is told instead.
pub(crate) async fn read(payload: &mut Payload) -> Result<Bytes, Refused> {
    timeout(PATIENCE, whole(payload)).await.unwrap_or(Err(Refused::Late))
}

/// Why it was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    TooMuch,
    Broken,
    Late,
}

impl Refused {
    pub(crate) fn answer(self) -> HttpResponse {
        let (status, text) = match self {
            Refused::TooMuch => (StatusCode::PAYLOAD_TOO_LARGE, "no more than 64 KiB are read at a time\n"),
            Refused::Broken => (StatusCode::BAD_REQUEST, "the body cannot be read\n"),
            Refused::Late => (StatusCode::REQUEST_TIMEOUT, "the body has not come within five seconds\n"),
        };
        answer::text(status, text)
    }
}

async fn whole(payload: &mut Payload) -> Result<Bytes, Refused> {
    let mut read = BytesMut::new();
    while let Some(part) = poll_fn(|context| Pin::new(&mut *payload).poll_next(context)).await {
        let part = part.map_err(|_| Refused::Broken)?;
        if read.len() + part.len() > MOST {
            return Err(Refused::TooMuch);
        }
        read.extend_from_slice(&part);
    }
    Ok(read.freeze())
}
