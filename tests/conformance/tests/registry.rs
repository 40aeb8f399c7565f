//! The registry of this repository keeps the rules, and the reference is made of it.

use conformance::{Declaration, assert_none, notes, reference, resource, rules};

#[test]
fn the_registry_breaks_no_rule() {
    let declaration = Declaration::load().unwrap();
    assert_none(&rules::check(&declaration.registry, &declaration.metrics, &declaration.conventions));
}

#[test]
fn every_metric_is_explained() {
    assert_none(&notes::check(&Declaration::load().unwrap()));
}

#[test]
fn every_attribute_of_the_resource_is_explained() {
    assert_none(&resource::check_notes(&Declaration::load().unwrap()));
}

#[test]
fn the_reference_is_up_to_date() {
    let written = std::fs::read_to_string(conformance::root().join(reference::FILE)).unwrap_or_default();
    let is_current = written == reference::markdown(&Declaration::load().unwrap());
    assert!(is_current, "{} is out of date: run `{}`", reference::FILE, reference::COMMAND);
}
