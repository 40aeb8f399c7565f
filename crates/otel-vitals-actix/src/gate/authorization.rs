//! What a request says of who it is.

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use actix_web_httpauth::headers::authorization::{Basic, Bearer, Scheme};

/// Longer ones are not looked at: nobody shall have us decode and hash what he likes.
pub(super) const LONGEST: usize = 4096;

/// What came in `Authorization`.
pub(super) enum Presented {
    /// Nothing: a browser asks so at first.
    Nothing,
    /// Something that nobody could be known by.
    Malformed,
    /// A name and a password, which is not empty.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token, which is not empty.
    Token(String),
}

impl Presented {
    pub(super) fn in_headers(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(AUTHORIZATION);
        match (values.next(), values.next()) {
            (None, _) => Presented::Nothing,
            (Some(value), None) => Presented::parse(value).unwrap_or(Presented::Malformed),
            // Whoever stands between might look at the other one.
            (Some(_), Some(_)) => Presented::Malformed,
        }
    }

    fn parse(value: &HeaderValue) -> Option<Self> {
        if value.len() > LONGEST {
            return None;
        }
        let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
        let rest = rest.trim_matches(' ');
        // The scheme is of no case (RFC 9110, 11.1), but the parsers want theirs.
        if scheme.eq_ignore_ascii_case("basic") {
            let value = HeaderValue::try_from(format!("Basic {rest}")).ok()?;
            let basic = Basic::parse(&value).ok()?;
            let password = basic.password().filter(|password| !password.is_empty())?.to_owned();
            Some(Presented::Password { user: basic.user_id().to_owned(), password })
        } else if scheme.eq_ignore_ascii_case("bearer") {
            let value = HeaderValue::try_from(format!("Bearer {rest}")).ok()?;
            let token = Bearer::parse(&value).ok()?.token().to_owned();
            (!token.is_empty()).then_some(Presented::Token(token))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn presented(values: &[&[u8]]) -> Presented {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        Presented::in_headers(&headers)
    }

    #[test]
    fn a_name_and_a_password() {
        for value in
            ["Basic YWRtaW46c2VjcmV0OjI=", "basic YWRtaW46c2VjcmV0OjI=", "BASIC  YWRtaW46c2VjcmV0OjI= "]
        {
            let Presented::Password { user, password } = presented(&[value.as_bytes()]) else {
                panic!("{value}")
            };
            assert_eq!(
                (user.as_str(), password.as_str()),
                ("admin", "secret:2"),
                "the password has the colon"
            );
        }
        // jörg:größe
        let Presented::Password { user, password } = presented(&[b"Basic asO2cmc6Z3LDtsOfZQ=="]) else {
            panic!()
        };
        assert_eq!((user.as_str(), password.as_str()), ("jörg", "größe"));
    }

    #[test]
    fn a_token() {
        for value in [&b"Bearer abc.def"[..], b"bearer abc.def", b"BEARER   abc.def"] {
            assert!(matches!(presented(&[value]), Presented::Token(token) if token == "abc.def"));
        }
        assert!(matches!(presented(&[b"Bearer a"]), Presented::Token(token) if token == "a"));
    }

    #[test]
    fn nothing_and_what_is_no_credential() {
        assert!(matches!(presented(&[]), Presented::Nothing));
        let long = [&b"Bearer "[..], &[b'a'; LONGEST]].concat();
        let malformed: [&[u8]; 13] = [
            b"",
            b"Basic",
            b"Basic ",
            b"Basic !!!!",
            b"Basic YWRtaW4=",          // admin
            b"Basic YWRtaW46",          // admin:
            b"Basic //8=",              // not UTF-8
            b"Basic YWRtaW46cw== cw==", // more than one
            b"Bearer ",
            b"Bearer",
            b"Digest username=\"admin\"",
            b"Bearer \xff\xfe",
            &long,
        ];
        for value in malformed {
            assert!(
                matches!(presented(&[value]), Presented::Malformed),
                "{:?}",
                String::from_utf8_lossy(value)
            );
        }
        assert!(matches!(presented(&[b"Bearer a", b"Bearer a"]), Presented::Malformed));
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), scheme in 0..4usize) {
            let scheme = ["", "Basic ", "Bearer ", "bAsIc "][scheme];
            let bytes = [scheme.as_bytes(), &bytes].concat();
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.insert(AUTHORIZATION, value);
                let presented = Presented::in_headers(&headers);
                prop_assert!(!matches!(presented, Presented::Nothing));
            }
        }
    }
}
