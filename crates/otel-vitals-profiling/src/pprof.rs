//! Profiles as gzipped `profile.proto`, with the names in them, so that a tool needs nothing else.

use crate::objects::Object;
use crate::profile::{Label, Profile, Sample, ValueType};
use crate::proto;
use crate::stacks::Shown;
use crate::symbols::{Function, Line, Symbols};
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message as _;
use std::collections::HashMap;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

impl Profile {
    /// The profile as gzipped [`profile.proto`](https://github.com/google/pprof/blob/main/proto/profile.proto), for `go tool pprof` and
    /// whatever else reads Go's.
    ///
    /// Functions, files, lines and inlined functions are in it, as far as the debug information of the program and its libraries says
    /// them, and the build ids of both, by which a tool with the files at hand finds what is missing. To look names up reads debug
    /// information and takes from milliseconds to some seconds: it belongs on no thread that others wait for.
    #[must_use]
    pub fn pprof(&self) -> Vec<u8> {
        let symbols = self.symbols();
        let mut writer = Writer::new(&symbols);
        let head = proto::Profile {
            sample_type: self.types.iter().map(|of| writer.value_type(*of)).collect(),
            default_sample_type: writer.text(self.default_type),
            period_type: self.period.map(|(of, _)| writer.value_type(of)),
            period: self.period.map_or(0, |(_, period)| period),
            time_nanos: since_epoch(self.time),
            duration_nanos: self.duration.map_or(0, nanoseconds),
            comment: self.comments.iter().map(|comment| writer.text(comment)).collect(),
            ..proto::Profile::default()
        };
        writer.write(&head);
        for sample in &self.samples {
            let sample = writer.sample(self, sample);
            writer.write(&proto::Profile { sample: vec![sample], ..proto::Profile::default() });
        }
        writer.finish()
    }
}

/// Writes message by message: several in a row are one, so that a big profile need not be in memory as a whole before it is packed.
struct Writer<'a> {
    symbols: &'a Symbols,
    packed: GzEncoder<Vec<u8>>,
    texts: HashMap<String, i64>,
    functions: HashMap<&'a Function, u64>,
    /// By address and by what is left out of it.
    code: HashMap<(u64, usize), u64>,
    named: HashMap<&'a str, u64>,
    /// How many functions are written.
    defined: u64,
    locations: Vec<proto::Location>,
    /// One for each object.
    mappings: Vec<Mapping>,
}

/// What is known of the locations in an object.
#[derive(Clone, Copy, Default)]
struct Mapping {
    /// Its number, where there are some.
    id: Option<u64>,
    has_functions: bool,
    has_filenames: bool,
    has_line_numbers: bool,
}

impl<'a> Writer<'a> {
    fn new(symbols: &'a Symbols) -> Self {
        let mut writer = Writer {
            symbols,
            packed: GzEncoder::new(Vec::new(), Compression::default()),
            texts: HashMap::from([(String::new(), 0)]),
            functions: HashMap::new(),
            code: HashMap::new(),
            named: HashMap::new(),
            defined: 0,
            locations: Vec::new(),
            mappings: vec![Mapping::default(); symbols.objects.len()],
        };
        // Tools take the first for the program.
        if !symbols.objects.is_empty() {
            writer.mapping(0);
        }
        writer
    }

    fn write(&mut self, part: &proto::Profile) {
        // Memory takes everything.
        let _ = self.packed.write_all(&part.encode_to_vec());
    }

    fn value_type(&mut self, of: ValueType) -> proto::ValueType {
        proto::ValueType { kind: self.text(of.kind), unit: self.text(of.unit) }
    }

    /// Where in the table of strings a text is.
    fn text(&mut self, text: &str) -> i64 {
        if let Some(known) = self.texts.get(text) {
            return *known;
        }
        let place = place(self.texts.len());
        self.texts.insert(text.to_owned(), place);
        place
    }

    fn sample(&mut self, profile: &Profile, sample: &'a Sample) -> proto::Sample {
        let stack = profile.shown(sample, self.symbols);
        let mut value = sample.values.clone();
        // One for each type, whatever comes, or the whole profile is refused.
        value.resize(profile.types.len(), 0);
        proto::Sample {
            location_id: stack.into_iter().map(|frame| self.location(frame)).collect(),
            value,
            label: sample.labels.iter().filter_map(|(key, label)| self.label(key, label)).collect(),
        }
    }

    /// None of an empty text, which readers take for the number zero: they tell a text by its place in the table, of which the first is
    /// the empty one.
    fn label(&mut self, key: &str, label: &Label) -> Option<proto::Label> {
        Some(match label {
            Label::Text(text) if text.is_empty() => return None,
            Label::Text(text) => {
                proto::Label { key: self.text(key), str: self.text(text), ..proto::Label::default() }
            }
            Label::Number(num, unit) => proto::Label {
                key: self.text(key),
                num: *num,
                num_unit: self.text(unit),
                ..proto::Label::default()
            },
        })
    }

    fn location(&mut self, frame: Shown<'a>) -> u64 {
        let id = self.locations.len() as u64 + 1;
        let known = match frame {
            Shown::Code { address, left_out, .. } => *self.code.entry((address, left_out)).or_insert(id),
            Shown::Named(name) => *self.named.entry(name).or_insert(id),
        };
        if known == id {
            let location = match frame {
                Shown::Code { address, object, lines, .. } => self.code(id, address, object, lines),
                Shown::Named(name) => self.named(id, name),
            };
            self.locations.push(location);
        }
        known
    }

    fn code(&mut self, id: u64, address: u64, object: Option<usize>, lines: &'a [Line]) -> proto::Location {
        let mapping_id = object.map_or(0, |object| self.mapping(object));
        if let Some(mapping) = object.and_then(|object| self.mappings.get_mut(object)) {
            mapping.has_functions |= !lines.is_empty();
            mapping.has_filenames |= lines.iter().any(|line| !line.function.file.is_empty());
            mapping.has_line_numbers |= lines.iter().any(|line| line.line > 0);
        }
        let line = lines.iter().map(|line| proto::Line {
            function_id: self.function(&line.function),
            line: i64::from(line.line),
        });
        proto::Location { id, mapping_id, address, line: line.collect() }
    }

    fn named(&mut self, id: u64, name: &str) -> proto::Location {
        let function_id = self.define(name, name, "");
        proto::Location { id, mapping_id: 0, address: 0, line: vec![proto::Line { function_id, line: 0 }] }
    }

    fn mapping(&mut self, object: usize) -> u64 {
        let next = self.mappings.iter().filter(|mapping| mapping.id.is_some()).count() as u64 + 1;
        self.mappings.get_mut(object).map_or(0, |mapping| *mapping.id.get_or_insert(next))
    }

    fn function(&mut self, function: &'a Function) -> u64 {
        if let Some(known) = self.functions.get(function) {
            return *known;
        }
        let id = self.define(&function.name, &function.system_name, &function.file);
        self.functions.insert(function, id);
        id
    }

    /// Writes a function, under the next number.
    fn define(&mut self, name: &str, system_name: &str, file: &str) -> u64 {
        let id = self.defined + 1;
        self.defined = id;
        let function = proto::Function {
            id,
            name: self.text(name),
            system_name: self.text(system_name),
            filename: self.text(file),
            start_line: 0,
        };
        self.write(&proto::Profile { function: vec![function], ..proto::Profile::default() });
        id
    }

    fn finish(mut self) -> Vec<u8> {
        let symbols = self.symbols;
        let mappings = std::mem::take(&mut self.mappings);
        let written = symbols.objects.iter().zip(mappings);
        let mut mapping: Vec<_> =
            written.filter_map(|(object, of)| Some(self.object(of.id?, object, of))).collect();
        mapping.sort_by_key(|mapping| mapping.id);
        let mut texts: Vec<_> = std::mem::take(&mut self.texts).into_iter().collect();
        texts.sort_unstable_by_key(|(_, place)| *place);
        let tail = proto::Profile {
            mapping,
            location: std::mem::take(&mut self.locations),
            string_table: texts.into_iter().map(|(text, _)| text).collect(),
            ..proto::Profile::default()
        };
        self.write(&tail);
        // As above.
        self.packed.finish().unwrap_or_default()
    }

    fn object(&mut self, id: u64, object: &Object, of: Mapping) -> proto::Mapping {
        let build_id = object.build_id.as_deref().unwrap_or_default();
        let build_id: String = build_id.iter().map(|byte| format!("{byte:02x}")).collect();
        proto::Mapping {
            id,
            memory_start: object.start,
            memory_limit: object.end,
            file_offset: object.offset,
            filename: self.text(&object.path.to_string_lossy()),
            build_id: self.text(&build_id),
            has_functions: of.has_functions,
            has_filenames: of.has_filenames,
            has_line_numbers: of.has_line_numbers,
            // What tells files tells of inlined functions, too.
            has_inline_frames: of.has_filenames,
        }
    }
}

fn since_epoch(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, nanoseconds)
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn place(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
