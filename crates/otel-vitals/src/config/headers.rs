//! Headers of an OTLP request, whose values are secret.

#[cfg(any(feature = "grpc", feature = "http"))]
use http::{HeaderMap, HeaderName, HeaderValue};
use std::fmt;

/// Headers that are sent with every request. Values never show in `Debug` output, logs or errors.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Sets the header `name`, whatever its upper and lower case, to `value`.
    pub fn insert(&mut self, name: &str, value: impl Into<String>) {
        let name = name.to_ascii_lowercase();
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value.into()));
    }

    /// Names, in lower case, and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The headers as the transports take them, marked as sensitive, which keeps HTTP/2 from remembering and
    /// printing them. What is no header, which [`Config::validate`](super::Config::validate) refuses, is left out.
    #[cfg(any(feature = "grpc", feature = "http"))]
    pub(crate) fn to_map(&self) -> HeaderMap {
        let header = |(name, value)| {
            let name = HeaderName::from_bytes(str::as_bytes(name)).ok()?;
            let mut value = HeaderValue::from_str(value).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        };
        self.iter().filter_map(header).collect()
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Headers::default();
        for (name, value) in pairs {
            headers.insert(name.as_ref(), value);
        }
        headers
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, _)| (name, format_args!("<redacted>")))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ignore_case_and_the_last_value_wins() {
        let headers: Headers =
            [("Api-Key", "old"), ("tenant", "a"), ("API-KEY", "new")].into_iter().collect();
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("tenant", "a"), ("api-key", "new")]);
    }

    #[test]
    fn values_are_never_printed() {
        let headers: Headers = [("authorization", "Bearer s3cr3t")].into_iter().collect();
        assert_eq!(format!("{headers:?}"), r#"{"authorization": <redacted>}"#);
        assert!(!format!("{headers:#?}").contains("s3cr3t"));
    }
}
