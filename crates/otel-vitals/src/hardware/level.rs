//! How bad it is.

use std::fmt;

use crate::config::Threshold;

/// How bad it is; later ones are worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Level {
    /// There is enough.
    #[default]
    Ok,
    /// It will soon not be enough, or it is not known.
    Warning,
    /// It is not enough.
    Critical,
}

impl Level {
    /// `OK`, `WARNING` or `CRITICAL`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Ok => "OK",
            Level::Warning => "WARNING",
            Level::Critical => "CRITICAL",
        }
    }

    /// From the thresholds on it is as bad as they say.
    pub(super) fn of(percent: f64, threshold: Threshold) -> Self {
        if percent >= f64::from(threshold.critical) {
            Level::Critical
        } else if percent >= f64::from(threshold.warning) {
            Level::Warning
        } else {
            Level::Ok
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_threshold_is_reached_where_it_is() {
        let threshold = Threshold::new(80, 90);
        for (percent, level) in [
            (0.0, Level::Ok),
            (79.99, Level::Ok),
            (80.0, Level::Warning),
            (89.99, Level::Warning),
            (90.0, Level::Critical),
            (1e9, Level::Critical),
        ] {
            assert_eq!(Level::of(percent, threshold), level, "{percent}");
        }
        assert_eq!(Level::of(80.0, Threshold::new(80, 80)), Level::Critical);
    }

    #[test]
    fn it_is_written_as_gin_users_know_it() {
        let texts = [Level::Ok, Level::Warning, Level::Critical].map(|level| level.to_string());
        assert_eq!(texts, ["OK", "WARNING", "CRITICAL"]);
    }

    proptest! {
        #[test]
        fn more_is_never_better(less in 0.0..1e6, more in 0.0..1e6, warning: u32, critical: u32) {
            let threshold = Threshold::new(warning.min(critical), warning.max(critical));
            let (less, more) = (f64::min(less, more), f64::max(less, more));
            prop_assert!(Level::of(less, threshold) <= Level::of(more, threshold));
            prop_assert_eq!(Level::of(more, threshold) == Level::Critical, more >= f64::from(threshold.critical));
        }
    }
}
