//! What was measured, before anybody asked for names.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A profile: stacks, and what was measured of each.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What the values of each sample are, in their order.
    pub(crate) types: Vec<ValueType>,
    /// The type that tools show at first.
    pub(crate) default_type: &'static str,
    /// What one sample stands for, on average.
    pub(crate) period: Option<(ValueType, i64)>,
    pub(crate) time: SystemTime,
    pub(crate) duration: Option<Duration>,
    pub(crate) comments: Vec<String>,
    pub(crate) samples: Vec<Sample>,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ValueType {
    pub(crate) kind: &'static str,
    pub(crate) unit: &'static str,
}

/// What was measured of one stack.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// The leaf first.
    pub(crate) stack: Arc<[Frame]>,
    /// One for each type.
    pub(crate) values: Vec<i64>,
    pub(crate) labels: Vec<(&'static str, Label)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Frame {
    /// An address in the instruction that was running: of the leaf of a CPU profile it is that one's own, of a caller one less
    /// than where the call returns to.
    Code(u64),
    /// What has no address: a thread, a runtime.
    Named(Arc<str>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Label {
    Text(Arc<str>),
    Number(i64, &'static str),
}
