use super::*;
use crate::sample;

fn violations(replacements: &[(&str, &str)]) -> Vec<String> {
    check(&sample::with(replacements)).iter().map(ToString::to_string).collect()
}

#[test]
fn good_notes_have_nothing_wrong() {
    assert_eq!(violations(&[]), Vec::<String>::new());
}

#[test]
fn every_metric_has_notes_and_every_note_a_metric() {
    let found =
        violations(&[("      ours.count: {source: counting}", "      ours.total: {source: counting}")]);
    assert_eq!(found, ["ours.count: has no notes", "ours.total: has notes and is not declared"]);
    let found = violations(&[("namespace: ours", "namespace: our")]);
    assert_eq!(found, ["ours.count: is noted in the group of our"]);
}

#[test]
fn what_the_conventions_call_opt_in_has_an_option() {
    let found = violations(&[(", option: metrics.host.uptime", "")]);
    assert_eq!(found, ["system.uptime: is opt-in in the conventions and has no option in the notes"]);
}

#[test]
fn a_meaning_is_whole() {
    let found = violations(&[(", meaning: How long it is up.", "")]);
    assert_eq!(found, ["system.uptime: has a brief that is cut off, and no meaning in the notes"]);
    let found = violations(&[("How long it is up.", "How long")]);
    assert_eq!(found, ["system.uptime: its meaning does not end with a full stop"]);
}

#[test]
fn notes_on_attributes_are_about_declared_ones() {
    let noted =
        |notes: &str| violations(&[("{source: the disk}", &format!("{{source: the disk, {notes}}}"))]);
    assert_eq!(
        noted("conditional: {disk.colour: always}"),
        ["system.disk.io: has notes on disk.colour, which is not declared for it"]
    );
    assert_eq!(
        noted("values: {disk.io.direction: [read, erase]}"),
        ["system.disk.io: has notes on disk.io.direction = erase, which its enumeration does not have"]
    );
    assert_eq!(
        noted("absent: {disk.io.direction: No.}"),
        ["system.disk.io: requires disk.io.direction, which the notes leave out"]
    );
    assert_eq!(
        noted("absent: {system.device: No.}, values: {disk.io.direction: [read]}"),
        Vec::<String>::new()
    );
}

#[test]
fn what_is_left_out_is_what_there_is_and_is_not_emitted() {
    let found = violations(&[("  system.heat: It is too hot.", "  system.cold: It is too cold")]);
    assert_eq!(
        found,
        [
            "system.cold: is noted as left out and is no metric of the conventions",
            "system.cold: the reason to leave it out does not end with a full stop",
            "system.heat: is a metric of what we watch, and neither imported nor left out",
        ]
    );
    let found = violations(&[("left_out:\n", "left_out:\n  system.uptime: No.\n")]);
    assert_eq!(found, ["system.uptime: is noted as left out and is declared"]);
}

#[test]
fn a_key_that_nobody_knows_is_refused() {
    let error = Notes::parse(&sample::NOTES.replace("source: counting", "sauce: counting")).unwrap_err();
    assert!(error.to_string().contains("sauce"), "{error}");
}
