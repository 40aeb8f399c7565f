//! What was written is read back: by the messages, and by Go's own reader.

use super::*;
use crate::profile::Frame;
use crate::profile::tests::heap;
use flate2::read::GzDecoder;
use proptest::prelude::*;
use std::io::Read as _;
use std::sync::Arc;
use test_harness::pprof::Pprof;

fn read(packed: &[u8]) -> proto::Profile {
    let mut bytes = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut bytes).expect("it is gzip");
    proto::Profile::decode(bytes.as_slice()).expect("it is a profile")
}

fn text(profile: &proto::Profile, place: i64) -> &str {
    usize::try_from(place).ok().and_then(|place| profile.string_table.get(place)).expect("it is in the table")
}

/// What the format demands, as Go checks it.
fn check(profile: &proto::Profile) {
    assert_eq!(profile.string_table.first().map(String::as_str), Some(""));
    let ids = |ids: Vec<u64>| assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    ids(profile.mapping.iter().map(|of| of.id).collect());
    ids(profile.location.iter().map(|of| of.id).collect());
    ids(profile.function.iter().map(|of| of.id).collect());
    let within = |id: u64, length: usize| assert!(id <= length as u64, "{id} of {length}");
    for sample in &profile.sample {
        assert_eq!(sample.value.len(), profile.sample_type.len());
        sample.location_id.iter().for_each(|id| within(*id, profile.location.len()));
        for label in &sample.label {
            let _: [&str; 3] = [label.key, label.str, label.num_unit].map(|of| text(profile, of));
        }
    }
    for location in &profile.location {
        within(location.mapping_id, profile.mapping.len());
        location.line.iter().for_each(|line| within(line.function_id, profile.function.len()));
    }
    for function in &profile.function {
        let _: [&str; 3] =
            [function.name, function.system_name, function.filename].map(|of| text(profile, of));
    }
}

/// Where the sum below is; the lines behind it are counted from here.
const HERE: u32 = line!();

#[inline(always)]
fn inner(numbers: &[u64]) -> u64 {
    std::hint::black_box(numbers.len() as u64 * 3)
}

#[inline(never)]
fn outer(numbers: &[u64]) -> u64 {
    inner(numbers) + 1
}

/// An address in `outer`, of code that is of `inner`.
fn inlined() -> u64 {
    const LONGEST: u64 = 200;
    assert_eq!(std::hint::black_box(outer as fn(&[u64]) -> u64)(&[1, 2]), 7);
    let start = outer as *const () as u64;
    let symbols = Symbols::of(start..start + LONGEST);
    let at = |address: &u64| &symbols.at(*address).expect("it was asked for").names.lines;
    let of_inner =
        |address: &u64| at(address).first().is_some_and(|line| line.function.name.contains("inner"));
    (start..start + LONGEST).find(of_inner).expect("inner is inlined into outer")
}

/// A heap of three stacks.
fn example() -> Profile {
    let (inlined, plain) = (inlined(), example as *const () as u64);
    let mut profile = heap(&[
        (&[inlined, plain], [7, 7000, 3, 3000]),
        (&[plain], [2, 200, 1, 100]),
        // In no object.
        (&[0x10], [1, 5, 1, 5]),
    ]);
    if let Some(sample) = profile.samples.first_mut() {
        sample.labels = vec![("kind", Label::Text("first".into())), ("bytes", Label::Number(1000, "bytes"))];
    }
    profile.comment("of a test");
    profile.duration = Some(Duration::from_millis(1500));
    // The names of a test are ours, which are left out of the heap.
    Profile { of_allocator: false, ..profile }
}

#[test]
fn what_is_read_is_what_was_written() {
    let written = example();
    let profile = read(&written.pprof());
    check(&profile);
    let types: Vec<_> =
        profile.sample_type.iter().map(|of| (text(&profile, of.kind), text(&profile, of.unit))).collect();
    assert_eq!(types, written.types.iter().map(|of| (of.kind, of.unit)).collect::<Vec<_>>());
    assert_eq!(text(&profile, profile.default_sample_type), "inuse_space");
    let period = profile.period_type.as_ref().expect("there is a period");
    assert_eq!(
        (text(&profile, period.kind), text(&profile, period.unit), profile.period),
        ("space", "bytes", 524_288)
    );
    assert_eq!((profile.time_nanos, profile.duration_nanos), (since_epoch(written.time), 1_500_000_000));
    assert_eq!(profile.comment.iter().map(|place| text(&profile, *place)).collect::<Vec<_>>(), ["of a test"]);
    let values: Vec<_> = profile.sample.iter().map(|sample| sample.value.clone()).collect();
    assert_eq!(values, written.samples.iter().map(|sample| sample.values.clone()).collect::<Vec<_>>());
    let [kind, bytes] = profile.sample[0].label[..] else { panic!("two labels") };
    assert_eq!((text(&profile, kind.key), text(&profile, kind.str)), ("kind", "first"));
    assert_eq!(
        (text(&profile, bytes.key), bytes.num, text(&profile, bytes.num_unit)),
        ("bytes", 1000, "bytes")
    );
    assert_eq!(profile.location.len(), 3);
    assert_eq!(profile.sample[0].location_id[1], profile.sample[1].location_id[0]);
}

#[test]
fn locations_are_in_the_program_with_its_build_id() {
    let profile = read(&example().pprof());
    let [program] = profile.mapping[..] else { panic!("one object: {:?}", profile.mapping) };
    let path = std::env::current_exe().expect("a program has a path");
    assert_eq!(text(&profile, program.filename), path.to_str().expect("it is text"));
    let objects = crate::objects::loaded();
    let build_id = objects[0].build_id.as_deref().expect("programs have one here");
    let hex: String = build_id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(text(&profile, program.build_id), hex);
    assert!(
        program.has_functions
            && program.has_filenames
            && program.has_line_numbers
            && program.has_inline_frames
    );
    for location in &profile.location {
        let within = (program.memory_start..program.memory_limit).contains(&location.address);
        assert_eq!(
            (location.mapping_id, location.line.is_empty()),
            if within { (1, false) } else { (0, true) }
        );
    }
}

#[test]
fn inlined_functions_have_lines_of_their_own() {
    let profile = read(&example().pprof());
    let lines: Vec<_> = profile.location[0]
        .line
        .iter()
        .map(|line| {
            let function = profile.function[line.function_id as usize - 1];
            assert!(text(&profile, function.filename).ends_with("pprof/tests.rs"));
            (text(&profile, function.name), line.line)
        })
        .collect();
    let outer = "otel_vitals_profiling::pprof::tests::outer";
    let [(inner, in_inner), (of_outer, in_outer)] = lines[..] else { panic!("two functions: {lines:?}") };
    assert!(inner.ends_with("inner") && of_outer == outer, "{lines:?}");
    assert_eq!((in_inner, in_outer), (i64::from(HERE) + 4, i64::from(HERE) + 9));
    let system_name =
        text(&profile, profile.function[profile.location[0].line[1].function_id as usize - 1].system_name);
    assert!(system_name.starts_with("_ZN") || system_name.starts_with("_R"), "{system_name}");
}

#[test]
fn names_are_locations_without_an_address() {
    let mut written =
        Profile::counts("tasks", "count", [("a".to_owned(), 1), ("\0\u{1f980}\n".to_owned(), 2)]);
    written.count(["b".to_owned(), "a".to_owned()], [], 3);
    let profile = read(&written.pprof());
    check(&profile);
    assert!(profile.mapping.is_empty());
    assert!(profile.location.iter().all(|location| location.address == 0 && location.mapping_id == 0));
    let names: Vec<_> = profile.function.iter().map(|function| text(&profile, function.name)).collect();
    assert_eq!(names, ["a", "\0\u{1f980}\n", "b"]);
    assert_eq!(profile.sample[2].location_id, [3, 1]);
}

#[test]
fn many_samples_are_written() {
    const MANY: u64 = 100_000;
    let mut profile = heap(&[]);
    profile.samples = (0..MANY)
        .map(|n| Sample {
            // In no object.
            stack: Arc::new([Frame::Code(n % 1000), Frame::Code(n % 777), Frame::Code(5)]),
            values: vec![1, 2, 3, 4],
            labels: Vec::new(),
        })
        .collect();
    let profile = read(&profile.pprof());
    check(&profile);
    assert_eq!((profile.sample.len() as u64, profile.location.len()), (MANY, 1000));
}

#[test]
fn go_reads_what_was_written() {
    let Some(pprof) = Pprof::find() else { return };
    let mut profile = example();
    profile.samples[0].labels.push(("nameless", Label::Text("".into())));
    let profile = profile.pprof();
    let raw = pprof.raw(&profile);
    for part in [
        "PeriodType: space bytes",
        "Period: 524288",
        "Duration: 1.5",
        "alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes[dflt]",
        "7       7000          3       3000: 1 2",
        "kind:[first]",
        "of a test",
        "otel_vitals_profiling::pprof::tests::outer",
        "[FN]",
    ] {
        assert!(raw.contains(part), "{part} is not in {raw}");
    }
    assert!(!raw.contains("nameless"), "an empty text is no number: {raw}");
    let rows = pprof.top(&profile, "inuse_space", &["-lines"]);
    let flat: Vec<_> = rows.iter().filter(|row| row.flat > 0).map(|row| (row.flat, row.cumulative)).collect();
    assert_eq!(flat, [(3000, 3000), (100, 3100), (5, 5)], "{rows:?}");
    assert!(rows[0].name.contains(&format!("tests.rs:{} (inline)", HERE + 4)), "{rows:?}");
    let outer = rows.iter().find(|row| row.name.contains("tests::outer")).expect("outer calls");
    assert!(outer.name.ends_with(&format!("tests.rs:{}", HERE + 9)) && outer.cumulative == 3000, "{rows:?}");
    assert_eq!(pprof.top(&profile, "alloc_objects", &[])[0].flat, 7);
}

#[test]
fn go_reads_the_text_of_a_heap() {
    let Some(pprof) = Pprof::find() else { return };
    let written = example();
    let profile = written.text();
    assert!(profile.starts_with("heap profile: 5: 3105 [10: 7205] @ heap/2\n"), "{profile}");
    let raw = pprof.raw(profile.as_bytes());
    for stack in [
        "7       7000          3       3000: 1 2",
        "2        200          1        100: 2",
        "1          5          1          5: 3",
    ] {
        assert!(raw.contains(stack), "{stack} is not in {raw}");
    }
    // An address of a text is where the call returns to, and its reader takes the one before.
    let Frame::Code(address) = written.samples[0].stack[0] else { panic!("it is code") };
    assert!(raw.contains(&format!("1: {address:#x} M=1")), "{raw}");
    let path = std::env::current_exe().expect("a program has a path");
    assert!(raw.contains(path.to_str().expect("it is text")), "{raw}");
}

#[test]
fn go_reads_deltas_and_empty_profiles() {
    let Some(pprof) = Pprof::find() else { return };
    let earlier = example();
    let mut later = example();
    later.samples[1].values = vec![5, 500, 0, 0];
    let raw = pprof.raw(&later.since(&earlier).pprof());
    assert!(raw.contains("3        300         -1       -100: 1"), "{raw}");
    for empty in [heap(&[]), Profile::contentions(), Profile::counts("tasks", "count", [])] {
        let raw = pprof.raw(&empty.pprof());
        assert!(raw.contains("Samples:"), "{raw}");
    }
    let raw = pprof.raw(&Profile::contentions().pprof());
    assert!(raw.contains("contentions/count delay/nanoseconds") && raw.contains("not measured"), "{raw}");
    let raw = pprof.raw(heap(&[]).text().as_bytes());
    assert!(raw.contains("PeriodType: space bytes"), "{raw}");
}

#[test]
fn go_reads_the_allocations_of_a_heap_when_they_are_shown_first() {
    let Some(pprof) = Pprof::find() else { return };
    let raw = pprof.raw(&example().showing("alloc_space").pprof());
    assert!(raw.contains("alloc_space/bytes[dflt]"), "{raw}");
}

fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        any::<u64>().prop_map(Frame::Code),
        (0_u64..1 << 16).prop_map(|offset| Frame::Code(example as *const () as u64 + offset)),
        "\\PC{0,9}|[\0-\u{ff}]{0,9}".prop_map(|name| Frame::Named(name.into())),
    ]
}

fn sample() -> impl Strategy<Value = Sample> {
    let label = prop_oneof![
        "\\PC{0,2}".prop_map(|text| Label::Text(text.into())),
        any::<i64>().prop_map(|number| Label::Number(number, "bytes")),
    ];
    let stack = proptest::collection::vec(frame(), 0..6);
    let values = proptest::collection::vec(any::<i64>(), 0..6);
    (stack, values, label).prop_map(|(stack, values, label)| Sample {
        stack: stack.into(),
        values,
        labels: vec![("label", label)],
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_was_measured_can_be_written(
        samples in proptest::collection::vec(sample(), 0..20),
        of_allocator in any::<bool>(),
        seconds in any::<u64>(),
    ) {
        let duration = Some(Duration::from_secs(seconds));
        let profile = Profile { samples, of_allocator, duration, ..heap(&[]) };
        let written = read(&profile.pprof());
        check(&written);
        prop_assert_eq!(written.sample.len(), profile.samples.len());
        for (written, sample) in written.sample.iter().zip(&profile.samples) {
            // A label is a text or a number, as it was.
            let [(_, label)] = &sample.labels[..] else { panic!("one label") };
            let found: Vec<_> = written.label.iter().map(|of| (of.str > 0, of.num)).collect();
            let expected = match label {
                Label::Text(text) if text.is_empty() => vec![],
                Label::Text(_) => vec![(true, 0)],
                Label::Number(number, _) => vec![(false, *number)],
            };
            prop_assert_eq!(found, expected);
        }
        let (_, _, delta) = (profile.text(), profile.collapsed(), profile.since(&profile));
        // Twice a stack is counted once, and what a value lacks is no change.
        prop_assert!(delta.samples.is_empty());
    }
}
