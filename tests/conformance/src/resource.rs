//! The attributes of the resource, held against the entities of the conventions.

use std::collections::BTreeMap;

use crate::Declaration;
use crate::error::Violation;
use crate::metric::{AttributeUse, Level};
use crate::rules::is_sentence;

/// The attributes of a resource: key → (type as the conventions write it, value as text).
pub type Attributes = BTreeMap<String, (String, String)>;

/// Whatever is wrong with the resource that was sent.
#[must_use]
pub fn check(sent: &Attributes, declaration: &Declaration) -> Vec<Violation> {
    let mut found = Vec::new();
    let known = attributes(declaration);
    for (key, (type_name, value)) in sent {
        let Some((_, attribute)) = known.iter().find(|(_, attribute)| attribute.key == *key) else {
            found.push(Violation::new(key, "is sent and of no imported entity"));
            continue;
        };
        if type_name != attribute.kind.type_name() {
            let problem = format!("is a {type_name} and should be a {}", attribute.kind.type_name());
            found.push(Violation::new(key, problem));
        }
        if attribute.kind.values().is_some_and(|values| !values.contains(&value.as_str())) {
            found.push(Violation::new(key, format!("is {value}, which the conventions do not have")));
        }
        if value.is_empty() {
            found.push(Violation::new(key, "is empty; what is not known must be absent"));
        }
        if !declaration.notes.resource.attributes.contains_key(key) {
            found.push(Violation::new(key, "is sent and has no notes"));
        }
    }
    let noted = declaration.notes.resource.attributes.iter();
    for (key, _) in noted.filter(|(key, notes)| notes.when.is_none() && !sent.contains_key(*key)) {
        found.push(Violation::new(key, "is noted as always there and was not sent"));
    }
    let created = sent.get("process.creation.time");
    if let Some((_, time)) = created.filter(|(_, time)| !is_utc_time(time)) {
        found.push(Violation::new(
            "process.creation.time",
            format!("is {time}, which is no ISO 8601 time in UTC"),
        ));
    }
    found
}

/// Whatever the notes on the resource say that the entities do not bear out, or leave unsaid.
#[must_use]
pub fn check_notes(declaration: &Declaration) -> Vec<Violation> {
    let mut found = Vec::new();
    let known = attributes(declaration);
    let notes = &declaration.notes.resource;
    for key in notes.attributes.keys().chain(notes.absent.keys()) {
        if !known.iter().any(|(_, attribute)| attribute.key == *key) {
            found.push(Violation::new(key, "has notes and is of no imported entity"));
        }
    }
    for (key, reason) in notes.absent.iter().filter(|(_, reason)| !is_sentence(reason)) {
        found.push(Violation::new(
            key,
            format!("its absence is explained by `{reason}`, which is no sentence"),
        ));
    }
    for entity in &declaration.registry.imports.entities {
        let ours: Vec<&AttributeUse> =
            known.iter().filter(|(of, _)| of == entity).map(|(_, attribute)| *attribute).collect();
        if !ours.iter().any(|attribute| notes.attributes.contains_key(&attribute.key)) {
            found.push(Violation::new(entity, "is imported, and the notes have none of its attributes"));
        }
        for attribute in ours.iter().filter(|attribute| attribute.level == Level::Required) {
            if !notes.attributes.contains_key(&attribute.key) && !notes.absent.contains_key(&attribute.key) {
                let problem = format!("requires {}, which has no notes", attribute.key);
                found.push(Violation::new(entity, problem));
            }
        }
    }
    found
}

/// The attributes of all imported entities, each with its entity.
fn attributes(declaration: &Declaration) -> Vec<(&str, &AttributeUse)> {
    let entities = declaration.registry.imports.entities.iter();
    let attributes = entities.flat_map(|entity| {
        let attributes = declaration.conventions.entity(entity).unwrap_or_default();
        attributes.iter().map(|attribute| (entity.as_str(), attribute))
    });
    attributes.collect()
}

/// `2026-11-21T09:25:34Z`, with or without a fraction of the second.
fn is_utc_time(text: &str) -> bool {
    let Some((date, time)) = text.strip_suffix('Z').and_then(|text| text.split_once('T')) else {
        return false;
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let numbers = |text: &str, divider: char, widths: [usize; 3]| {
        let parts: Vec<&str> = text.split(divider).collect();
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        parts.len() == 3 && parts.iter().zip(widths).all(|(part, width)| part.len() == width && digits(part))
    };
    let is_fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    numbers(date, '-', [4, 2, 2]) && numbers(time, ':', [2, 2, 2]) && is_fraction
}

#[cfg(test)]
mod tests;
