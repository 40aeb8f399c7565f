//! Passwords and tokens, which are never printed.

use std::collections::BTreeMap;
use std::fmt;

/// Users and their passwords: plain, or a PHC string of argon2 such as `$argon2id$v=19$m=19456,t=2,p=1$…`, which is never
/// the password itself. Passwords are never printed.
///
/// ```
/// let users: otel_vitals::Users = [("admin", "correct horse battery staple")].into_iter().collect();
/// assert_eq!(format!("{users:?}"), r#"{"admin": <hidden>}"#);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Users(BTreeMap<String, Secret>);

/// Bearer tokens, any of which does. They are never printed.
///
/// ```
/// let tokens: otel_vitals::Tokens = ["mF_9.B5f-4.1JqM"].into_iter().collect();
/// assert_eq!(format!("{tokens:?}"), "[<hidden>]");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tokens(Vec<Secret>);

/// A password or token, or what there is instead of one.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Secret {
    Given(String),
    /// The file refers to this variable, which is not set. Nobody needs it before somebody asks for passwords.
    Unset(String),
    /// The file refers to variables, and what comes out is empty.
    Blank,
}

/// Stands where a secret would.
struct Hidden;

impl Users {
    /// Names and passwords.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(name, password)| Some((name.as_str(), password.given()?)))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Names with passwords, or what the file says instead. Where one variable was to hold them all and is not there,
    /// that stands with the empty name, which no user has.
    pub(super) fn of(secrets: BTreeMap<String, Secret>) -> Self {
        Users(secrets)
    }

    /// What [`of`](Users::of) was told.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.0.iter().map(|(name, secret)| (name.as_str(), secret))
    }
}

impl Tokens {
    /// The tokens.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(Secret::given)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Tokens, or what the file says instead.
    pub(super) fn of(secrets: Vec<Secret>) -> Self {
        Tokens(secrets)
    }

    /// What [`of`](Tokens::of) was told.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.0.iter()
    }
}

impl Secret {
    fn given(&self) -> Option<&str> {
        match self {
            Secret::Given(text) => Some(text),
            Secret::Unset(_) | Secret::Blank => None,
        }
    }
}

impl<N: Into<String>, P: Into<String>> FromIterator<(N, P)> for Users {
    fn from_iter<I: IntoIterator<Item = (N, P)>>(users: I) -> Self {
        let user = |(name, password): (N, P)| (name.into(), Secret::Given(password.into()));
        Users(users.into_iter().map(user).collect())
    }
}

impl<T: Into<String>> FromIterator<T> for Tokens {
    fn from_iter<I: IntoIterator<Item = T>>(tokens: I) -> Self {
        Tokens(tokens.into_iter().map(|token| Secret::Given(token.into())).collect())
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(name, _)| (name, Hidden))).finish()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|_| Hidden)).finish()
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<hidden>")
    }
}
