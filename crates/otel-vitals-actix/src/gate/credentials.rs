//! Who knows a secret: the password of a user, or a token.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, TryIntoHeaderValue, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse};
use actix_web_httpauth::headers::www_authenticate::{basic, bearer};
use otel_vitals::{Tokens as ConfiguredTokens, Users as ConfiguredUsers};
use otel_vitals_core::quietly;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use subtle::{Choice, ConstantTimeEq};

use super::argon2::{PATIENCE, Turns};
use super::authorization::{LONGEST, Presented};
use super::digest::{Digest, Keyed};
use super::throttle::Throttle;
use super::users::{Known, Users};
use crate::answer;

/// What a browser shows when it asks for a password.
const REALM: &str = "otel-vitals";

/// Lets those in who know a secret.
pub(super) struct Credentials {
    /// None without randomness; then nobody is let in.
    keyed: Option<Keyed>,
    users: Arc<Users>,
    tokens: Vec<Digest>,
    challenges: Vec<HeaderValue>,
    turns: Turns,
    throttle: Arc<Throttle>,
}

/// What credentials came to.
enum Verdict {
    Right,
    /// And held against the peer.
    Wrong,
    /// Too many at once, or too slow: nothing was found out in time.
    Busy,
    /// While this one waited, others of the same peer failed too often.
    Throttled(Duration),
}

impl Credentials {
    pub(super) fn new(users: &ConfiguredUsers, tokens: &ConfiguredTokens) -> Self {
        let keyed = Keyed::new();
        if keyed.is_none() {
            quietly(
                || tracing::error!(target: "otel_vitals", "the system gives no random bytes: nobody is let in behind monitor.security"),
            );
        }
        let known = keyed.as_ref().map(|keyed| Users::new(keyed, users)).unwrap_or_default();
        let digests = keyed.as_ref().map(|keyed| token_digests(keyed, tokens)).unwrap_or_default();
        // Without any secret a challenge is due all the same.
        let basic = !known.is_empty() || digests.is_empty();
        let basic = basic.then(|| basic::Basic::with_realm(REALM).try_into_value());
        let bearer =
            (!digests.is_empty()).then(|| bearer::Bearer::build().realm(REALM).finish().try_into_value());
        let challenges = [basic, bearer].into_iter().flatten().flatten().collect();
        let (turns, throttle) = (Turns::new(PATIENCE), Arc::new(Throttle::new()));
        Credentials { keyed, users: Arc::new(known), tokens: digests, challenges, turns, throttle }
    }

    /// What a request is answered that knows no secret; nothing when it knows one.
    pub(super) async fn refuse(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let peer = request.peer_addr().as_ref().map(SocketAddr::ip);
        // Before anything is looked at: what a peer that has to wait sends is not tried.
        if let Some(wait) = self.throttle.wait(peer) {
            return Some(throttled(wait));
        }
        let verdict = match Presented::in_headers(request.headers()) {
            Presented::Nothing => return Some(self.unauthorized()),
            Presented::Malformed => self.wrong(peer),
            Presented::Token(token) => self.token(peer, &token),
            Presented::Password { user, password } => self.password(peer, &user, password).await,
        };
        match verdict {
            Verdict::Right => None,
            Verdict::Wrong => Some(self.unauthorized()),
            Verdict::Busy => Some(answer::later(
                StatusCode::SERVICE_UNAVAILABLE,
                Duration::from_secs(1),
                "too many log in at once\n",
            )),
            Verdict::Throttled(wait) => Some(throttled(wait)),
        }
    }

    fn token(&self, peer: Option<IpAddr>, token: &str) -> Verdict {
        let Some(keyed) = &self.keyed else { return self.wrong(peer) };
        let presented = token_of(keyed, token);
        let mut right = Choice::from(0);
        for token in &self.tokens {
            right |= token.ct_eq(&presented);
        }
        if right.into() { Verdict::Right } else { self.wrong(peer) }
    }

    async fn password(&self, peer: Option<IpAddr>, user: &str, password: String) -> Verdict {
        let Some(keyed) = &self.keyed else { return self.wrong(peer) };
        match self.users.look(keyed, user, &password) {
            Known::Right => return Verdict::Right,
            Known::Wrong => return self.wrong(peer),
            Known::Unsure(_) => {}
        }
        let Some(turn) = self.turns.take().await else { return Verdict::Busy };
        // Before it is tried: who leaves meanwhile has tried, and what is tried goes on without him.
        let charge = match self.throttle.charge(peer) {
            Ok(charge) => charge,
            Err(wait) => return Verdict::Throttled(wait),
        };
        // Another request may have found it out meanwhile.
        let question = match self.users.look(keyed, user, &password) {
            Known::Right => return Verdict::Right,
            Known::Wrong => return self.wrong(peer),
            Known::Unsure(question) => question,
        };
        let (users, hash) = (Arc::clone(&self.users), Arc::clone(&question.hash));
        let settle = move |is_of_hash| {
            let right = users.settle(&question, is_of_hash);
            if !right {
                charge.stands();
            }
            right
        };
        match turn.verify(hash, password, settle).await {
            None => Verdict::Busy,
            Some(true) => Verdict::Right,
            Some(false) => Verdict::Wrong,
        }
    }

    /// What was wrong is held against who sent it.
    fn wrong(&self, peer: Option<IpAddr>) -> Verdict {
        self.throttle.failed(peer);
        Verdict::Wrong
    }

    fn unauthorized(&self) -> HttpResponse {
        let mut response = answer::text(StatusCode::UNAUTHORIZED, "credentials are needed here\n");
        for challenge in &self.challenges {
            response.headers_mut().append(WWW_AUTHENTICATE, challenge.clone());
        }
        response
    }
}

fn throttled(wait: Duration) -> HttpResponse {
    answer::later(StatusCode::TOO_MANY_REQUESTS, wait, "too many failed attempts\n")
}

fn token_digests(keyed: &Keyed, tokens: &ConfiguredTokens) -> Vec<Digest> {
    let mut digests = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        // As much as a header that is looked at has room for, beside the name of the scheme.
        if token.is_empty() || token.len() > LONGEST - 16 {
            quietly(
                || tracing::error!(target: "otel_vitals", "monitor.securityToken: token {} is empty or longer than {} bytes; nobody can use it", index + 1, LONGEST - 16),
            );
        } else {
            digests.push(token_of(keyed, token));
        }
    }
    digests
}

fn token_of(keyed: &Keyed, token: &str) -> Digest {
    keyed.digest(&["token", token])
}

#[cfg(test)]
mod tests;
