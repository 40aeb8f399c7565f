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

/// All of it, or what the client is answered instead.
pub(crate) async fn read(payload: &mut Payload) -> Result<Bytes, HttpResponse> {
    let refused = |status, text: &'static str| Err(answer::text(status, text));
    match timeout(PATIENCE, whole(payload)).await {
        Ok(Whole::Read(bytes)) => Ok(bytes),
        Ok(Whole::TooMuch) => {
            refused(StatusCode::PAYLOAD_TOO_LARGE, "no more than 64 KiB are read at a time\n")
        }
        Ok(Whole::Broken) => refused(StatusCode::BAD_REQUEST, "the body cannot be read\n"),
        Err(_) => refused(StatusCode::REQUEST_TIMEOUT, "the body has not come within five seconds\n"),
    }
}

enum Whole {
    Read(Bytes),
    TooMuch,
    Broken,
}

async fn whole(payload: &mut Payload) -> Whole {
    let mut read = BytesMut::new();
    while let Some(part) = poll_fn(|context| Pin::new(&mut *payload).poll_next(context)).await {
        match part {
            Ok(part) if read.len() + part.len() <= MOST => read.extend_from_slice(&part),
            Ok(_) => return Whole::TooMuch,
            Err(_) => return Whole::Broken,
        }
    }
    Whole::Read(read.freeze())
}
