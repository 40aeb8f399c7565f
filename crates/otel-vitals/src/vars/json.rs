//! As Go's `expvar` writes it.
//!
//! By hand, because consumers of `expvar` read what Go writes: one variable on a line, a blank after colons and commas,
//! `<`, `>` and `&` escaped, whole numbers without a point.

use std::fmt::Write as _;

use super::Value;

/// Nested deeper than any value is meant to be; what is below is null.
const DEEPEST: usize = 64;

/// The document of `values`, which are JSON already, sorted by name.
pub(super) fn document(values: &std::collections::BTreeMap<String, String>) -> String {
    let size: usize = values.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
    let mut json = String::with_capacity(size + 4);
    let mut separator = "{\n";
    for (name, value) in values {
        json.push_str(separator);
        quote(name, &mut json);
        json.push_str(": ");
        json.push_str(value);
        separator = ",\n";
    }
    json.push_str("\n}\n");
    json
}

pub(super) fn written(value: &Value) -> String {
    let mut json = String::new();
    write(value, 0, &mut json);
    json
}

fn write(value: &Value, depth: usize, json: &mut String) {
    // Writing to a string cannot fail.
    match value {
        _ if depth > DEEPEST => json.push_str("null"),
        Value::Null => json.push_str("null"),
        Value::Bool(value) => drop(write!(json, "{value}")),
        Value::Integer(value) => drop(write!(json, "{value}")),
        Value::Unsigned(value) => drop(write!(json, "{value}")),
        Value::Float(value) => float(*value, json),
        Value::Text(text) => quote(text, json),
        Value::List(items) => {
            json.push('[');
            for (index, item) in items.iter().enumerate() {
                json.push_str(if index == 0 { "" } else { ", " });
                write(item, depth + 1, json);
            }
            json.push(']');
        }
        Value::Map(map) => {
            json.push('{');
            for (index, (name, value)) in map.iter().enumerate() {
                json.push_str(if index == 0 { "" } else { ", " });
                quote(name, json);
                json.push_str(": ");
                write(value, depth + 1, json);
            }
            json.push('}');
        }
    }
}

/// A fraction as Go's `encoding/json` has it: with an exponent only when it is very small or very large.
fn float(value: f64, json: &mut String) {
    let size = value.abs();
    if !value.is_finite() {
        json.push_str("null");
    } else if size != 0.0 && !(1e-6..1e21).contains(&size) {
        // Go has the sign of an exponent always.
        let _ = write!(json, "{}", format!("{value:e}").replacen('e', "e+", 1).replacen("e+-", "e-", 1));
    } else {
        let _ = write!(json, "{value}");
    }
}

/// Text as Go quotes it, which is safe in a page as well.
fn quote(text: &str, json: &mut String) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(json, "\\u{:04x}", u32::from(character));
            }
            _ => json.push(character),
        }
    }
    json.push('"');
}
