//! Programs that allocate for a living: well-known crates that build a structure and drop it.

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Write as _;
use std::hint::black_box;
use std::thread;
use std::time::Duration;

use super::sys;

/// What is done again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// serde_json parses 4,000 records into its `Value`: hardly more than an allocation for every string,
    /// list and object.
    Parse,
    /// The same, and the value is written again, as what passes documents on does.
    ParseAndWrite,
    /// serde_json parses the same records into structs and writes those again, as what serves requests does.
    Typed,
    /// serde-saphyr parses the same records, fewer of them, as YAML.
    Yaml,
    /// regex compiles expressions.
    Regex,
}

/// What a workload works on.
struct Input {
    workload: Workload,
    text: String,
}

const RECORDS: usize = 4_000;
const RECORDS_OF_YAML: usize = 200;

/// Such as are looked for in logs.
const EXPRESSIONS: [&str; 6] = [
    r"^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(\.\d+)?(Z|[+-]\d{2}:\d{2})$",
    r"(?i)\b(error|warn(ing)?|fatal|panic(ked)?)\b.*?\bat (?P<file>[\w/.-]+):(?P<line>\d+)",
    r"^(?:[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@(?:[a-z0-9-]+\.)+[a-z]{2,}$",
    r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3}):(\d{1,5})",
    r#""(GET|HEAD|POST|PUT|DELETE|PATCH) ([^ "?]+)(\?[^ "]*)? HTTP/[12](\.\d)?" (\d{3}) (\d+|-)"#,
    r"\p{Lu}\p{Ll}+(?: \p{Lu}\p{Ll}+)*",
];

impl Workload {
    /// All there are.
    pub const ALL: [Workload; 5] =
        [Workload::Parse, Workload::ParseAndWrite, Workload::Typed, Workload::Yaml, Workload::Regex];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Workload::Parse => "json",
            Workload::ParseAndWrite => "json-write",
            Workload::Typed => "json-typed",
            Workload::Yaml => "yaml",
            Workload::Regex => "regex",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Workload::ALL.into_iter().find(|workload| workload.name() == name)
    }

    /// Prints the fastest and the median CPU time of one repetition, of all threads' (ns).
    pub(super) fn times(self, threads: usize, repetitions: usize) {
        let input = Input::new(self);
        let mut times: Vec<Duration> = Vec::new();
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| input.times(repetitions))).collect();
            times.extend(input.times(repetitions));
            times.extend(others.into_iter().filter_map(|other| other.join().ok()).flatten());
        });
        times.sort_unstable();
        let nanoseconds = |time: Option<&Duration>| time.map_or(0, Duration::as_nanos);
        println!("{} {}", nanoseconds(times.first()), nanoseconds(times.get(times.len() / 2)));
    }

    /// Does it so often.
    pub(super) fn exactly(self, repetitions: usize) {
        let input = Input::new(self);
        for _ in 0..repetitions {
            input.does();
        }
    }
}

impl Input {
    fn new(workload: Workload) -> Self {
        let text = match workload {
            Workload::Parse | Workload::ParseAndWrite | Workload::Typed => document(RECORDS),
            // Which JSON is.
            Workload::Yaml => document(RECORDS_OF_YAML),
            Workload::Regex => String::new(),
        };
        Input { workload, text }
    }

    fn times(&self, repetitions: usize) -> Vec<Duration> {
        self.does();
        let times = (0..repetitions).map(|_| {
            let before = sys::cpu_time();
            self.does();
            sys::cpu_time().saturating_sub(before)
        });
        times.collect()
    }

    fn does(&self) {
        let text = black_box(self.text.as_str());
        match self.workload {
            Workload::Parse => drop(black_box(serde_json::from_str::<Value>(text).ok())),
            Workload::ParseAndWrite => {
                let value = serde_json::from_str::<Value>(text).ok();
                drop(black_box(value.map(|value| value.to_string())));
            }
            Workload::Typed => {
                let records = serde_json::from_str::<Vec<Record>>(text).ok();
                drop(black_box(records.map(|records| serde_json::to_string(&records))));
            }
            Workload::Yaml => drop(black_box(serde_saphyr::from_str::<Value>(text).ok())),
            Workload::Regex => {
                for expression in EXPRESSIONS {
                    drop(black_box(Regex::new(black_box(expression)).ok()));
                }
            }
        }
    }
}

/// One of the records of [`document`].
#[derive(Deserialize, Serialize)]
struct Record {
    id: u64,
    name: String,
    active: bool,
    score: f64,
    tags: Vec<String>,
    address: Address,
    note: String,
    manager: Option<u64>,
}

#[derive(Deserialize, Serialize)]
struct Address {
    street: String,
    zip: String,
    at: [f64; 2],
}

/// Records such as an API answers with, always the same.
fn document(records: usize) -> String {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut document = String::from("[");
    for record in 0..records {
        document.push_str(if record == 0 { "" } else { ", " });
        let (id, score, active) = (next(1 << 40), next(1_000_000), next(2) == 0);
        let _ = write!(
            document,
            r#"{{"id": {id}, "name": "user-{id:x}", "active": {active}, "score": {score}e-3, "tags": ["#
        );
        for tag in 0..next(6) {
            let _ = write!(document, r#"{}"tag{:x}""#, if tag == 0 { "" } else { ", " }, next(1 << 20));
        }
        let text = "lorem ipsum dolor sit amet, consectetur\\n".repeat(next(8) as usize);
        let _ = write!(
            document,
            r#"], "address": {{"street": "{} Main Street", "zip": "{:05}", "at": [{}.5, -{}.25]}}, "note": "{text}", "manager": null}}"#,
            next(1000),
            next(100_000),
            next(180),
            next(90)
        );
    }
    document.push(']');
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_is_what_its_crate_understands() {
        let values = |value: Value| value.as_array().unwrap().len();
        assert_eq!(values(serde_json::from_str(&document(RECORDS)).unwrap()), RECORDS);
        assert_eq!(serde_json::from_str::<Vec<Record>>(&document(RECORDS)).unwrap().len(), RECORDS);
        assert_eq!(values(serde_saphyr::from_str(&document(RECORDS_OF_YAML)).unwrap()), RECORDS_OF_YAML);
        assert!(EXPRESSIONS.iter().all(|expression| Regex::new(expression).is_ok()));
    }
}
