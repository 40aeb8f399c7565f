//! What a client sends with a request, and nobody reads.
//!
//! Actix reads what is left of a body in chunks when nobody else does, for as long as the client likes, and keeps the connection for it. While
//! somebody could still read it, and the answer is sent, it closes the connection instead.

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::Payload;
use actix_web::web::Bytes;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The response, which holds what came with the request until it has been sent.
pub(crate) fn held(response: HttpResponse, payload: Payload) -> HttpResponse {
    match payload {
        Payload::None => response,
        payload => response.map_body(|_, body| BoxBody::new(Held { body, _payload: payload })),
    }
}

struct Held {
    body: BoxBody,
    _payload: Payload,
}

impl MessageBody for Held {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_pin_mut().poll_next(context)
    }
}
