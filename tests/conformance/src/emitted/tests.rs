use super::*;
use crate::sample;
use test_harness::Instrument;

fn point(attributes: &[(&str, &str)], value: f64) -> Point {
    let text = |pair: &(&str, &str)| (pair.0.to_owned(), pair.1.to_owned());
    let types = attributes.iter().map(|(key, _)| ((*key).to_owned(), "string".to_owned()));
    Point {
        attributes: attributes.iter().map(text).collect(),
        types: types.collect(),
        value,
        ..Point::default()
    }
}

fn disk() -> Collected {
    Collected {
        scope: "otel-vitals-host".to_owned(),
        scope_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        schema_url: Some(SCHEMA_URL.to_owned()),
        name: "system.disk.io".to_owned(),
        unit: "By".to_owned(),
        description: "Bytes moved.".to_owned(),
        instrument: Instrument::Counter,
        integer: true,
        points: vec![point(&[("system.device", "sda"), ("disk.io.direction", "read")], 1.0)],
    }
}

fn count() -> Collected {
    Collected {
        scope: "otel-vitals".to_owned(),
        name: "ours.count".to_owned(),
        unit: "{thing}".to_owned(),
        description: "How many.".to_owned(),
        instrument: Instrument::UpDownCounter,
        points: vec![point(&[("ours.kind", "ex")], 1.0), point(&[("ours.kind", "why")], 0.0)],
        ..disk()
    }
}

fn violations(change: impl FnOnce(&mut Collected)) -> Vec<String> {
    violations_of(disk(), change)
}

fn violations_of(mut metric: Collected, change: impl FnOnce(&mut Collected)) -> Vec<String> {
    change(&mut metric);
    let declaration = sample::declaration();
    let mut emitted = Emitted::new(&declaration);
    emitted.add(&Collection { metrics: vec![metric] });
    emitted.violations().iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_as_declared_has_nothing_wrong() {
    assert_eq!(violations(|_| {}), Vec::<String>::new());
    assert_eq!(violations_of(count(), |_| {}), Vec::<String>::new());
}

#[test]
fn a_name_must_be_declared() {
    let named = |name: &str| violations(|metric| metric.name = name.to_owned());
    assert_eq!(named("system.new"), ["system.new: is emitted and declared nowhere in semconv/"]);
    assert_eq!(named("system.heat"), ["system.heat: is emitted and not imported in semconv/imports.yaml"]);
    assert_eq!(
        named("system.old"),
        ["system.old: is emitted and deprecated: DEPRECATED: renamed to system.uptime"]
    );
}

#[test]
fn instrument_unit_and_type_are_compared() {
    let found = violations(|metric| metric.instrument = Instrument::UpDownCounter);
    assert_eq!(found, ["system.disk.io: is a updowncounter and should be a counter"]);
    let found = violations(|metric| metric.unit = "by".to_owned());
    assert_eq!(found, ["system.disk.io: has the unit `by` and should have `By`"]);
    let found = violations(|metric| metric.integer = false);
    assert_eq!(found, ["system.disk.io: is double and should be int"]);
}

#[test]
fn descriptions_are_sentences_and_ours_are_those_of_the_registry() {
    for text in ["", "Bytes moved"] {
        let found = violations(|metric| metric.description = text.to_owned());
        assert_eq!(found, [format!("system.disk.io: is described as `{text}`, which is no sentence")]);
    }
    let found = violations_of(count(), |metric| metric.description = "A number.".to_owned());
    assert_eq!(found, ["ours.count: is described as `A number.` and declared as `How many.`"]);
}

#[test]
fn the_scope_says_who_which_version_and_which_schema() {
    let found = violations(|metric| metric.scope = "otel-vitals".to_owned());
    assert_eq!(found, ["system.disk.io: is of the scope otel-vitals and should be of otel-vitals-host"]);
    let found = violations(|metric| metric.scope_version = None);
    assert_eq!(found, ["system.disk.io: is of a scope whose version is None"]);
    let found = violations(|metric| metric.schema_url = Some("https://other".to_owned()));
    assert_eq!(found, ["system.disk.io: is of a scope whose schema URL is Some(\"https://other\")"]);
}

#[test]
fn attributes_are_declared_required_typed_and_enumerated() {
    let series =
        |attributes: &[(&str, &str)]| violations(|metric| metric.points = vec![point(attributes, 1.0)]);
    assert_eq!(
        series(&[("disk.io.direction", "read"), ("disk.colour", "red")]),
        ["system.disk.io: has the attribute disk.colour, which is not declared for it"]
    );
    assert_eq!(
        series(&[("system.device", "sda")]),
        ["system.disk.io: requires disk.io.direction and has only {\"system.device\": \"sda\"}"]
    );
    for value in ["sideways", "erase"] {
        let found = series(&[("disk.io.direction", value)]);
        assert_eq!(
            found,
            [format!("system.disk.io: has disk.io.direction = {value}, which is not declared")]
        );
    }
    let found = violations(|metric| {
        metric.points.iter_mut().for_each(|point| {
            point.types.insert("system.device".to_owned(), "int".to_owned());
        });
    });
    assert_eq!(found, ["system.disk.io: has system.device as Some(\"int\") and should have it as string"]);
}

#[test]
fn what_the_notes_say_of_attributes_is_held_too() {
    let noted = |notes: &str, attributes: &[(&str, &str)]| {
        let declaration = sample::with(&[("{source: the disk}", &format!("{{source: the disk, {notes}}}"))]);
        let mut emitted = Emitted::new(&declaration);
        emitted
            .add(&Collection { metrics: vec![Collected { points: vec![point(attributes, 1.0)], ..disk() }] });
        emitted.violations().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        noted("values: {disk.io.direction: [read]}", &[("disk.io.direction", "write")]),
        ["system.disk.io: has disk.io.direction = write, which is not declared"]
    );
    assert_eq!(
        noted("values: {disk.io.direction: any}", &[("disk.io.direction", "up")]),
        Vec::<String>::new()
    );
    assert_eq!(
        noted("absent: {system.device: No.}", &[("disk.io.direction", "read"), ("system.device", "sda")]),
        ["system.disk.io: has system.device, which its notes say is absent"]
    );
}

#[test]
fn an_opt_in_attribute_needs_notes() {
    let fast = |notes: &str| {
        let declaration = sample::with(&[("{source: the disk}", &format!("{{source: the disk{notes}}}"))]);
        let mut emitted = Emitted::new(&declaration);
        let mut metric = disk();
        for point in &mut metric.points {
            point.attributes.insert("disk.speed".to_owned(), "7".to_owned());
            point.types.insert("disk.speed".to_owned(), "double".to_owned());
        }
        emitted.add(&Collection { metrics: vec![metric] });
        emitted.violations().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(fast(""), ["system.disk.io: has disk.speed, which is opt-in, and no notes say when"]);
    assert_eq!(fast(", conditional: {disk.speed: when asked for}"), Vec::<String>::new());
}

#[test]
fn values_make_sense_and_there_are_some() {
    let found = violations(|metric| metric.points.clear());
    assert_eq!(found, ["system.disk.io: has no series"]);
    for value in [-1.0, f64::NAN, f64::INFINITY] {
        let found = violations(|metric| metric.points.iter_mut().for_each(|point| point.value = value));
        let [found] = found.try_into().unwrap();
        assert!(found.starts_with(&format!("system.disk.io: is {value} at ")), "{found}");
    }
}

#[test]
fn what_is_declared_and_never_emitted_is_missing() {
    let declaration = sample::declaration();
    let mut emitted = Emitted::new(&declaration);
    let bare = point(&[("disk.io.direction", "read")], 1.0);
    emitted.add(&Collection { metrics: vec![Collected { points: vec![bare], ..disk() }] });
    let mut half = count();
    half.points.truncate(1);
    emitted.add(&Collection { metrics: vec![half] });
    let missing: Vec<String> = emitted.missing(|_| true).iter().map(ToString::to_string).collect();
    assert_eq!(
        missing,
        [
            "ours.count: never has ours.kind = why, which is declared",
            "system.disk.io: never has system.device, and no notes say why",
            "system.uptime: is declared and never emitted",
        ]
    );
    assert_eq!(emitted.missing(|metric| metric.name == "system.disk").len(), 0);

    emitted.add(&Collection { metrics: vec![disk(), count()] });
    assert_eq!(emitted.missing(|metric| metric.name != "system.uptime"), []);
}

#[test]
fn notes_excuse_what_is_missing() {
    let declaration = sample::with(&[
        ("{source: the disk}", "{source: the disk, absent: {system.device: No.}}"),
        ("{source: the clock, meaning", "{source: the clock, platform: Windows, meaning"),
        ("{source: counting}", "{source: counting, elsewhere: {ours.kind: [why]}}"),
    ]);
    let mut emitted = Emitted::new(&declaration);
    let bare = point(&[("disk.io.direction", "read")], 1.0);
    emitted.add(&Collection { metrics: vec![Collected { points: vec![bare], ..disk() }] });
    let mut half = count();
    half.points.truncate(1);
    emitted.add(&Collection { metrics: vec![half] });
    assert_eq!(emitted.missing(|_| true), []);
    assert_eq!(emitted.violations(), []);
}
