//! What stands behind the question mark, read as Go reads it.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Query;
use std::time::Duration;

use super::refusal::Refusal;
use crate::state::State;

/// How long a CPU profile is when nobody says.
const DEFAULT: Duration = Duration::from_secs(30);

/// Samples in a second of CPU time.
const FREQUENCIES: std::ops::RangeInclusive<u32> = 1..=1000;

/// Names and values.
pub(super) struct Parameters {
    pairs: Vec<(String, String)>,
    most: Duration,
}

impl Parameters {
    pub(super) fn of(state: &State, request: &HttpRequest) -> Self {
        // What cannot be read is as if it were not there.
        let pairs = Query::<Vec<(String, String)>>::from_query(request.query_string());
        Parameters {
            pairs: pairs.map(Query::into_inner).unwrap_or_default(),
            most: state.vitals().config().profiling.max_duration,
        }
    }

    /// `seconds` of a CPU profile: 30 where they are absent or unreadable, as in Go, or the most that there may be if that is less.
    pub(super) fn duration(&self) -> Result<Duration, Refusal> {
        match self.get("seconds").and_then(whole).filter(|seconds| *seconds > 0) {
            None => Ok(DEFAULT.min(self.most)),
            Some(seconds) => self.bounded(seconds),
        }
    }

    /// `seconds` of a difference; none where a profile is taken at once.
    pub(super) fn difference(&self) -> Result<Option<Duration>, Refusal> {
        let Some(text) = self.get("seconds").filter(|text| !text.is_empty()) else { return Ok(None) };
        let Some(seconds) = whole(text).filter(|seconds| *seconds > 0) else {
            return Err(wrong("invalid value for \"seconds\" - must be a positive integer"));
        };
        if self.debug() {
            return Err(wrong("seconds and debug params are incompatible"));
        }
        self.bounded(seconds).map(Some)
    }

    /// Whether text is asked for.
    pub(super) fn debug(&self) -> bool {
        self.get("debug").and_then(whole).is_some_and(|debug| debug != 0)
    }

    /// `hz`, which is ours.
    pub(super) fn frequency(&self) -> Result<Option<u32>, Refusal> {
        let Some(text) = self.get("hz").filter(|text| !text.is_empty()) else { return Ok(None) };
        let frequency = text.parse().ok().filter(|frequency| FREQUENCIES.contains(frequency));
        frequency.map(Some).ok_or_else(|| wrong("invalid value for \"hz\" - must be from 1 to 1000"))
    }

    /// The first of this name, as Go has it.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.as_str())
    }

    fn bounded(&self, seconds: i64) -> Result<Duration, Refusal> {
        let asked = Duration::from_secs(seconds.unsigned_abs());
        if asked <= self.most {
            return Ok(asked);
        }
        let most = humantime::format_duration(self.most);
        Err(wrong(format!("{seconds} seconds are more than profiling.max_duration, which is {most}")))
    }
}

/// A number as Go's `strconv` reads it.
fn whole(text: &str) -> Option<i64> {
    text.parse().ok()
}

fn wrong(text: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parameters(query: &str) -> Parameters {
        let pairs = Query::<Vec<(String, String)>>::from_query(query).map(Query::into_inner);
        Parameters { pairs: pairs.unwrap_or_default(), most: Duration::from_secs(60) }
    }

    fn duration(query: &str) -> Result<u64, String> {
        parameters(query).duration().map(|duration| duration.as_secs()).map_err(Refusal::into_text)
    }

    fn difference(query: &str) -> Result<Option<u64>, String> {
        let difference = parameters(query).difference();
        difference.map(|some| some.map(|duration| duration.as_secs())).map_err(Refusal::into_text)
    }

    #[test]
    fn a_cpu_profile_takes_the_seconds_that_are_asked_for_and_else_thirty() {
        for (query, seconds) in [
            ("", 30),
            ("seconds=5", 5),
            ("x=1&seconds=60&seconds=5", 60),
            ("seconds=%35", 5),
            ("seconds=", 30),
            ("seconds=0", 30),
            ("seconds=-5", 30),
            ("seconds=1.5", 30),
            ("seconds=99999999999999999999", 30),
            ("Seconds=5", 30),
        ] {
            assert_eq!(duration(query), Ok(seconds), "{query}");
        }
        let longer = "61 seconds are more than profiling.max_duration, which is 1m";
        assert_eq!(duration("seconds=61"), Err(longer.to_owned()));
        let short = Parameters { most: Duration::from_secs(10), ..parameters("") };
        assert_eq!(short.duration().ok(), Some(Duration::from_secs(10)));
    }

    #[test]
    fn a_difference_says_what_is_wrong_in_the_words_of_go() {
        assert_eq!(difference(""), Ok(None));
        assert_eq!(difference("seconds="), Ok(None));
        assert_eq!(difference("seconds=60"), Ok(Some(60)));
        let invalid = "invalid value for \"seconds\" - must be a positive integer";
        for query in ["seconds=0", "seconds=-1", "seconds=x", "seconds=1.5"] {
            assert_eq!(difference(query), Err(invalid.to_owned()), "{query}");
        }
        let incompatible = "seconds and debug params are incompatible";
        assert_eq!(difference("seconds=1&debug=1"), Err(incompatible.to_owned()));
        assert!(difference("seconds=61").is_err());
    }

    #[test]
    fn text_is_asked_for_by_any_number_but_zero() {
        for query in ["debug=1", "debug=2", "debug=-1", "gc=1&debug=1"] {
            assert!(parameters(query).debug(), "{query}");
        }
        for query in ["", "debug", "debug=", "debug=0", "debug=x", "gc=1"] {
            assert!(!parameters(query).debug(), "{query}");
        }
    }

    #[test]
    fn a_frequency_is_from_one_to_a_thousand() {
        assert_eq!(parameters("hz=997").frequency().ok(), Some(Some(997)));
        assert_eq!(parameters("").frequency().ok(), Some(None));
        for query in ["hz=0", "hz=1001", "hz=x", "hz=-1"] {
            assert!(parameters(query).frequency().is_err(), "{query}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(query in "[a-z=&%0-9;+.-]{0,40}") {
            let parameters = parameters(&format!("seconds={query}&hz={query}"));
            let _ = (parameters.duration(), parameters.difference(), parameters.debug(), parameters.frequency());
        }
    }
}
