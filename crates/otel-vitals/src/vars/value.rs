//! What a variable can hold.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// The value of a published variable.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing that could be told.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A whole number that is not negative.
    Unsigned(u64),
    /// Any number; what JSON has no number for is shown as null.
    Float(f64),
    /// Text.
    Text(String),
    /// Several of them.
    List(Vec<Value>),
    /// Several with names.
    Map(BTreeMap<String, Value>),
}

macro_rules! from {
    ($variant:ident: $($kind:ty),+) => {$(
        impl From<$kind> for Value {
            fn from(value: $kind) -> Self {
                Value::$variant(value.into())
            }
        }
    )+};
}

from!(Bool: bool);
from!(Integer: i8, i16, i32, i64);
from!(Unsigned: u8, u16, u32, u64);
from!(Float: f32, f64);
from!(Text: String, &str, Box<str>, Cow<'_, str>, char);

impl From<()> for Value {
    fn from((): ()) -> Self {
        Value::Null
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Value::Unsigned(value as u64)
    }
}

impl From<isize> for Value {
    fn from(value: isize) -> Self {
        Value::Integer(value as i64)
    }
}

/// Seconds.
impl From<Duration> for Value {
    fn from(value: Duration) -> Self {
        Value::Float(value.as_secs_f64())
    }
}

impl<V: Into<Value>> From<Option<V>> for Value {
    fn from(value: Option<V>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// What is an error is shown as its text.
impl<V: Into<Value>, E: std::fmt::Display> From<Result<V, E>> for Value {
    fn from(value: Result<V, E>) -> Self {
        value.map_or_else(|error| Value::Text(error.to_string()), Into::into)
    }
}

impl<V: Into<Value>> From<Vec<V>> for Value {
    fn from(items: Vec<V>) -> Self {
        Value::List(items.into_iter().map(Into::into).collect())
    }
}

impl<V: Into<Value>, const N: usize> From<[V; N]> for Value {
    fn from(items: [V; N]) -> Self {
        Value::List(items.into_iter().map(Into::into).collect())
    }
}

impl<K: Into<String>, V: Into<Value>> From<BTreeMap<K, V>> for Value {
    fn from(map: BTreeMap<K, V>) -> Self {
        named(map)
    }
}

impl<K: Into<String>, V: Into<Value>, S> From<HashMap<K, V, S>> for Value {
    fn from(map: HashMap<K, V, S>) -> Self {
        named(map)
    }
}

fn named<K: Into<String>, V: Into<Value>>(pairs: impl IntoIterator<Item = (K, V)>) -> Value {
    Value::Map(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
}
