//! Holds what otel-vitals emits against what it says that it emits.
//!
//! | part | what it is |
//! | --- | --- |
//! | [`Registry`] | `semconv/`: our own metrics, and the names of those that we take from the conventions |
//! | [`Conventions`] | `semconv/upstream/`: the rows of the OpenTelemetry semantic conventions behind those names |
//! | [`Notes`] | `docs/metrics-notes.yaml`: for each metric, where it comes from and what its reader must know |
//! | [`rules`] | what weaver enforces on a registry, so that it holds where weaver is not installed |
//! | [`Emitted`] | what was collected, held against all of these |
//! | [`resource`] | the attributes of the resource, likewise |
//! | [`reference`](mod@reference) | `docs/metrics.md`, made of all of these |

mod conventions;
mod emitted;
mod error;
mod metric;
pub mod notes;
pub mod reference;
mod registry;
pub mod resource;
pub mod rules;
#[cfg(test)]
mod sample;

pub use conventions::Conventions;
pub use emitted::Emitted;
pub use error::{Error, Violation, assert_none};
pub use metric::{AttributeUse, Kind, Level, Metric, Origin};
pub use notes::Notes;
pub use registry::{Attribute, Declared, Imports, Manifest, Registry};

use std::path::{Path, PathBuf};

/// Everything of this repository that says what is emitted.
#[derive(Debug)]
pub struct Declaration {
    /// `semconv/`.
    pub registry: Registry,
    /// `semconv/upstream/`.
    pub conventions: Conventions,
    /// `docs/metrics-notes.yaml`.
    pub notes: Notes,
    /// Every metric that is emitted: our own, and the imported ones as the conventions declare them, by name.
    pub metrics: Vec<Metric>,
}

impl Declaration {
    /// Reads the files of this repository.
    ///
    /// # Errors
    /// When one is missing or malformed, or an import or a reference leads nowhere.
    pub fn load() -> Result<Self, Error> {
        let root = root();
        let registry = Registry::load(&root.join("semconv"))?;
        let conventions = Conventions::load(&root.join("semconv/upstream"))?;
        let notes = Notes::load(&root.join("docs/metrics-notes.yaml"))?;
        Declaration::new(registry, conventions, notes)
    }

    /// Puts together what has been read.
    ///
    /// # Errors
    /// When an import or a reference leads nowhere.
    pub fn new(registry: Registry, conventions: Conventions, notes: Notes) -> Result<Self, Error> {
        let metrics = registry.metrics(&conventions)?;
        Ok(Declaration { registry, conventions, notes, metrics })
    }
}

/// The root of this repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
