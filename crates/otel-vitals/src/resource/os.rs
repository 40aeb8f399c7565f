//! `os.*`.

use opentelemetry::KeyValue;

use super::kernel::{Kernel, kernel};
use super::text;

/// In the order in which `os-release(5)` says to look.
const OS_RELEASE: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];

/// The operating system around the process; in a container, its image's.
pub(super) fn attributes() -> Vec<KeyValue> {
    described(OS_RELEASE.iter().find_map(text).as_deref(), kernel())
}

/// What the text of `os-release` says. Where there is none, as outside Linux, the kernel is the system.
fn described(release: Option<&str>, kernel: Kernel) -> Vec<KeyValue> {
    let [name, version, description] = match release {
        Some(text) => ["NAME", "VERSION_ID", "PRETTY_NAME"].map(|name| field(text, name)),
        None => {
            let description = kernel.name.as_ref().zip(kernel.release.as_ref());
            let description = description.map(|(name, release)| format!("{name} {release}"));
            [kernel.name, kernel.release, description]
        }
    };
    let known = [
        Some(KeyValue::new("os.type", os_type(std::env::consts::OS))),
        name.map(|name| KeyValue::new("os.name", name)),
        version.map(|version| KeyValue::new("os.version", version)),
        description.map(|description| KeyValue::new("os.description", description)),
    ];
    known.into_iter().flatten().collect()
}

/// The conventions' name of what Rust calls the system.
fn os_type(os: &'static str) -> &'static str {
    match os {
        "android" => "linux",
        "ios" | "macos" => "darwin",
        "dragonfly" => "dragonflybsd",
        "illumos" => "solaris",
        other => other,
    }
}

/// The value that the text of `os-release` assigns to `name` last, unless it is empty.
fn field(text: &str, name: &str) -> Option<String> {
    let value = text.lines().rev().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))?;
    Some(unquoted(value)).filter(|value| !value.is_empty())
}

/// `value` without the quotes and backslashes of the shell.
fn unquoted(value: &str) -> String {
    let between = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    if let Some(literal) = between('\'') {
        return literal.to_owned();
    }
    let mut unquoted = String::with_capacity(value.len());
    let mut characters = between('"').unwrap_or(value).chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => unquoted.extend(characters.next()),
            _ => unquoted.push(character),
        }
    }
    unquoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEBIAN: &str = "# the system\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\n\
        VERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\nID=debian\n";
    const ALPINE: &str =
        "NAME='Alpine Linux'\nID=alpine\nVERSION_ID=3.20.3\nPRETTY_NAME=\"Alpine \\\"Linux\\\" v3.20\"\n";

    #[test]
    fn reads_what_distributions_write() {
        assert_eq!(field(DEBIAN, "NAME").as_deref(), Some("Debian GNU/Linux"));
        assert_eq!(field(DEBIAN, "VERSION_ID").as_deref(), Some("12"));
        assert_eq!(field(DEBIAN, "PRETTY_NAME").as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        assert_eq!(field(ALPINE, "NAME").as_deref(), Some("Alpine Linux"));
        assert_eq!(field(ALPINE, "VERSION_ID").as_deref(), Some("3.20.3"));
        assert_eq!(field(ALPINE, "PRETTY_NAME").as_deref(), Some("Alpine \"Linux\" v3.20"));
    }

    #[test]
    fn what_is_not_said_is_absent() {
        let rolling = described(Some("NAME=Arch\nVERSION_ID=\n"), kernel());
        let keys: Vec<_> = rolling.iter().map(|attribute| attribute.key.as_str()).collect();
        assert_eq!(keys, ["os.type", "os.name"]);
    }

    #[test]
    fn the_last_assignment_counts_and_a_lone_quote_is_kept() {
        assert_eq!(field("NAME=a\nNAME=b\n", "NAME").as_deref(), Some("b"));
        assert_eq!(field("NAME=\"\n", "NAME").as_deref(), Some("\""));
    }

    #[test]
    fn without_a_release_file_the_kernel_is_the_system() {
        let kernel = Kernel {
            name: Some("FreeBSD".to_owned()),
            release: Some("14.2".to_owned()),
            ..Kernel::default()
        };
        let found = described(None, kernel);
        assert!(found.contains(&KeyValue::new("os.description", "FreeBSD 14.2")), "{found:?}");
        assert!(found.contains(&KeyValue::new("os.version", "14.2")), "{found:?}");
    }

    #[test]
    fn types_have_the_names_of_the_conventions() {
        assert_eq!(os_type("linux"), "linux");
        assert_eq!(os_type("macos"), "darwin");
        assert_eq!(os_type("dragonfly"), "dragonflybsd");
    }

    proptest! {
        #[test]
        fn never_panics(text in "[A-Z=\"'\\\\ #\n]{0,40}") {
            let _ = described(Some(&text), Kernel::default());
        }
    }
}
