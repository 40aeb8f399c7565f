//! Profiles as flame graphs, for people without tools.

use crate::Error;
use crate::profile::Profile;
use crate::stacks::Shown;
use crate::symbols::Symbols;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Bytes of stacks beyond which the smaller ones are only summed up: a service has to hold all of it, and several times that when it is drawn.
const ROOM: usize = 16 << 20;

/// The sum of these.
const BEYOND: &str = "[smaller stacks]";

impl Profile {
    /// The profile as folded stacks, the input of flame graph tools: a line for each stack, with the names from the root to the leaf
    /// between semicolons and the value of what is shown at first behind them. A stack with a label `thread` begins with that. What is
    /// not above zero, as it may be in a delta, has no place in such a graph and is left out. Beyond 16 MiB of stacks, the smaller
    /// ones are one: `[smaller stacks]`.
    ///
    /// Looks up names, as [`pprof`](Self::pprof) does.
    #[must_use]
    pub fn collapsed(&self) -> String {
        let symbols = self.symbols();
        let place = self.default_place();
        let mut folded: BTreeMap<String, i64> = BTreeMap::new();
        let mut room = ROOM;
        for sample in self.sorted() {
            let value = sample.values.get(place).copied().unwrap_or(0);
            if value <= 0 {
                break;
            }
            let path = match room {
                0 => BEYOND.to_owned(),
                _ => path(sample.text("thread"), &self.shown(sample, &symbols), &symbols),
            };
            let length = path.len();
            let sum = folded.entry(path).or_insert_with(|| {
                room = room.saturating_sub(length);
                0
            });
            *sum = sum.saturating_add(value);
        }
        let mut out = String::new();
        for (path, value) in folded {
            // A string takes everything.
            let _ = writeln!(out, "{path} {value}");
        }
        out
    }

    /// The profile as a flame graph under this title, an interactive SVG that needs nothing else: the root at the bottom, on a CPU
    /// profile the threads above it, and widths by what the profile shows at first.
    ///
    /// Looks up names, as [`pprof`](Self::pprof) does.
    ///
    /// # Errors
    /// [`Error::Unavailable`] without the crate's feature `flamegraph`, and [`Error::System`] if it cannot be drawn.
    #[cfg(feature = "flamegraph")]
    pub fn flamegraph(&self, title: &str) -> Result<String, Error> {
        const MILLISECONDS: f64 = 1e-6;
        let folded = self.collapsed();
        if folded.is_empty() {
            return Ok(nothing(title));
        }
        let mut options = inferno::flamegraph::Options::default();
        title.clone_into(&mut options.title);
        // The same function has the same colour in every graph.
        options.hash = true;
        match self.types.get(self.default_place()).map_or("", |shown| shown.unit) {
            "nanoseconds" => {
                "milliseconds".clone_into(&mut options.count_name);
                options.factor = MILLISECONDS;
            }
            unit => unit.clone_into(&mut options.count_name),
        }
        let mut drawn = Vec::new();
        let failed = |source| Error::System { what: "to draw a flame graph", source };
        // It panics rather than to return an error here and there.
        otel_vitals_core::caught(|| {
            inferno::flamegraph::from_lines(&mut options, folded.lines(), &mut drawn)
        })
        .unwrap_or_else(|| Err(std::io::Error::other("inferno panicked")))
        .map_err(failed)?;
        String::from_utf8(drawn).map_err(|error| failed(std::io::Error::other(error)))
    }

    /// The profile as a flame graph, an SVG; this build does not draw any.
    ///
    /// # Errors
    /// [`Error::Unavailable`] without the crate's feature `flamegraph`.
    #[cfg(not(feature = "flamegraph"))]
    pub fn flamegraph(&self, _title: &str) -> Result<String, Error> {
        Err(Error::Unavailable {
            what: "flame graph",
            why: "otel-vitals-profiling is built without its feature flamegraph",
        })
    }
}

/// The names from the root to the leaf.
fn path(thread: Option<&str>, stack: &[Shown<'_>], symbols: &Symbols) -> String {
    let code = stack.iter().any(|frame| matches!(frame, Shown::Code { .. }));
    // A stack of names says itself what it is of.
    let mut path = thread.filter(|_| code).map(one_word).unwrap_or_default();
    for frame in stack.iter().rev() {
        match frame {
            Shown::Named(name) => push(&mut path, name),
            Shown::Code { address, object, lines: [], .. } => {
                push(&mut path, &unnamed(*address, *object, symbols))
            }
            Shown::Code { lines, .. } => {
                lines.iter().rev().for_each(|line| push(&mut path, &line.function.name));
            }
        }
    }
    // A number at the end would be taken for a value.
    if let Some((_, last)) = path.rsplit_once(' ')
        && last.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        path.replace_range(path.len() - last.len() - 1..path.len() - last.len(), NO_BREAK);
    }
    path
}

/// Looks like a space, and is none to whom looks for one.
const NO_BREAK: &str = "\u{a0}";

fn push(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push(';');
    }
    path.push_str(&one_word(name));
}

/// A name without what ends one here.
fn one_word(name: &str) -> String {
    let name = name.trim_matches(|end: char| end.is_whitespace() || end == '#');
    match name {
        "" => "?".to_owned(),
        name => name.replace(';', ",").replace(|char: char| char.is_control(), " "),
    }
}

/// What is called by its place alone.
fn unnamed(address: u64, object: Option<usize>, symbols: &Symbols) -> String {
    let object = object.and_then(|object| symbols.objects.get(object));
    match object.map(|object| (object, object.path.file_name())) {
        Some((object, Some(name))) => {
            format!("{}+{:#x}", name.to_string_lossy(), address.wrapping_sub(object.bias))
        }
        _ => format!("{address:#x}"),
    }
}

/// A graph of an empty profile.
#[cfg(feature = "flamegraph")]
fn nothing(title: &str) -> String {
    let title = title.replace('&', "&amp;").replace('<', "&lt;").replace(|char: char| char.is_control(), " ");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1200\" height=\"80\">\
         <text x=\"600\" y=\"30\" text-anchor=\"middle\" font-family=\"monospace\">{title}</text>\
         <text x=\"600\" y=\"60\" text-anchor=\"middle\" font-family=\"monospace\">nothing was measured</text></svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Frame, Label, Sample, ValueType};

    fn cpu(samples: &[(&str, &[u64], i64)]) -> Profile {
        let cpu = ValueType { kind: "cpu", unit: "nanoseconds" };
        let samples = samples.iter().map(|(thread, stack, value)| Sample {
            stack: stack.iter().copied().map(Frame::Code).collect(),
            values: vec![*value],
            labels: vec![("thread", Label::Text((*thread).into()))],
        });
        Profile { samples: samples.collect(), ..Profile::empty(vec![cpu]) }
    }

    #[test]
    fn stacks_are_folded_from_the_thread_to_the_leaf() {
        let profile = cpu(&[
            ("b", &[1, 2], 5),
            ("a;b\n", &[1, 2], 3),
            ("b", &[1, 2], 4),
            ("b", &[3], 0),
            ("b", &[3], -9),
        ]);
        assert_eq!(profile.collapsed(), "a,b;0x2;0x1 3\nb;0x2;0x1 9\n");
    }

    #[test]
    fn a_name_is_never_taken_for_a_value() {
        let names = ["worker 3", "# 5", " ", "1.5", "a 1.", "1 2 3", "a; b\u{0}"];
        for name in names {
            let profile = Profile::counts("tasks", "count", [(name.to_owned(), 7)]);
            let folded = profile.collapsed();
            let line = folded.strip_suffix('\n').expect("a line");
            let (path, value) = line.rsplit_once(' ').expect("a value");
            assert_eq!(value, "7");
            assert!(!path.is_empty() && !path.starts_with("# ") && !path.contains(';'), "{path:?}");
            let last = path.rsplit(' ').next().unwrap_or_default();
            assert!(last == path || last.parse::<f64>().is_err(), "{path:?}");
        }
    }

    #[cfg(feature = "flamegraph")]
    #[test]
    fn a_graph_has_the_threads_the_frames_and_the_unit() {
        let profile = cpu(&[("main", &[0x10, 0x20], 3_000_000), ("<i>", &[0x10], 1_000_000)]);
        let graph = profile.flamegraph("CPU & more").expect("it is drawn");
        assert!(graph.contains("<svg") && graph.trim_end().ends_with("</svg>"));
        for part in ["CPU &amp; more", "0x20 (3 milliseconds, 75.00%)", "&lt;i&gt; (1 milliseconds, 25.00%)"]
        {
            assert!(graph.contains(part), "{part} is not in {graph}");
        }
    }

    #[cfg(feature = "flamegraph")]
    #[test]
    fn a_graph_of_nothing_says_so() {
        let graph = cpu(&[]).flamegraph("a <title>").expect("it is drawn");
        assert!(graph.contains("nothing was measured") && graph.contains("a &lt;title>"));
    }

    #[cfg(not(feature = "flamegraph"))]
    #[test]
    fn a_build_that_draws_nothing_says_so() {
        assert!(matches!(cpu(&[]).flamegraph("title"), Err(Error::Unavailable { what: "flame graph", .. })));
    }
}
