//! What a check says.

use std::fmt::{self, Display};

use super::Status;

/// Characters of a text at most; what is beyond is cut off.
const LONGEST: usize = 1_000;

/// What one run of a check came to. A check may return it, or what it is made from: `()`, and a `Result` of either.
///
/// ```
/// use otel_vitals::health::Outcome;
///
/// fn judge(waiting: u32) -> Outcome {
///     let outcome = if waiting > 1_000 { Outcome::fail("the queue is long") } else { Outcome::pass() };
///     outcome.observed("length", waiting, "{message}")
/// }
/// # judge(3);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub(super) status: Status,
    pub(super) output: Option<String>,
    pub(super) observed: Option<Observed>,
}

/// What a check has measured.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Observed {
    /// What, such as `responseTime`, `utilization`, `connections` or `uptime`.
    pub measurement: String,
    /// How much.
    pub value: ObservedValue,
    /// In which unit, such as `ms`.
    pub unit: String,
}

/// A value that a check has measured.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ObservedValue {
    /// A whole number.
    Integer(i64),
    /// Any number.
    Float(f64),
    /// Something else.
    Text(String),
}

impl Outcome {
    /// All is well.
    #[must_use]
    pub fn pass() -> Self {
        Outcome { status: Status::Pass, output: None, observed: None }
    }

    /// It works, and somebody should know `why` not well. Probes pass.
    #[must_use]
    pub fn warn(why: impl Into<String>) -> Self {
        Outcome { status: Status::Warn, ..Outcome::pass() }.output(why)
    }

    /// It does not work, and `why`. The text is told to whoever may ask the probe: it is no place for secrets.
    #[must_use]
    pub fn fail(why: impl Into<String>) -> Self {
        Outcome { status: Status::Fail, ..Outcome::pass() }.output(why)
    }

    /// Says `text`, of which the first thousand characters are kept.
    #[must_use]
    pub fn output(mut self, text: impl Into<String>) -> Self {
        self.output = Some(shortened(text.into()));
        self
    }

    /// What was measured, how much, and in which unit.
    #[must_use]
    pub fn observed(
        mut self,
        measurement: impl Into<String>,
        value: impl Into<ObservedValue>,
        unit: impl Into<String>,
    ) -> Self {
        let value = match value.into() {
            ObservedValue::Text(text) => ObservedValue::Text(shortened(text)),
            number => number,
        };
        let (measurement, unit) = (shortened(measurement.into()), shortened(unit.into()));
        self.observed = Some(Observed { measurement, value, unit });
        self
    }
}

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

impl From<()> for Outcome {
    fn from((): ()) -> Self {
        Outcome::pass()
    }
}

impl<E: Display> From<Result<(), E>> for Outcome {
    fn from(result: Result<(), E>) -> Self {
        result.map(Outcome::from).into()
    }
}

impl<E: Display> From<Result<Outcome, E>> for Outcome {
    fn from(result: Result<Outcome, E>) -> Self {
        result.unwrap_or_else(|error| Outcome::fail(error.to_string()))
    }
}

impl From<f64> for ObservedValue {
    fn from(value: f64) -> Self {
        ObservedValue::Float(value)
    }
}

impl From<i64> for ObservedValue {
    fn from(value: i64) -> Self {
        ObservedValue::Integer(value)
    }
}

impl From<i32> for ObservedValue {
    fn from(value: i32) -> Self {
        ObservedValue::Integer(value.into())
    }
}

impl From<u32> for ObservedValue {
    fn from(value: u32) -> Self {
        ObservedValue::Integer(value.into())
    }
}

/// Beyond what an `i64` holds it stays at that.
impl From<u64> for ObservedValue {
    fn from(value: u64) -> Self {
        ObservedValue::Integer(otel_vitals_core::signed(value))
    }
}

/// Beyond what an `i64` holds it stays at that.
impl From<usize> for ObservedValue {
    fn from(value: usize) -> Self {
        (value as u64).into()
    }
}

impl From<String> for ObservedValue {
    fn from(value: String) -> Self {
        ObservedValue::Text(value)
    }
}

impl From<&str> for ObservedValue {
    fn from(value: &str) -> Self {
        ObservedValue::Text(value.to_owned())
    }
}

impl Display for ObservedValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ObservedValue::Integer(value) => value.fmt(formatter),
            ObservedValue::Float(value) => value.fmt(formatter),
            ObservedValue::Text(value) => value.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_check_may_return_says_what_it_means() {
        assert_eq!(Outcome::from(()), Outcome::pass());
        assert_eq!(Outcome::from(Ok::<(), String>(())), Outcome::pass());
        assert_eq!(Outcome::from(Err::<(), _>("refused")), Outcome::fail("refused"));
        let observed = Outcome::warn("slow").observed("responseTime", 7, "ms");
        assert_eq!(Outcome::from(Ok::<_, String>(observed.clone())), observed);
        assert_eq!(Outcome::from(Err::<Outcome, _>("refused")), Outcome::fail("refused"));
    }

    #[test]
    fn a_long_text_is_cut_off_between_characters() {
        let output = Outcome::fail("ä".repeat(5_000)).output.unwrap();
        assert_eq!(output.chars().count(), LONGEST + 1);
        assert!(output.ends_with('…'));
        let whole = "ä".repeat(LONGEST);
        assert_eq!(Outcome::fail(whole.clone()).output, Some(whole));
    }
}
