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
pub struct Users(BTreeMap<String, String>);

/// Bearer tokens, any of which does. They are never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tokens(Vec<String>);

/// Stands where a secret would.
struct Hidden;

impl Users {
    /// Names and passwords.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, password)| (name.as_str(), password.as_str()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Tokens {
    /// The tokens.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<String>, P: Into<String>> FromIterator<(N, P)> for Users {
    fn from_iter<I: IntoIterator<Item = (N, P)>>(users: I) -> Self {
        Users(users.into_iter().map(|(name, password)| (name.into(), password.into())).collect())
    }
}

impl<T: Into<String>> FromIterator<T> for Tokens {
    fn from_iter<I: IntoIterator<Item = T>>(tokens: I) -> Self {
        Tokens(tokens.into_iter().map(Into::into).collect())
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.keys().map(|name| (name, Hidden))).finish()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|_| Hidden)).finish()
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<hidden>")
    }
}
