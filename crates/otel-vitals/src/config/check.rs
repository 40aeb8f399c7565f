//! What a configuration must be as a whole, wherever its parts came from.

mod monitor;

use super::draft::{Draft, Said, Scope};
use super::schema::{self, Kind};
use super::{Compression, Config, Endpoint, ExporterKind, Protocol};
use crate::error::{ConfigError, Found, Origin, Problem};

/// A value that does not do.
pub(super) struct Complaint {
    key: String,
    problem: Problem,
    /// Where to look for who said so, the most precise place first.
    places: Vec<String>,
}

impl Complaint {
    pub(super) fn new(key: impl Into<String>, found: Found, expected: impl Into<String>) -> Self {
        Self::of(key, Problem::Wrong { found, expected: expected.into() })
    }

    pub(super) fn of(key: impl Into<String>, problem: Problem) -> Self {
        let key = key.into();
        Complaint { places: vec![key.clone()], key, problem }
    }

    /// Looks at `place` first.
    pub(super) fn first_at(mut self, place: impl Into<String>) -> Self {
        self.places.insert(0, place.into());
        self
    }

    /// Looks at `place` when nobody said anything at those before.
    pub(super) fn or_at(mut self, place: impl Into<String>) -> Self {
        self.places.push(place.into());
        self
    }

    /// The error of a value that code has set.
    pub(super) fn in_code(self) -> ConfigError {
        self.at(Origin::Code)
    }

    fn at(self, origin: Origin) -> ConfigError {
        ConfigError::new(origin, Some(&self.key), self.problem)
    }
}

impl Draft {
    /// Finds what is wrong in the whole, which has been set field by field already.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        self.config.check(self.scope).map_err(|mut complaint| {
            let Some(Said { origin, written }) =
                complaint.places.iter().find_map(|place| self.said.get(place))
            else {
                return complaint.in_code();
            };
            if let (Some(written), Problem::Wrong { found, .. }) = (written, &mut complaint.problem) {
                *found = as_written(found.clone(), written);
            }
            complaint.at(origin.clone())
        })
    }
}

/// What was found, without what a reference to a variable stands for.
fn as_written(found: Found, written: &str) -> Found {
    match found {
        Found::Text(_) => Found::text(&super::endpoint::shown(written)),
        Found::File { reason, .. } => Found::File { path: written.into(), reason },
        other => other,
    }
}

impl Config {
    /// Finds what is wrong with values that code has set: times out of range, an endpoint that is none,
    /// certificates that cannot be read, two routes that are one, an empty password.
    ///
    /// A start does this by itself.
    ///
    /// # Errors
    /// [`ConfigError`] for the first value that does not do.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.validate_for(Scope::Everything)
    }

    /// The same, where only what is in `scope` must be right.
    pub(crate) fn validate_for(&self, scope: Scope) -> Result<(), ConfigError> {
        self.fields(scope).map_err(|(key, problem)| ConfigError::new(Origin::Code, Some(&key), problem))?;
        self.check(scope).map_err(Complaint::in_code)
    }

    /// Field by field, what a file or the environment could not have set.
    fn fields(&self, scope: Scope) -> Result<(), (String, Problem)> {
        let mut config = self.clone();
        for entry in schema::entries().into_iter().filter(|entry| scope.has(&entry.path)) {
            let Kind::Field(field) = entry.kind else { continue };
            if let Some((found, expected)) = field.wrong(&mut config) {
                return Err((entry.path, Problem::Wrong { found, expected: expected.0 }));
            }
        }
        Ok(())
    }

    /// What only shows in the whole. What nothing will use is not looked at.
    fn check(&self, scope: Scope) -> Result<(), Complaint> {
        // Routes are served whether anything is measured or not.
        self.monitor.check()?;
        if self.disabled {
            return Ok(());
        }
        if let Some(root) = self.metrics.host.root_path.as_deref().filter(|root| !root.is_dir()) {
            let reason = "is no folder that can be read".to_owned();
            let found = Found::File { path: root.to_owned(), reason };
            let expected = "the folder that the host's file system is mounted under";
            return Err(Complaint::new("metrics.host.root_path", found, expected));
        }
        if scope == Scope::Everything && self.metrics.exporters.contains(&ExporterKind::Otlp) {
            self.check_features()?;
            self.check_endpoint()?;
            self.otlp.authorities()?;
            self.otlp.identity()?;
        }
        Ok(())
    }

    fn check_features(&self) -> Result<(), Complaint> {
        let (protocol, feature, there) = match self.otlp.protocol {
            Protocol::Grpc => ("grpc", "grpc", cfg!(feature = "grpc")),
            Protocol::HttpProtobuf => ("http/protobuf", "http", cfg!(feature = "http")),
            Protocol::HttpJson => ("http/json", "http", cfg!(feature = "http")),
        };
        let missing = |key, found, feature: &str| {
            let expected = format!("a build of otel-vitals with its feature {feature}");
            Err(Complaint::new(key, Found::text(found), expected))
        };
        if !there {
            return missing("otlp.protocol", protocol, feature);
        }
        if self.otlp.compression == Compression::Gzip && !cfg!(feature = "gzip") {
            return missing("otlp.compression", "gzip", "gzip");
        }
        let url = self.otlp.url();
        if url.starts_with("https:") && !cfg!(feature = "tls") {
            return missing(self.endpoint_key(), &super::endpoint::shown(&url), "tls");
        }
        Ok(())
    }

    fn check_endpoint(&self) -> Result<(), Complaint> {
        let Some(Endpoint::Base(text) | Endpoint::Exact(text)) = &self.otlp.endpoint else { return Ok(()) };
        self.otlp.check_url().map_err(|expected| {
            Complaint::new(self.endpoint_key(), Found::text(&super::endpoint::shown(text)), expected)
        })
    }

    /// The key that the endpoint was set by.
    fn endpoint_key(&self) -> &'static str {
        match self.otlp.endpoint {
            Some(Endpoint::Exact(_)) => "otlp.metrics_endpoint",
            Some(Endpoint::Base(_)) | None => "otlp.endpoint",
        }
    }
}
