use super::*;
use crate::gate::argon2::tests::hash;
use actix_web::http::header::AUTHORIZATION;
use actix_web::test::TestRequest;
use actix_web_httpauth::headers::authorization::{Basic, Bearer};
use proptest::prelude::*;

fn credentials(users: &[(&str, &str)], tokens: &[&str]) -> Credentials {
    let users = users.iter().copied().collect();
    Credentials::new(&users, &tokens.iter().copied().collect())
}

fn basic(name: &str, password: &str) -> HeaderValue {
    Basic::new(name.to_owned(), Some(password.to_owned())).try_into_value().unwrap()
}

fn bearer(token: &str) -> HeaderValue {
    Bearer::new(token.to_owned()).try_into_value().unwrap()
}

/// What a request from a peer of this number is answered; 200 when it is let in.
async fn asked(credentials: &Credentials, peer: u8, header: Option<HeaderValue>) -> (u16, HttpResponse) {
    let mut request = TestRequest::default().peer_addr(SocketAddr::from(([192, 0, 2, peer], 9)));
    if let Some(header) = header {
        request = request.insert_header((AUTHORIZATION, header));
    }
    let refusal = credentials.refuse(&request.to_http_request()).await;
    let response = refusal.unwrap_or_else(|| HttpResponse::new(StatusCode::OK));
    (response.status().as_u16(), response)
}

fn unsure(credentials: &Credentials, name: &str, password: &str) -> Option<Option<usize>> {
    match credentials.users.look(credentials.keyed.as_ref().unwrap(), name, password) {
        Known::Unsure(question) => Some(question.user),
        Known::Right | Known::Wrong => None,
    }
}

#[actix_web::test]
async fn a_password_is_held_against_one_hash_whoever_it_is_of() {
    let hash = hash("slow");
    let credentials = credentials(&[("plain", "quick"), ("hashed", &hash), ("other", &hash)], &[]);
    // In the order of names.
    assert_eq!(unsure(&credentials, "hashed", "wrong"), Some(Some(0)));
    assert_eq!(unsure(&credentials, "other", "wrong"), Some(Some(1)));
    assert_eq!(unsure(&credentials, "plain", "wrong"), Some(None), "a decoy");
    assert_eq!(unsure(&credentials, "nobody", "wrong"), Some(None), "a decoy");
    assert_eq!(unsure(&credentials, "plain", "quick"), None, "that one is right");

    assert_eq!(unsure(&credentials, "hashed", "slow"), Some(Some(0)));
    assert_eq!(asked(&credentials, 1, Some(basic("hashed", "slow"))).await.0, 200);
    assert_eq!(unsure(&credentials, "hashed", "slow"), None, "what was right is remembered");
    assert_eq!(unsure(&credentials, "other", "slow"), Some(Some(1)), "of the one who it was of");
    assert_eq!(asked(&credentials, 1, Some(basic("hashed", "slow "))).await.0, 401);
    assert_eq!(unsure(&credentials, "hashed", "slow "), Some(Some(0)), "what was wrong is not");
    assert_eq!(asked(&credentials, 1, Some(basic("nobody", "slow"))).await.0, 401);
    assert_eq!(asked(&credentials, 1, Some(basic("plain", "slow"))).await.0, 401);
}

#[actix_web::test]
async fn a_hash_is_no_password() {
    let hash = hash("slow");
    let credentials = credentials(&[("hashed", &hash), ("broken", "$argon2id$v=19$m=8")], &[]);
    assert_eq!(asked(&credentials, 1, Some(basic("hashed", &hash))).await.0, 401);
    assert_eq!(asked(&credentials, 1, Some(basic("broken", "$argon2id$v=19$m=8"))).await.0, 401);
}

#[actix_web::test]
async fn each_scheme_that_there_is_is_offered() {
    for (users, tokens, offered) in [
        (&[("a", "b")][..], &[][..], &["Basic realm=\"otel-vitals\""][..]),
        (&[], &["t"], &["Bearer realm=\"otel-vitals\""]),
        (&[("a", "b")], &["t"], &["Basic realm=\"otel-vitals\"", "Bearer realm=\"otel-vitals\""]),
        (&[], &[], &["Basic realm=\"otel-vitals\""]),
    ] {
        let (status, response) = asked(&credentials(users, tokens), 1, None).await;
        assert_eq!(status, 401);
        let challenges: Vec<_> = response.headers().get_all(WWW_AUTHENTICATE).collect();
        assert_eq!(challenges, offered);
    }
}

#[actix_web::test]
async fn who_fails_too_often_waits_even_when_he_is_right() {
    let credentials = credentials(&[("admin", "secret")], &["token"]);
    for _ in 0..100 {
        assert_eq!(asked(&credentials, 1, None).await.0, 401, "who shows nothing has not failed");
    }
    let wrong = [basic("admin", "wrong"), bearer("wrong"), HeaderValue::from_static("nonsense")];
    for wrong in wrong.iter().cycle().take(10) {
        assert_eq!(asked(&credentials, 1, Some(wrong.clone())).await.0, 401);
    }
    for header in [Some(basic("admin", "secret")), Some(bearer("token")), Some(bearer("wrong")), None] {
        let (status, response) = asked(&credentials, 1, header).await;
        assert_eq!(status, 429);
        assert!(
            ["1", "2"].map(HeaderValue::from_static).contains(response.headers().get("retry-after").unwrap())
        );
    }
    assert_eq!(asked(&credentials, 2, Some(basic("admin", "secret"))).await.0, 200, "another peer need not");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Of all credentials only the ones that are configured are let in.
    #[test]
    fn nothing_else_is_let_in(
        (name, password) in ("[a-c]{1,3}", "[a-c:ä]{1,3}"),
        (other_name, other_password) in ("[a-c]{0,3}", "[a-c:ä]{0,3}"),
        (token, other_token) in ("[a-c]{1,3}", "[a-c]{0,3}"),
    ) {
        let credentials = credentials(&[(&name, &password)], &[&token]);
        let system = actix_web::rt::Runtime::new().unwrap();
        let status = |header| system.block_on(asked(&credentials, 1, Some(header))).0;
        prop_assert_eq!(status(basic(&name, &password)), 200);
        prop_assert_eq!(status(bearer(&token)), 200);
        prop_assert_eq!(status(basic(&other_name, &other_password)) == 200, (&name, &password) == (&other_name, &other_password));
        prop_assert_eq!(status(bearer(&other_token)) == 200, token == other_token);
        prop_assert_eq!(status(bearer(&password)) == 200, token == password);
        prop_assert_eq!(status(basic(&token, &token)) == 200, (&name, &password) == (&token, &token));
    }
}

/// The application's, and broken.
struct Panicking;

impl tracing::Subscriber for Panicking {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        panic!("of the test");
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[actix_web::test]
async fn a_subscriber_that_panics_shuts_nobody_out() {
    let (hash, costly) = (hash("slow"), hash("other").replace("t=1", "t=2"));
    let users =
        [("admin", "secret"), ("broken", "$argon2id"), ("costly", &costly), ("empty", ""), ("hashed", &hash)];
    let credentials = tracing::subscriber::with_default(Panicking, || credentials(&users, &["", "token"]));
    assert_eq!(asked(&credentials, 1, Some(basic("admin", "secret"))).await.0, 200);
    assert_eq!(asked(&credentials, 1, Some(basic("hashed", "slow"))).await.0, 200);
    assert_eq!(asked(&credentials, 1, Some(bearer("token"))).await.0, 200);
    assert_eq!(asked(&credentials, 1, Some(basic("broken", "$argon2id"))).await.0, 401);
}

/// Of several milliseconds.
fn slow_hash(password: &str) -> String {
    use argon2::{Argon2, ParamsBuilder, PasswordHasher};
    let parameters = ParamsBuilder::new().m_cost(1024).t_cost(2).p_cost(1).build().unwrap();
    let hashed = Argon2::from(parameters).hash_password_with_salt(password.as_bytes(), b"salt of the test");
    hashed.unwrap().to_string()
}

/// What there is in the end; a verification goes on meanwhile.
async fn until_asked(credentials: &Credentials, header: Option<HeaderValue>, expected: u16) -> Vec<u16> {
    let mut statuses = Vec::new();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while statuses.last() != Some(&expected) {
        assert!(std::time::Instant::now() < deadline, "{statuses:?}");
        statuses.push(asked(credentials, 1, header.clone()).await.0);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    statuses
}

#[actix_web::test]
async fn a_right_password_that_takes_longer_than_one_waits_gets_in_at_the_next_request() {
    // More than may fail: nothing of it is held against the peer.
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"];
    let hash = slow_hash("slow");
    let mut credentials = credentials(&names.map(|name| (name, hash.as_str())), &[]);
    credentials.turns = Turns::new(Duration::ZERO);
    for name in names {
        let statuses = until_asked(&credentials, Some(basic(name, "slow")), 200).await;
        assert!(statuses.iter().all(|status| [503, 200].contains(status)), "{statuses:?}");
    }
}

#[actix_web::test]
async fn a_wrong_one_that_takes_longer_is_held_against_the_peer() {
    let mut credentials = credentials(&[("slow", &slow_hash("slow"))], &[]);
    credentials.turns = Turns::new(Duration::ZERO);
    let statuses = until_asked(&credentials, Some(basic("slow", "wrong")), 429).await;
    assert!(statuses.contains(&503), "{statuses:?}");
}

#[actix_web::test]
async fn who_leaves_before_he_is_answered_has_tried() {
    let credentials = credentials(&[("slow", &slow_hash("slow"))], &[]);
    let wrong = TestRequest::default()
        .peer_addr(SocketAddr::from(([192, 0, 2, 1], 9)))
        .insert_header((AUTHORIZATION, basic("slow", "wrong")))
        .to_http_request();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while asked(&credentials, 1, None).await.0 != 429 {
        assert!(std::time::Instant::now() < deadline);
        // As when the connection is reset.
        drop(tokio::time::timeout(Duration::ZERO, credentials.refuse(&wrong)).await);
    }
    assert_eq!(asked(&credentials, 2, Some(basic("slow", "slow"))).await.0, 200);
}
