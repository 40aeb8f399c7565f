//! Published variables, as Go's `expvar` has them: named values that `/debug/vars` shows to whoever looks.
//!
//! ```
//! use otel_vitals::vars::Counter;
//! use std::collections::BTreeMap;
//!
//! # let provider = opentelemetry_sdk::metrics::SdkMeterProvider::default();
//! # let vitals = otel_vitals::Vitals::builder().meter_provider(provider).start()?;
//! let requests = Counter::new();
//! vitals.vars().publish("requests", requests.clone())?;
//! vitals.vars().publish("queue", || BTreeMap::from([("waiting", 3), ("running", 1)]))?;
//!
//! requests.add(1);
//! assert!(vitals.vars().to_json().contains("\"requests\": 1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A metric is what a collector asks for every minute and keeps; a variable is what somebody looks up when something is
//! odd. It costs nothing until then.

mod json;
mod kinds;
mod standard;
mod value;

pub use kinds::{Counter, Gauge, Map, Text};
pub use value::Value;

use otel_vitals_core::{caught, quietly};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use standard::Standard;

/// Something with a value that can be looked at: a [`Counter`], a [`Gauge`], a [`Text`], a [`Map`], or a closure that
/// returns what a [`Value`] can be made of.
pub trait Var: Send + Sync {
    /// The value now.
    fn value(&self) -> Value;
}

impl<F, V> Var for F
where
    F: Fn() -> V + Send + Sync,
    V: Into<Value>,
{
    fn value(&self) -> Value {
        self().into()
    }
}

/// The published variables. Cheap to clone; clones are the same variables.
#[derive(Clone)]
pub struct Vars {
    published: Arc<Mutex<BTreeMap<String, Arc<Published>>>>,
    standard: Standard,
}

struct Published {
    var: Box<dyn Var>,
    /// Whether it was logged that it panics.
    has_panicked: AtomicBool,
}

/// Why a variable was not published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The name is empty.
    #[error("a published variable needs a name, found an empty one")]
    Unnamed,
    /// Another variable has the name.
    #[error("expected a name that no published variable has, found {name:?}")]
    Taken {
        /// The name.
        name: String,
    },
}

impl Vars {
    pub(crate) fn new(standard: Standard) -> Self {
        Vars { published: Arc::default(), standard }
    }

    /// Shows `var` under `name`.
    ///
    /// A closure is called whenever somebody looks, on a thread that may wait: it may take a lock, and should not take long.
    /// One that panics costs its own value only, which is `null` then.
    ///
    /// # Errors
    /// [`PublishError`] when the name is empty, or another variable has it, such as `memstats`.
    pub fn publish(&self, name: impl Into<String>, var: impl Var + 'static) -> Result<(), PublishError> {
        self.publish_boxed(name.into(), Box::new(var))
    }

    pub(crate) fn publish_boxed(&self, name: String, var: Box<dyn Var>) -> Result<(), PublishError> {
        let mut published = self.lock();
        check(&name, |name| published.contains_key(name))?;
        let var = Published { var, has_panicked: AtomicBool::new(false) };
        published.insert(name, Arc::new(var));
        Ok(())
    }

    /// Shows the variable no more, and tells whether there was one.
    pub fn remove(&self, name: &str) -> bool {
        let removed = self.lock().remove(name);
        // The closure may hold anything, whose drop may come back here.
        removed.is_some()
    }

    /// All of them, those that are always there included, as `expvar` writes them: one on a line, sorted by name.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Nothing of the application's is called under the lock.
        let published: Vec<_> =
            self.lock().iter().map(|(name, var)| (name.clone(), Arc::clone(var))).collect();
        let mut values = self.standard.values();
        values.extend(published.into_iter().map(|(name, var)| {
            let value = json::written(&var.value(&name));
            (name, value)
        }));
        json::document(&values)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Published>>> {
        // The map is whole at any time.
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether all of `names` can be published where nothing is yet.
pub(crate) fn check_all<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<(), PublishError> {
    let mut seen = BTreeSet::new();
    names.into_iter().try_for_each(|name| check(name, |name| !seen.insert(name.to_owned())))
}

fn check(name: &str, is_taken: impl FnOnce(&str) -> bool) -> Result<(), PublishError> {
    match name {
        "" => Err(PublishError::Unnamed),
        name if standard::NAMES.contains(&name) || is_taken(name) => {
            Err(PublishError::Taken { name: name.to_owned() })
        }
        _ => Ok(()),
    }
}

impl Published {
    fn value(&self, name: &str) -> Value {
        caught(|| self.var.value()).unwrap_or_else(|| {
            if !self.has_panicked.swap(true, Ordering::Relaxed) {
                quietly(|| {
                    tracing::error!(target: "otel_vitals", name, "a published variable panics, and is shown as null");
                });
            }
            Value::Null
        })
    }
}

impl fmt::Debug for Vars {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let published = self.lock();
        formatter.debug_struct("Vars").field("published", &published.keys()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
