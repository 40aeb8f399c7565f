//! Variables that a service keeps: counters, gauges, texts and maps. Clones of one are the same variable.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Value, Var};

/// A whole number, `expvar.Int`.
///
/// ```
/// let orders = otel_vitals::vars::Counter::new();
/// orders.add(2);
/// assert_eq!(orders.get(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicI64>);

/// A number, `expvar.Float`.
///
/// ```
/// let temperature = otel_vitals::vars::Gauge::new();
/// temperature.set(36.6);
/// assert_eq!(temperature.get(), 36.6);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicU64>);

/// Text, `expvar.String`.
///
/// ```
/// let leader = otel_vitals::vars::Text::new();
/// leader.set("node-3");
/// assert_eq!(leader.get(), "node-3");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Text(Arc<Mutex<String>>);

/// Values with names, `expvar.Map`.
///
/// ```
/// let answers = otel_vitals::vars::Map::new();
/// answers.add("200", 1);
/// answers.set("last", "/orders");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Map(Arc<Mutex<BTreeMap<String, Value>>>);

impl Counter {
    /// Zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `delta`, which may be negative. Beyond what the number holds it wraps, as Go's does.
    pub fn add(&self, delta: i64) {
        self.0.fetch_add(delta, Ordering::Relaxed);
    }

    /// Sets it.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// What it is.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Gauge {
    /// Zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `delta`, which may be negative.
    pub fn add(&self, delta: f64) {
        let added = |bits| Some((f64::from_bits(bits) + delta).to_bits());
        // It always has something to set.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, added);
    }

    /// Sets it.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// What it is.
    #[must_use]
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

impl Text {
    /// Empty text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets it.
    pub fn set(&self, text: impl Into<String>) {
        *lock(&self.0) = text.into();
    }

    /// What it is.
    #[must_use]
    pub fn get(&self) -> String {
        lock(&self.0).clone()
    }
}

impl Map {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of `key`.
    pub fn set(&self, key: impl Into<String>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        lock(&self.0).insert(key, value);
    }

    /// Adds `delta` to the whole number of `key`, which is zero when there is none. What is no such number stays as it is.
    pub fn add(&self, key: &str, delta: i64) {
        let mut map = lock(&self.0);
        match map.get_mut(key) {
            Some(Value::Integer(number)) => *number = number.wrapping_add(delta),
            Some(_) => {}
            None => drop(map.insert(key.to_owned(), Value::Integer(delta))),
        }
    }

    /// Forgets `key`, and tells whether it was there.
    pub fn remove(&self, key: &str) -> bool {
        lock(&self.0).remove(key).is_some()
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value> {
        lock(&self.0).get(key).cloned()
    }
}

impl Var for Counter {
    fn value(&self) -> Value {
        Value::Integer(self.get())
    }
}

impl Var for Gauge {
    fn value(&self) -> Value {
        Value::Float(self.get())
    }
}

impl Var for Text {
    fn value(&self) -> Value {
        Value::Text(self.get())
    }
}

impl Var for Map {
    fn value(&self) -> Value {
        Value::Map(lock(&self.0).clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it guards is whole at any time.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
