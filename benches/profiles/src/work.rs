//! What the programs do.

use regex::Regex;
use serde_json::Value;
use std::fmt::Write as _;
use std::hint::black_box;

/// What is done again and again, in units of about a millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Arithmetic, some calls deep, which allocates nothing.
    Numbers,
    /// serde_json parses 1,000 records into its `Value`, which is dropped: hardly more than an allocation for every string, list and object.
    Json,
    /// regex compiles an expression, by many functions that call each other deeply.
    Regex,
}

/// What a work works on.
#[derive(Debug)]
pub struct Input {
    work: Work,
    text: String,
}

/// Such as is looked for in logs.
const EXPRESSION: &str = r#""(GET|HEAD|POST|PUT|DELETE|PATCH) ([^ "?]+)(\?[^ "]*)? HTTP/[12](\.\d)?" (\d{3}) (\d+|-) \p{Lu}\p{Ll}+(?: \p{Lu}\p{Ll}+)*"#;

const RECORDS: usize = 1_000;
const STEPS: u64 = 250_000;
const DEPTH: u32 = 24;

impl Work {
    /// All there are.
    pub const ALL: [Work; 3] = [Work::Numbers, Work::Json, Work::Regex];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Work::Numbers => "numbers",
            Work::Json => "json",
            Work::Regex => "regex",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Work::ALL.into_iter().find(|work| work.name() == name)
    }
}

impl Input {
    pub(crate) fn new(work: Work) -> Self {
        let mut text = String::from("[");
        for number in 0..RECORDS {
            let comma = if number == 0 { "" } else { "," };
            // Writing to a string does not fail.
            let _ = write!(
                text,
                "{comma}{{\"id\":{number},\"name\":\"record {number}\",\"tags\":[\"red\",\"green\",\"{}\"],\"price\":{}.5}}",
                number % 7,
                number * 3
            );
        }
        text.push(']');
        Input { work, text }
    }

    /// Does one unit.
    pub(crate) fn unit(&self) {
        match self.work {
            Work::Numbers => drop(black_box(deeper(DEPTH, black_box(1)))),
            Work::Json => drop(black_box(serde_json::from_str::<Value>(black_box(&self.text)))),
            Work::Regex => drop(black_box(Regex::new(black_box(EXPRESSION)))),
        }
    }
}

#[inline(never)]
fn deeper(depth: u32, seed: u64) -> u64 {
    if depth == 0 {
        return mix(seed) ^ mix(seed + 1);
    }
    deeper(black_box(depth - 1), seed).wrapping_add(u64::from(depth))
}

#[inline(never)]
fn mix(seed: u64) -> u64 {
    let mut value = seed;
    for step in 0..STEPS {
        value = (value ^ step).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    value
}
