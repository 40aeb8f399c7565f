//! Names on their way from the thread that looks them up.

use super::{Function, Line, Names};
use std::sync::Arc;

/// Room that each part has from the start, in entries: a block that is large is given back to where it is from by whoever frees it.
const ROOM: usize = 1 << 16;

/// Names of several addresses, in a few large blocks.
#[derive(Debug, Default)]
pub(super) struct Batch {
    texts: String,
    /// Lengths of the texts of each function, and the line.
    lines: Vec<([usize; 3], u32)>,
    /// How many of these an address has, and how far it is from the start of its function.
    addresses: Vec<(usize, Option<u64>)>,
}

impl Batch {
    pub(super) fn new() -> Self {
        let few = ROOM / 16;
        Batch {
            texts: String::with_capacity(ROOM),
            lines: Vec::with_capacity(few),
            addresses: Vec::with_capacity(few),
        }
    }

    pub(super) fn push(&mut self, names: &Names) {
        for line in &names.lines {
            let texts = [&line.function.name, &line.function.system_name, &line.function.file];
            texts.iter().for_each(|text| self.texts.push_str(text));
            self.lines.push((texts.map(String::len), line.line));
        }
        self.addresses.push((names.lines.len(), names.offset));
    }

    /// The names of each address, in their order, of which each function is given to `one`.
    pub(super) fn read(&self, mut one: impl FnMut(Function) -> Arc<Function>) -> impl Iterator<Item = Names> {
        let mut texts = self.texts.as_str();
        let mut text = move |length: usize| {
            let (text, rest) = texts.split_at_checked(length).unwrap_or((texts, ""));
            texts = rest;
            text.to_owned()
        };
        let mut lines = self.lines.iter();
        self.addresses.iter().map(move |(length, offset)| {
            let lines = lines.by_ref().take(*length).map(|([name, system_name, file], line)| {
                let function =
                    Function { name: text(*name), system_name: text(*system_name), file: text(*file) };
                Line { function: one(function), line: *line }
            });
            Names { lines: lines.collect(), offset: *offset }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_arrive_as_they_were_sent() {
        let line = |name: &str, file: &str, line| {
            let function = Function { name: name.into(), system_name: format!("_{name}"), file: file.into() };
            Line { function: Arc::new(function), line }
        };
        let sent = [
            Names { lines: vec![line("ä", "a.rs", 1), line("b", "", 2)], offset: Some(3) },
            Names::default(),
            Names { lines: vec![line("", "c.rs", 0)], offset: None },
        ];
        let mut batch = Batch::new();
        sent.iter().for_each(|names| batch.push(names));
        let arrived: Vec<_> = batch.read(Arc::new).collect();
        assert_eq!(format!("{arrived:?}"), format!("{sent:?}"));
    }
}
