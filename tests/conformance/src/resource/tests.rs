use super::*;
use crate::sample;

fn sent(attributes: &[(&str, &str, &str)]) -> Attributes {
    let owned = |(key, kind, value): &(&str, &str, &str)| {
        ((*key).to_owned(), ((*kind).to_owned(), (*value).to_owned()))
    };
    attributes.iter().map(owned).collect()
}

const PID: (&str, &str, &str) = ("process.pid", "int", "7");
const CREATED: (&str, &str, &str) = ("process.creation.time", "string", "2026-11-21T09:25:34.5Z");

fn violations(attributes: &[(&str, &str, &str)]) -> Vec<String> {
    check(&sent(attributes), &sample::declaration()).iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_resource_has_nothing_wrong() {
    assert_eq!(violations(&[PID, CREATED]), Vec::<String>::new());
    assert_eq!(violations(&[PID, CREATED, ("os.type", "string", "linux")]), Vec::<String>::new());
}

#[test]
fn what_is_required_must_be_there() {
    let found = violations(&[CREATED]);
    assert_eq!(found, ["process.pid: is noted as always there and was not sent"]);
}

#[test]
fn what_is_there_must_be_known_typed_enumerated_and_not_empty() {
    let found = violations(&[PID, CREATED, ("process.colour", "string", "red")]);
    assert_eq!(found, ["process.colour: is sent and of no imported entity"]);
    let found = violations(&[("process.pid", "string", "7"), CREATED]);
    assert_eq!(found, ["process.pid: is a string and should be a int"]);
    let found = violations(&[PID, CREATED, ("os.type", "string", "minix")]);
    assert_eq!(found, ["os.type: is minix, which the conventions do not have"]);
    let found = violations(&[PID, CREATED, ("os.type", "string", "")]);
    assert_eq!(found.last().unwrap(), "os.type: is empty; what is not known must be absent");
}

#[test]
fn the_time_of_creation_is_iso_8601_in_utc() {
    for good in ["2026-11-21T09:25:34Z", "2026-11-21T09:25:34.123456789Z"] {
        assert!(is_utc_time(good), "{good}");
    }
    for bad in [
        "2026-11-21 09:25:34Z",
        "2026-11-21T09:25:34",
        "2026-11-21T09:25:34+01:00",
        "2026-11-21T09:25Z",
        "26-11-21T09:25:34Z",
        "2026-11-21T09:25:34.Z",
        "1763717134",
        "",
    ] {
        assert!(!is_utc_time(bad), "{bad}");
    }
    let found = violations(&[PID, ("process.creation.time", "string", "yesterday")]);
    assert_eq!(found, ["process.creation.time: is yesterday, which is no ISO 8601 time in UTC"]);
}

#[test]
fn the_notes_cover_the_entities() {
    let noted = |from: &str, to: &str| {
        let found = check_notes(&sample::with(&[(from, to)]));
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(check_notes(&sample::declaration()), []);
    assert_eq!(
        noted("    process.pid: {source: getpid}\n", ""),
        ["process: requires process.pid, which has no notes"]
    );
    assert_eq!(
        noted("    os.type: {", "    os.kind: {"),
        [
            "os.kind: has notes and is of no imported entity",
            "os: is imported, and the notes have none of its attributes",
            "os: requires os.type, which has no notes",
        ]
    );
}
