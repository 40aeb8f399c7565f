//! Load over real HTTP, the same requests in the same order each time: only how many there are depends on the machine.

use std::fmt::{self, Write as _};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::table::{bytes, grouped};

/// Documents have so many ids, and so replace each other.
const IDS: u64 = 4096;
/// Sizes of the texts are of so many powers of two, the smallest of which is 64 bytes.
const POWERS: u64 = 11;

const WORDS: [&str; 16] = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "jetty", "kelp",
    "lagoon", "marsh", "north", "ocean", "pebble",
];

/// What has been asked of the service.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Load {
    put: u64,
    got: u64,
    searched: u64,
    deleted: u64,
    /// Bytes of all documents that have been put.
    bytes: u64,
    took: Duration,
}

/// Puts load on the service for so long, then deletes three of four documents: what of their memory the allocator keeps
/// is what allocators differ in.
pub(crate) fn put_on(address: SocketAddr, duration: Duration) -> io::Result<Load> {
    let (start, mut client) = (Instant::now(), Client::connect(address)?);
    let (mut load, mut random, mut document) =
        (Load::default(), Random(0x9e37_79b9_7f4a_7c15), String::new());
    while start.elapsed() < duration {
        let path = format!("/documents/{}", random.below(IDS));
        match random.below(100) {
            0..60 => {
                random.write_document(&mut document);
                ask(&mut client, "PUT", &path, document.as_bytes(), &[201, 204])?;
                load.put += 1;
                load.bytes += document.len() as u64;
            }
            60..90 => {
                ask(&mut client, "GET", &path, b"", &[200, 404])?;
                load.got += 1;
            }
            90..99 => {
                ask(&mut client, "DELETE", &path, b"", &[204, 404])?;
                load.deleted += 1;
            }
            _ => {
                let path = format!("/search?text={}%20{}", random.word(), random.word());
                ask(&mut client, "GET", &path, b"", &[200])?;
                load.searched += 1;
            }
        }
    }
    for id in (0..IDS).filter(|id| id % 4 != 0) {
        ask(&mut client, "DELETE", &format!("/documents/{id}"), b"", &[204, 404])?;
        load.deleted += 1;
    }
    load.took = start.elapsed();
    Ok(load)
}

fn ask(client: &mut Client, method: &str, path: &str, body: &[u8], expected: &[u16]) -> io::Result<()> {
    let status = client.request(method, path, body)?.status;
    if expected.contains(&status) {
        return Ok(());
    }
    Err(io::Error::other(format!("{method} {path} was answered with {status}")))
}

impl fmt::Display for Load {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Load { put, got, searched, deleted, .. } = *self;
        let [all, put, got, searched, deleted] =
            [put + got + searched + deleted, put, got, searched, deleted].map(grouped);
        write!(
            formatter,
            "{all} requests in {:.2} s: {put} put ({}), {got} got, {searched} searched, {deleted} deleted",
            self.took.as_secs_f64(),
            bytes(self.bytes),
        )
    }
}

/// The same numbers each time: xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        // The upper bits are the better ones.
        (self.next() >> 32) % end
    }

    fn word(&mut self) -> &'static str {
        WORDS.get(self.below(WORDS.len() as u64) as usize).copied().unwrap_or_default()
    }

    /// A document with objects of many sizes in it: a title, tags, lines with numbers and a text from 64 bytes to 128 KiB.
    fn write_document(&mut self, json: &mut String) {
        json.clear();
        // Writing to a string cannot fail.
        let _ = write!(json, "{{\"title\":\"{} {}\",\"tags\":[\"{}\"", self.word(), self.word(), self.word());
        for _ in 0..self.below(6) {
            let _ = write!(json, ",\"{}\"", self.word());
        }
        json.push_str("],\"lines\":[null");
        for _ in 0..self.below(24) {
            let _ = write!(json, ",{{\"item\":\"{}\",\"amount\":{}}}", self.word(), self.below(1_000));
        }
        json.push_str("],\"text\":\"");
        let power = 64 << self.below(POWERS);
        let end = json.len() + power + self.below(power as u64) as usize;
        while json.len() < end {
            json.push_str(self.word());
            json.push(' ');
        }
        json.push_str("\"}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_json_and_the_same_each_time() {
        let (mut one, mut other) = (Random(1), Random(1));
        let (mut json, mut same) = (String::new(), String::new());
        for _ in 0..100 {
            one.write_document(&mut json);
            other.write_document(&mut same);
            assert_eq!(json, same);
            let document: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert!(document["text"].as_str().unwrap().len() >= 64);
        }
    }

    #[test]
    fn a_load_says_what_it_was() {
        let load = Load {
            put: 1_000,
            got: 20,
            searched: 3,
            deleted: 4,
            bytes: 2 << 20,
            took: Duration::from_millis(2_340),
        };
        let expected = "1,027 requests in 2.34 s: 1,000 put (2.0 MiB), 20 got, 3 searched, 4 deleted";
        assert_eq!(load.to_string(), expected);
    }
}
