//! `${env:NAME}` in the values of a file.

use super::environment::Environment;

/// `text` with every `${env:NAME}` replaced by that variable and every `$$` by `$`; None when there is none.
/// `${env:NAME:-default}` takes the default when the variable is unset or empty.
pub(super) fn resolve(text: &str, environment: &Environment) -> Result<Option<String>, Broken> {
    if !text.contains('$') {
        return Ok(None);
    }
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        resolved.push_str(before);
        rest = if let Some(after) = after.strip_prefix('$') {
            resolved.push('$');
            after
        } else if let Some(after) = after.strip_prefix('{') {
            let (reference, after) = after.split_once('}').ok_or(Broken::Syntax)?;
            resolved.push_str(&value(reference, environment)?);
            after
        } else {
            resolved.push('$');
            after
        };
    }
    resolved.push_str(rest);
    Ok(Some(resolved))
}

/// Why a reference has no value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// It is not written `${env:NAME}`.
    Syntax,
    /// The variable is not set.
    Unset(String),
    /// The variable holds bytes that are no text.
    NotText(String),
}

fn value(reference: &str, environment: &Environment) -> Result<String, Broken> {
    let reference = reference.strip_prefix("env:").ok_or(Broken::Syntax)?;
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let is_name = |name: &str| {
        !name.starts_with(|first: char| first.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if name.is_empty() || !is_name(name) {
        return Err(Broken::Syntax);
    }
    let value = environment.any(name).filter(|value| default.is_none() || !value.is_empty());
    match (value, default) {
        (Some(value), _) => value.to_str().map(str::to_owned).ok_or_else(|| Broken::NotText(name.to_owned())),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Broken::Unset(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn resolved(text: &str) -> Result<Option<String>, Broken> {
        resolve(text, &Environment::new([("A", "x"), ("B_2", "y$z"), ("EMPTY", "")]))
    }

    fn is(text: &str) -> Result<Option<String>, Broken> {
        Ok(Some(text.to_owned()))
    }

    #[test]
    fn references_are_replaced_once() {
        assert_eq!(resolved("plain"), Ok(None));
        assert_eq!(resolved("${env:A}"), is("x"));
        assert_eq!(resolved("Bearer ${env:A}-${env:B_2}!"), is("Bearer x-y$z!"));
        assert_eq!(resolved("${env:EMPTY}"), is(""));
    }

    #[test]
    fn defaults_stand_in_for_what_is_unset_or_empty() {
        assert_eq!(resolved("${env:NONE:-d:-e}"), is("d:-e"));
        assert_eq!(resolved("${env:EMPTY:-d}"), is("d"));
        assert_eq!(resolved("${env:A:-d}"), is("x"));
        assert_eq!(resolved("${env:NONE:-}"), is(""));
    }

    #[test]
    fn a_dollar_is_a_dollar() {
        assert_eq!(resolved("5$ $$${env:A} $${env:A}"), is("5$ $x ${env:A}"));
    }

    #[test]
    fn a_hash_of_a_password_is_left_as_it_is() {
        let hash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEy";
        assert_eq!(resolved(hash), is(hash));
        assert_eq!(resolve("${env:HASH}", &Environment::new([("HASH", hash)])), is(hash));
    }

    #[test]
    fn what_has_no_value_is_an_error() {
        assert_eq!(resolved("${env:NONE}"), Err(Broken::Unset("NONE".to_owned())));
        for wrong in ["${A}", "${env:}", "${env:A", "${env:A B}", "${env:2}", "${file:x}", "${}"] {
            assert_eq!(resolved(wrong), Err(Broken::Syntax), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[$a{}:env-]{0,24}") {
            let _ = resolved(&text);
        }
    }
}
