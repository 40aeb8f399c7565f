//! A configuration while it is put together, layer by layer.

use std::collections::BTreeMap;

use super::{Config, schema};
use crate::error::Origin;

/// What has been said so far, and by whom.
pub(super) struct Draft {
    pub(super) config: Config,
    /// Who said what is there, by the path of the key.
    pub(super) said: BTreeMap<String, Said>,
    pub(super) scope: Scope,
}

/// Where a value came from.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) origin: Origin,
    /// The value as the file has it, where that refers to variables, which must not be shown.
    pub(super) written: Option<String>,
}

/// How much of a configuration something will use. What nothing uses is not looked at: a value there may be anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All of it.
    Everything,
    /// What is measured, on a provider that the application brought with its own resource and exporters.
    Measuring,
}

impl Draft {
    pub(super) fn new(scope: Scope) -> Self {
        Draft { config: Config::default(), said: BTreeMap::new(), scope }
    }

    /// Remembers who set the key at `path`, and forgets who set what was in it.
    pub(super) fn note(&mut self, path: &str, origin: Origin, written: Option<String>) {
        self.said.retain(|known, _| !schema::is_in(known, path));
        self.said.insert(path.to_owned(), Said { origin, written });
    }
}

impl Scope {
    /// Whether the value of the key at `path` must be right.
    pub(super) fn has(self, path: &str) -> bool {
        // The time limit of a flush is taken when it can be.
        const EXPORT: [&str; 6] =
            ["metrics.exporters", "metrics.interval", "metrics.timeout", "otlp", "resource", "service"];
        self == Scope::Everything || !EXPORT.into_iter().any(|key| schema::is_in(path, key))
    }
}
