//! Profiles as text, as Go answers with `debug=1`.

use crate::profile::{Label, Profile, Sample};
use crate::stacks::Shown;
use crate::symbols::Symbols;
use std::fmt::Write as _;
use std::time::SystemTime;

/// Bytes of text beyond which stacks are only summed up: who reads has long stopped, and a service has to hold all of it.
const ROOM: usize = 16 << 20;

impl Profile {
    /// The profile as text, as Go writes it with `debug=1`: what is most first, each with its stack. That of the heap can be read by
    /// `go tool pprof`, too.
    ///
    /// Beyond 16 MiB, the smaller stacks are summed up in one line.
    ///
    /// Of what is sampled, numbers are estimates of all that there is, as in [`pprof`](Self::pprof); Go writes what it has seen and
    /// leaves the estimate to the reader. Looks up names, as that does.
    #[must_use]
    pub fn text(&self) -> String {
        let symbols = self.symbols();
        let mut out = String::new();
        // A string takes everything.
        let _ = match self.types.as_slice() {
            [.., first, second] if first.kind == "inuse_objects" && second.kind == "inuse_space" => {
                self.heap(&symbols, &mut out)
            }
            [first, ..] if first.kind == "threads" => self.table(&mut out),
            [one] => self.counted(one.kind, &symbols, &mut out),
            _ => self.measured(&symbols, &mut out),
        };
        out
    }

    /// As Go writes the heap. What its numbers are estimated from is not said where Go says it, or tools would estimate again: for them,
    /// everything was seen.
    fn heap(&self, symbols: &Symbols, out: &mut String) -> std::fmt::Result {
        let total = |kind| self.total(kind).unwrap_or(0);
        write!(out, "heap profile: {}: {} ", total("inuse_objects"), total("inuse_space"))?;
        writeln!(out, "[{}: {}] @ heap/2", total("alloc_objects"), total("alloc_space"))?;
        self.remarks(out)?;
        let place = |kind| self.types.iter().position(|of| of.kind == kind);
        let [alloc_objects, alloc_space, inuse_objects, inuse_space] =
            ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"].map(place);
        let values = |values: &[i64], out: &mut String| {
            let value =
                |place: Option<usize>| place.and_then(|place| values.get(place)).copied().unwrap_or(0);
            write!(out, "{}: {} ", value(inuse_objects), value(inuse_space))?;
            write!(out, "[{}: {}] @", value(alloc_objects), value(alloc_space))
        };
        self.stacks(symbols, out, values)
    }

    /// As Go writes what it counts: threads it has made, goroutines.
    fn counted(&self, kind: &str, symbols: &Symbols, out: &mut String) -> std::fmt::Result {
        writeln!(out, "{kind} profile: total {}", self.total(kind).unwrap_or(0))?;
        self.remarks(out)?;
        self.stacks(symbols, out, plain)
    }

    /// What Go has no text for.
    fn measured(&self, symbols: &Symbols, out: &mut String) -> std::fmt::Result {
        let name = self.types.last().map_or("", |last| last.kind);
        let totals = self.types.iter().map(|of| {
            let total = self.total(of.kind).unwrap_or(0);
            format!("{total} {} ({})", of.kind, of.unit)
        });
        write!(out, "{name} profile: total {}", totals.collect::<Vec<_>>().join(", "))?;
        match self.duration {
            Some(duration) => writeln!(out, " in {duration:.3?}")?,
            None => writeln!(out)?,
        }
        self.remarks(out)?;
        self.stacks(symbols, out, plain)
    }

    /// As many stacks as there is room for, what is most first, and the sum of the others.
    fn stacks(
        &self,
        symbols: &Symbols,
        out: &mut String,
        values: impl Fn(&[i64], &mut String) -> std::fmt::Result,
    ) -> std::fmt::Result {
        let mut samples = self.sorted().into_iter();
        while out.len() < ROOM
            && let Some(sample) = samples.next()
        {
            values(&sample.values, out)?;
            self.stack(sample, symbols, out)?;
        }
        let (mut others, mut sums) = (0_usize, vec![0_i64; self.types.len()]);
        for sample in samples {
            others += 1;
            sums.iter_mut().zip(&sample.values).for_each(|(sum, value)| *sum = sum.saturating_add(*value));
        }
        if others > 0 {
            values(&sums, out)?;
            writeln!(out, "\n#\t[{others} more stacks, of which each has less]\n")?;
        }
        mappings(symbols, out)
    }

    /// A line for each sample of what has names alone.
    fn table(&self, out: &mut String) -> std::fmt::Result {
        let kind = self.types.first().map_or("", |first| first.kind);
        writeln!(out, "{kind} profile: total {}", self.total(kind).unwrap_or(0))?;
        self.remarks(out)?;
        for of in &self.types {
            write!(out, "{:>16} ", format!("{}/{}", of.kind, of.unit))?;
        }
        writeln!(out, " labels")?;
        for sample in self.sorted() {
            for value in &sample.values {
                write!(out, "{value:>16} ")?;
            }
            for (key, label) in &sample.labels {
                write!(out, " {key}={}", Quoted(label))?;
            }
            writeln!(out)?;
        }
        Ok(())
    }

    /// What applies to the profile as a whole, as comments.
    fn remarks(&self, out: &mut String) -> std::fmt::Result {
        let time = self.time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        writeln!(out, "# time: {} s since 1970", time.as_secs())?;
        if let Some((of, period)) = self.period
            && period > 1
        {
            writeln!(out, "# one sample for {period} {} of {} on average", of.unit, of.kind)?;
        }
        for comment in &self.comments {
            for line in comment.lines() {
                writeln!(out, "# {line}")?;
            }
        }
        Ok(())
    }

    /// The rest of the line of a sample, and a line for each function of its stack.
    fn stack(&self, sample: &Sample, symbols: &Symbols, out: &mut String) -> std::fmt::Result {
        let stack = self.shown(sample, symbols);
        for frame in &stack {
            if let Shown::Code { address, .. } = frame {
                // As readers expect it: where the call returns to.
                write!(out, " {:#x}", address.saturating_add(1))?;
            }
        }
        writeln!(out)?;
        if !sample.labels.is_empty() {
            let labels = sample.labels.iter().map(|(key, label)| format!("{key:?}:{}", Quoted(label)));
            writeln!(out, "# labels: {{{}}}", labels.collect::<Vec<_>>().join(", "))?;
        }
        for frame in &stack {
            function_lines(frame, out)?;
        }
        writeln!(out)
    }

    /// The samples with the most of what is shown at first, first.
    pub(crate) fn sorted(&self) -> Vec<&Sample> {
        let place = self.default_place();
        let value = |sample: &Sample| sample.values.get(place).copied().unwrap_or(0);
        let mut samples: Vec<_> = self.samples.iter().collect();
        samples.sort_by_key(|sample| std::cmp::Reverse(value(sample)));
        samples
    }
}

/// The values of a sample.
fn plain(values: &[i64], out: &mut String) -> std::fmt::Result {
    for value in values {
        write!(out, "{value} ")?;
    }
    write!(out, "@")
}

/// As Go writes the functions of a stack: address, name and offset, file and line.
fn function_lines(frame: &Shown<'_>, out: &mut String) -> std::fmt::Result {
    match frame {
        Shown::Named(name) => writeln!(out, "#\t{}", name.escape_debug()),
        Shown::Code { address, lines: [], .. } => writeln!(out, "#\t{address:#x}"),
        Shown::Code { address, lines: [inlined @ .., outermost], offset, .. } => {
            for line in inlined {
                writeln!(
                    out,
                    "#\t{address:#x}\t{}\t{}:{}",
                    line.function.name, line.function.file, line.line
                )?;
            }
            let function = &outermost.function;
            write!(out, "#\t{address:#x}\t{}", function.name)?;
            if let Some(offset) = offset {
                write!(out, "+{offset:#x}")?;
            }
            match function.file.as_str() {
                "" => writeln!(out),
                file => writeln!(out, "\t{file}:{}", outermost.line),
            }
        }
    }
}

/// What is loaded, as the kernel writes it, by which tools find the files.
fn mappings(symbols: &Symbols, out: &mut String) -> std::fmt::Result {
    if symbols.objects.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nMAPPED_LIBRARIES: ")?;
    for object in &symbols.objects {
        let (start, end, offset) = (object.start, object.end, object.offset);
        writeln!(out, "{start:08x}-{end:08x} r-xp {offset:08x} 00:00 0 {}", object.path.display())?;
    }
    Ok(())
}

/// A label as it is written, in one line whatever is in it.
struct Quoted<'a>(&'a Label);

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Label::Text(text) => write!(formatter, "{text:?}"),
            Label::Number(number, "") => write!(formatter, "{number}"),
            Label::Number(number, unit) => write!(formatter, "\"{number} {unit}\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::tests::heap;
    use crate::profile::{Frame, ValueType};
    use std::time::Duration;

    /// Without what differs from run to run.
    fn text(profile: &Profile) -> String {
        let mut profile = profile.clone();
        profile.time = SystemTime::UNIX_EPOCH + Duration::from_secs(12);
        profile.text()
    }

    #[test]
    fn the_heap_is_written_as_go_does() {
        let profile = heap(&[(&[0x10], [1, 5, 1, 5]), (&[0x20, 0x10], [7, 7000, 3, 3000])]);
        let text = text(&profile);
        let (samples, mappings) = text.split_once("\nMAPPED_LIBRARIES: \n").unwrap_or((&text, ""));
        assert_eq!(
            samples,
            "heap profile: 4: 3005 [8: 7005] @ heap/2\n\
             # time: 12 s since 1970\n\
             # one sample for 524288 bytes of space on average\n\
             3: 3000 [7: 7000] @ 0x21 0x11\n#\t0x20\n#\t0x10\n\n\
             1: 5 [1: 5] @ 0x11\n#\t0x10\n\n"
        );
        let program = std::env::current_exe().expect("a program has a path").display().to_string();
        assert!(
            !cfg!(target_os = "linux")
                || mappings.lines().next().is_some_and(|first| first.ends_with(&program))
        );
    }

    #[test]
    fn a_text_is_bounded_and_sums_up_what_is_beyond() {
        const FRAMES: u64 = 500;
        const MANY: u64 = 3_000;
        // In no object, below the mappings.
        let stacks: Vec<Vec<u64>> =
            (0..MANY).map(|n| (0..FRAMES).map(|frame| n + frame + 1).collect()).collect();
        let samples: Vec<(&[u64], [i64; 4])> =
            stacks.iter().map(|stack| (&stack[..], [2, 6, 1, 3])).collect();
        let text = heap(&samples).text();
        assert!(text.len() < ROOM + ROOM / 8, "{}", text.len());
        let values = |line: &str| line.split_once(": ").and_then(|(objects, _)| objects.parse::<u64>().ok());
        assert_eq!(text.lines().skip(1).filter_map(values).sum::<u64>(), MANY, "nothing is lost");
        let rest = text.lines().find(|line| line.contains("more stacks")).expect("there are more");
        assert!(rest.starts_with("#\t["), "{rest}");
    }

    #[test]
    fn functions_have_an_offset_a_file_and_a_line() {
        let here = functions_have_an_offset_a_file_and_a_line as *const () as u64;
        let text = heap(&[(&[here + 1], [1, 1, 1, 1])]).text();
        let name = "otel_vitals_profiling::text::tests::functions_have_an_offset_a_file_and_a_line+0x1\t";
        let line =
            text.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("no name in {text}"));
        assert!(line.starts_with(&format!("#\t{:#x}\t", here + 1)), "{line}");
        let (_, place) = line.rsplit_once('\t').expect("there is a file");
        let (file, line) = place.rsplit_once(':').expect("there is a line");
        assert!(file.ends_with("src/text.rs") && line.parse::<u32>().is_ok_and(|line| line > 200), "{place}");
    }

    #[test]
    fn what_is_counted_is_written_as_go_does() {
        let mut profile = Profile::counts("tasks", "count", [("runtime\n1".to_owned(), 3)]);
        profile.count(["a".to_owned(), "b".to_owned()], [("state", "\"idle\"".to_owned())], 4);
        profile.comment("alive\nnow");
        assert_eq!(
            text(&profile),
            "tasks profile: total 7\n# time: 12 s since 1970\n# alive\n# now\n\
             4 @\n# labels: {\"state\":\"\\\"idle\\\"\"}\n#\ta\n#\tb\n\n\
             3 @\n#\truntime\\n1\n\n"
        );
    }

    #[test]
    fn what_is_measured_says_all_its_values() {
        let of = |kind, unit| ValueType { kind, unit };
        let sample = |stack: &str, values: [i64; 2]| Sample {
            stack: std::sync::Arc::new([Frame::Named(stack.into())]),
            values: values.to_vec(),
            labels: vec![("bytes", Label::Number(7, "bytes"))],
        };
        let profile = Profile {
            samples: vec![sample("a", [1, 10]), sample("b", [2, 20])],
            duration: Some(Duration::from_millis(1500)),
            ..Profile::empty(vec![of("samples", "count"), of("cpu", "nanoseconds")])
        };
        assert_eq!(
            text(&profile),
            "cpu profile: total 3 samples (count), 30 cpu (nanoseconds) in 1.500s\n# time: 12 s since 1970\n\
             2 20 @\n# labels: {\"bytes\":\"7 bytes\"}\n#\tb\n\n\
             1 10 @\n# labels: {\"bytes\":\"7 bytes\"}\n#\ta\n\n"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn threads_are_a_table() {
        let text = crate::threads::profile().expect("there is /proc").text();
        let mut lines = text.lines();
        assert!(lines.next().is_some_and(|first| first.starts_with("threads profile: total ")));
        let head = lines.find(|line| !line.starts_with('#')).expect("there is a head");
        assert_eq!(
            head.split_whitespace().collect::<Vec<_>>(),
            ["threads/count", "cpu/nanoseconds", "labels"]
        );
        // The names of all tests of this file begin with the 15 bytes that the kernel keeps of one.
        let link = std::fs::read_link("/proc/thread-self").expect("there is /proc");
        let own = link.file_name().and_then(|id| id.to_str()).expect("a thread has an id");
        let own = format!("thread_id={own}");
        let of_test =
            lines.find(|line| line.split_whitespace().any(|word| word == own)).expect("this thread is there");
        assert!(of_test.contains("state=\"running\" thread_id="), "{of_test}");
    }
}
