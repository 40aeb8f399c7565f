//! The last pauses, as a few lines above the table.

use otel_vitals::runtime::{OngoingPause, Pause, Pauses};
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use crate::arrivals::Value;
use crate::units;

/// As many are shown.
const SHOWN: usize = 4;
/// Shorter ones are only counted: on a busy machine they would push out all others.
const LONG: Duration = Duration::from_millis(10);

/// What is shown of pauses.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Told {
    /// Since the start, short ones among them.
    pub(crate) count: u64,
    pub(crate) total: Duration,
    /// The last of those that are not short, newest first.
    pub(crate) last: Vec<Line>,
}

/// One pause.
#[derive(Debug, PartialEq)]
pub(crate) struct Line {
    /// How long ago it ended; none when it has not.
    pub(crate) ago: Option<Duration>,
    pub(crate) duration: Duration,
    /// What stood still.
    pub(crate) of: String,
    pub(crate) cause: String,
}

impl Told {
    pub(crate) fn new(pauses: &Pauses) -> Self {
        let now = SystemTime::now();
        let over = pauses.last();
        let over = over.iter().rev().filter(|pause| pause.duration >= LONG);
        let ongoing = pauses.ongoing();
        let ongoing = ongoing.iter().filter(|pause| pause.duration >= LONG);
        Told {
            count: pauses.count(),
            total: pauses.total(),
            last: ongoing
                .map(Line::ongoing)
                .chain(over.map(|pause| Line::over(pause, now)))
                .take(SHOWN)
                .collect(),
        }
    }

    /// Nothing when there is nothing to show.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if self.last.is_empty() {
            return text;
        }
        let of = self.last.iter().map(|line| line.of.chars().count()).max().unwrap_or(0);
        let _ = writeln!(
            text,
            "\npauses: {}, {} in all; the last of at least {}:",
            units::value("", "{pause}", Value::Number(self.count as f64)),
            seconds(self.total),
            seconds(LONG)
        );
        for line in &self.last {
            let ago = line.ago.map_or_else(|| "goes on".to_owned(), |ago| format!("{} ago", seconds(ago)));
            let lasted = seconds(line.duration);
            let _ = writeln!(text, "  {ago:>14}  {lasted:>10}  {:of$}  {}", line.of, line.cause);
        }
        text
    }
}

impl Line {
    fn over(pause: &Pause, now: SystemTime) -> Self {
        Line {
            ago: Some(now.duration_since(pause.ended_at).unwrap_or_default()),
            duration: pause.duration,
            of: of(pause.runtime.as_deref(), pause.worker),
            cause: pause.cause.to_string(),
        }
    }

    fn ongoing(pause: &OngoingPause) -> Self {
        Line {
            ago: None,
            duration: pause.duration,
            of: of(pause.runtime.as_deref(), pause.worker),
            cause: "known when it is over".to_owned(),
        }
    }
}

fn of(runtime: Option<&str>, worker: Option<usize>) -> String {
    match (runtime, worker) {
        (None, _) => "the process".to_owned(),
        (Some(name), None) => format!("runtime {name}"),
        (Some(name), Some(worker)) => format!("runtime {name}, worker {worker}"),
    }
}

fn seconds(time: Duration) -> String {
    units::duration(time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_told_newest_first_with_what_goes_on() {
        let line = |ago, milliseconds, of: String, cause: &str| Line {
            ago,
            duration: Duration::from_millis(milliseconds),
            of,
            cause: cause.to_owned(),
        };
        let told = Told {
            count: 1_017,
            total: Duration::from_millis(1_294),
            last: vec![
                line(None, 120, of(Some("stalling"), Some(0)), "known when it is over"),
                line(Some(Duration::from_millis(2_874)), 250, of(Some("many"), None), "blocked executor"),
                line(Some(Duration::from_secs(61)), 924, of(None, None), "unknown"),
            ],
        };
        let expected = "
pauses: 1,017, 1.29 s in all; the last of at least 10.0 ms:
         goes on    120.0 ms  runtime stalling, worker 0  known when it is over
      2.87 s ago    250.0 ms  runtime many                blocked executor
     61.00 s ago    924.0 ms  the process                 unknown
";
        assert_eq!(told.text(), expected);
    }

    #[test]
    fn without_pauses_there_is_nothing() {
        assert_eq!(Told::new(&Pauses::default()).text(), "");
    }
}
