//! What was measured, before anybody asked for names.

use crate::objects::{self, Object};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A profile: stacks, and what was measured of each.
///
/// What is measured are addresses. They get the names of their functions, files and lines when the profile is written:
/// [`pprof`](Self::pprof), [`text`](Self::text), [`collapsed`](Self::collapsed) and [`flamegraph`](Self::flamegraph) do that, and
/// read the debug information of the program for it, so that they belong on no thread that others wait for.
///
/// ```
/// use otel_vitals_profiling::Profile;
///
/// let mut tasks = Profile::counts("tasks", "count", [("runtime main".to_owned(), 12)]);
/// tasks.count(["blocking".to_owned(), "runtime main".to_owned()], [("state", "idle".to_owned())], 3);
/// tasks.comment("alive when this was written");
/// assert_eq!(tasks.total("tasks"), Some(15));
/// assert!(tasks.pprof().starts_with(&[0x1f, 0x8b]));
/// assert!(tasks.text().starts_with("tasks profile: total 15\n"));
/// ```
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
    /// What was loaded when the addresses were; none where there are none yet.
    pub(crate) objects: Option<Vec<Object>>,
    /// Whether stacks begin in an allocator, whose frames are left out when the profile is written so that the leaf is the line
    /// that asked for memory.
    pub(crate) of_allocator: bool,
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

#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "what samples is for Linux"))]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Frame {
    /// An address in the instruction that was running: of the leaf of a CPU profile it is that one's own, of a caller one less
    /// than where the call returns to.
    Code(u64),
    /// What has no address: a thread, a runtime.
    Named(Arc<str>),
}

#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "what samples is for Linux"))]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Label {
    Text(Arc<str>),
    Number(i64, &'static str),
}

/// What makes two samples one: where, and of what.
type Key<'a> = (&'a [Frame], &'a [(&'static str, Label)]);

impl Profile {
    /// A profile of things that are counted by name, such as the tasks of runtimes: `kind` is what they are, in the plural, and
    /// `unit` the unit of the numbers, mostly `count`.
    #[must_use]
    pub fn counts(
        kind: &'static str,
        unit: &'static str,
        items: impl IntoIterator<Item = (String, u64)>,
    ) -> Self {
        let counted = ValueType { kind, unit };
        let mut profile = Profile { period: Some((counted, 1)), ..Profile::empty(vec![counted]) };
        for (name, n) in items {
            profile.count([name], [], n);
        }
        profile
    }

    /// Adds `n` things that have this stack, the innermost name first, and these labels.
    pub fn count(
        &mut self,
        stack: impl IntoIterator<Item = String>,
        labels: impl IntoIterator<Item = (&'static str, String)>,
        n: u64,
    ) {
        let mut values = vec![0; self.types.len()];
        if let Some(first) = values.first_mut() {
            *first = otel_vitals_core::signed(n);
        }
        let labels = labels.into_iter().map(|(key, text)| (key, Label::Text(text.into())));
        let stack = stack.into_iter().map(|name| Frame::Named(name.into()));
        self.samples.push(Sample { stack: stack.collect(), values, labels: labels.collect() });
    }

    /// Adds `n` things whose stack has these addresses, the innermost first, and below them these names; each address is in the instruction that
    /// calls, so that of a caller one less than where the call returns to.
    pub fn count_code(
        &mut self,
        code: impl IntoIterator<Item = u64>,
        names: impl IntoIterator<Item = String>,
        n: u64,
    ) {
        let mut values = vec![0; self.types.len()];
        if let Some(first) = values.first_mut() {
            *first = otel_vitals_core::signed(n);
        }
        self.objects.get_or_insert_with(objects::loaded);
        let code = code.into_iter().map(Frame::Code);
        let names = names.into_iter().map(|name| Frame::Named(name.into()));
        self.samples.push(Sample { stack: code.chain(names).collect(), values, labels: Vec::new() });
    }

    /// What Go answers at `block` and `mutex` while it measures neither: a valid profile of contentions with nothing in it, which
    /// continuous profilers take as it is. A comment says that nothing is measured.
    #[must_use]
    pub fn contentions() -> Self {
        let contentions = ValueType { kind: "contentions", unit: "count" };
        let delay = ValueType { kind: "delay", unit: "nanoseconds" };
        let mut profile =
            Profile { period: Some((contentions, 1)), ..Profile::empty(vec![contentions, delay]) };
        profile.comment(
            "contention of locks is not measured: an empty profile does not mean that there is none",
        );
        profile
    }

    /// A profile with nothing in it yet, taken now, that shows the last of its types at first, as tools do without being told.
    pub(crate) fn empty(types: Vec<ValueType>) -> Self {
        Profile {
            default_type: types.last().map_or("", |last| last.kind),
            types,
            period: None,
            time: SystemTime::now(),
            duration: None,
            comments: Vec::new(),
            samples: Vec::new(),
            objects: None,
            of_allocator: false,
        }
    }

    /// Adds a remark that tools show beside the profile.
    pub fn comment(&mut self, text: impl Into<String>) {
        self.comments.push(text.into());
    }

    /// The same profile, of which tools show the type of this name at first: `allocs` is the heap profile that shows `alloc_space`.
    /// A name that the profile does not have changes nothing.
    #[must_use]
    pub fn showing(mut self, default_type: &str) -> Self {
        if let Some(found) = self.types.iter().find(|of| of.kind == default_type) {
            self.default_type = found.kind;
        }
        self
    }

    /// What has changed since `earlier`, as Go's `seconds=` gives it for the heap: the values of every stack and its labels less what
    /// they were, which may be negative, without the stacks of which nothing has changed, and with the time between the two as the
    /// duration. Of an earlier profile with other types, only those that both have are taken away.
    #[must_use]
    pub fn since(&self, earlier: &Profile) -> Profile {
        let mut changed: HashMap<Key<'_>, Vec<i128>> = HashMap::new();
        let mut order = Vec::new();
        for sample in &self.samples {
            let values = changed.entry(sample.key()).or_insert_with(|| {
                order.push(sample.key());
                vec![0; self.types.len()]
            });
            add(values, sample.values.iter().copied(), 1);
        }
        let columns: Vec<_> =
            self.types.iter().map(|of| earlier.types.iter().position(|other| other == of)).collect();
        for sample in &earlier.samples {
            let values = changed.entry(sample.key()).or_insert_with(|| {
                order.push(sample.key());
                vec![0; self.types.len()]
            });
            let column = |place: &Option<usize>| place.and_then(|place| sample.values.get(place).copied());
            add(values, columns.iter().map(|place| column(place).unwrap_or(0)), -1);
        }
        let samples = order.into_iter().filter_map(|key| {
            let values = changed.remove(&key)?;
            let (stack, labels) = key;
            let changed = values.iter().any(|value| *value != 0);
            let values = values.into_iter().map(clamped).collect();
            changed.then(|| Sample { stack: stack.into(), values, labels: labels.to_vec() })
        });
        let mut objects = self.objects.clone();
        if let Some(before) = &earlier.objects {
            objects::merge(objects.get_or_insert_default(), before.iter().cloned());
        }
        Profile {
            samples: samples.collect(),
            objects,
            duration: Some(self.time.duration_since(earlier.time).unwrap_or_default()),
            types: self.types.clone(),
            comments: self.comments.clone(),
            ..*self
        }
    }

    /// The sum of the values of the type of this name over all samples, in the type's unit; none when there is no such type.
    #[must_use]
    pub fn total(&self, kind: &str) -> Option<i64> {
        let place = self.types.iter().position(|of| of.kind == kind)?;
        let values = self.samples.iter().filter_map(|sample| sample.values.get(place));
        Some(values.fold(0, |sum: i64, value| sum.saturating_add(*value)))
    }

    /// Where the values of the type that is shown at first are.
    pub(crate) fn default_place(&self) -> usize {
        self.types.iter().position(|of| of.kind == self.default_type).unwrap_or(0)
    }
}

impl Sample {
    fn key(&self) -> Key<'_> {
        (&self.stack, &self.labels)
    }

    /// The text of the label of this name.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.labels.iter().find_map(|(name, label)| match label {
            Label::Text(text) if *name == key => Some(&**text),
            _ => None,
        })
    }
}

/// Adds so many times what there is of each. The sums of values have room for more than there can be.
fn add(sums: &mut [i128], values: impl Iterator<Item = i64>, times: i128) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += times * i128::from(value);
    }
}

fn clamped(sum: i128) -> i64 {
    i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn heap(samples: &[(&[u64], [i64; 4])]) -> Profile {
        let of = |kind, unit| ValueType { kind, unit };
        let types = vec![
            of("alloc_objects", "count"),
            of("alloc_space", "bytes"),
            of("inuse_objects", "count"),
            of("inuse_space", "bytes"),
        ];
        let samples = samples.iter().map(|(stack, values)| Sample {
            stack: stack.iter().copied().map(Frame::Code).collect(),
            values: values.to_vec(),
            labels: Vec::new(),
        });
        Profile {
            samples: samples.collect(),
            period: Some((of("space", "bytes"), 524_288)),
            of_allocator: true,
            ..Profile::empty(types)
        }
    }

    #[test]
    fn what_has_not_changed_is_left_out_of_a_delta_and_what_has_gone_is_negative() {
        let earlier = heap(&[(&[1, 2], [4, 400, 1, 100]), (&[3], [1, 10, 1, 10]), (&[4], [2, 20, 2, 20])]);
        let mut later = heap(&[(&[1, 2], [6, 600, 3, 300]), (&[3], [1, 10, 1, 10]), (&[5], [1, 7, 1, 7])]);
        later.time = earlier.time + Duration::from_secs(3);
        let delta = later.since(&earlier);
        let values: Vec<_> =
            delta.samples.iter().map(|sample| (sample.stack.to_vec(), sample.values.clone())).collect();
        let expected = [
            (vec![Frame::Code(1), Frame::Code(2)], vec![2, 200, 2, 200]),
            (vec![Frame::Code(5)], vec![1, 7, 1, 7]),
            (vec![Frame::Code(4)], vec![-2, -20, -2, -20]),
        ];
        assert_eq!(values, expected);
        assert_eq!((delta.duration, delta.time), (Some(Duration::from_secs(3)), later.time));
        assert_eq!(later.since(&later).samples.len(), 0);
    }

    #[test]
    fn samples_of_one_stack_with_other_labels_are_apart_in_a_delta() {
        let mut earlier = Profile::counts("tasks", "count", []);
        earlier.count(["a".to_owned()], [("state", "idle".to_owned())], 2);
        let mut later = earlier.clone();
        later.count(["a".to_owned()], [("state", "busy".to_owned())], 5);
        // Twice the same is added up.
        later.count(["a".to_owned()], [("state", "idle".to_owned())], 1);
        let delta = later.since(&earlier);
        let values: Vec<_> =
            delta.samples.iter().map(|sample| (sample.text("state"), sample.values.clone())).collect();
        assert_eq!(values, [(Some("idle"), vec![1]), (Some("busy"), vec![5])]);
    }

    #[test]
    fn a_delta_to_a_profile_of_another_kind_takes_nothing_away() {
        let earlier = Profile::counts("tasks", "count", [("a".to_owned(), 2)]);
        let delta = heap(&[(&[1], [1, 2, 3, 4])]).since(&earlier);
        assert_eq!(delta.samples.len(), 1);
        assert_eq!(delta.total("inuse_space"), Some(4));
    }

    #[test]
    fn a_profile_shows_only_types_that_it_has() {
        let profile = heap(&[]);
        assert_eq!(profile.default_type, "inuse_space");
        let profile = profile.showing("alloc_space").showing("elephants");
        assert_eq!((profile.default_type, profile.default_place()), ("alloc_space", 1));
        assert_eq!(profile.total("elephants"), None);
    }
}
