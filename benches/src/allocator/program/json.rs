//! A program that allocates for a living: serde_json parses a document into its `Value`, which is dropped.

use serde_json::Value;
use std::fmt::Write as _;
use std::hint::black_box;
use std::thread;
use std::time::Duration;

use super::sys;

/// Bytes of the document, at least.
const SIZE: usize = 1 << 20;

/// Prints the fastest and the median CPU time of a document, of all threads' together (ns).
pub(super) fn times(threads: usize, documents: usize) {
    let document = document();
    let mut times: Vec<Duration> = Vec::new();
    thread::scope(|scope| {
        let others: Vec<_> =
            (1..threads).map(|_| scope.spawn(|| on_one_thread(&document, documents))).collect();
        times.extend(on_one_thread(&document, documents));
        times.extend(others.into_iter().filter_map(|other| other.join().ok()).flatten());
    });
    times.sort_unstable();
    let nanoseconds = |time: Option<&Duration>| time.map_or(0, Duration::as_nanos);
    println!("{} {}", nanoseconds(times.first()), nanoseconds(times.get(times.len() / 2)));
}

/// Parses so many documents.
pub(super) fn exactly(documents: usize) {
    let document = document();
    for _ in 0..documents {
        parse_and_drop(&document);
    }
}

fn on_one_thread(document: &str, documents: usize) -> Vec<Duration> {
    parse_and_drop(document);
    let times = (0..documents).map(|_| {
        let before = sys::cpu_time();
        parse_and_drop(document);
        sys::cpu_time().saturating_sub(before)
    });
    times.collect()
}

fn parse_and_drop(document: &str) {
    drop(black_box(serde_json::from_str::<Value>(black_box(document)).ok()));
}

/// Records such as an API answers with, always the same.
fn document() -> String {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut document = String::with_capacity(SIZE + 4096);
    document.push('[');
    while document.len() < SIZE {
        if document.len() > 1 {
            document.push(',');
        }
        let (id, score, active) = (next(1 << 40), next(1_000_000), next(2) == 0);
        let _ = write!(
            document,
            r#"{{"id":{id},"name":"user-{id:x}","active":{active},"score":{score}e-3,"tags":["#
        );
        for tag in 0..next(6) {
            let _ = write!(document, r#"{}"tag{:x}""#, if tag == 0 { "" } else { "," }, next(1 << 20));
        }
        let text = "lorem ipsum dolor sit amet, consectetur\\n".repeat(next(8) as usize);
        let _ = write!(
            document,
            r#"],"address":{{"street":"{} Main Street","zip":"{:05}","at":[{}.5,-{}.25]}},"note":"{text}","manager":null}}"#,
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
    fn the_document_is_json() {
        let value: Value = serde_json::from_str(&document()).unwrap();
        assert!(value.as_array().unwrap().len() > 1000);
    }
}
