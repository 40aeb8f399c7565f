//! `host.*`.

use opentelemetry::KeyValue;
use std::path::Path;

use super::kernel::kernel;
use super::text;

/// The machine's name, identity and architecture. With `root`, where the machine's file system is mounted, they are
/// that machine's; without, those that this process sees.
pub(super) fn attributes(root: Option<&Path>, in_container: bool) -> impl Iterator<Item = KeyValue> {
    let kernel = kernel();
    let name = match root {
        Some(root) => text(root.join("etc/hostname")),
        None => kernel.node,
    };
    let id = match root {
        Some(root) => machine_id_below(root),
        // A container has no machine id, or the one that its image was built with, which many machines share.
        None if in_container => None,
        None => machine_id_below(Path::new("/")),
    };
    let known = [
        name.and_then(|name| host_name(&name)).map(|name| KeyValue::new("host.name", name)),
        id.map(|id| KeyValue::new("host.id", id)),
        kernel.machine.map(|machine| KeyValue::new("host.arch", architecture(&machine))),
    ];
    known.into_iter().flatten()
}

fn host_name(text: &str) -> Option<String> {
    let name = text.trim();
    (!name.is_empty() && name != "(none)").then(|| name.to_owned())
}

fn machine_id_below(root: &Path) -> Option<String> {
    let files = ["etc/machine-id", "var/lib/dbus/machine-id"];
    files.iter().find_map(|file| machine_id(&text(root.join(file))?))
}

/// The machine id in the text of its file; systemd writes `uninitialized` before it has one.
fn machine_id(text: &str) -> Option<String> {
    let id = text.trim();
    let digits = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    (digits && id.bytes().any(|byte| byte != b'0')).then(|| id.to_ascii_lowercase())
}

/// The conventions' name of what the kernel calls `machine`.
fn architecture(machine: &str) -> String {
    let name = match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" | "i386" | "i486" | "i586" | "i686" => "x86",
        "ppc" => "ppc32",
        "ppc64" | "ppc64le" => "ppc64",
        "arm64" => "arm64",
        arm if arm.starts_with("arm") => "arm32",
        other => other,
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architectures_have_the_names_of_the_conventions() {
        let cases = [
            ("x86_64", "amd64"),
            ("aarch64", "arm64"),
            ("arm64", "arm64"),
            ("armv7l", "arm32"),
            ("i686", "x86"),
            ("ppc64le", "ppc64"),
            ("s390x", "s390x"),
            ("riscv64", "riscv64"),
        ];
        for (machine, name) in cases {
            assert_eq!(architecture(machine), name);
        }
    }

    #[test]
    fn a_machine_id_is_32_hexadecimal_digits() {
        let id = "3d1219c7c4c5404aaa1f6d2a48adfda4";
        assert_eq!(machine_id(&format!("{id}\n")).as_deref(), Some(id));
        for wrong in
            ["", "uninitialized\n", "3d1219c7", &"0".repeat(32), &format!("{id}{id}"), &"g".repeat(32)]
        {
            assert_eq!(machine_id(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_watched_machine_is_the_one_below_root() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("etc")).unwrap();
        std::fs::create_dir_all(root.path().join("var/lib/dbus")).unwrap();
        std::fs::write(root.path().join("etc/hostname"), "node-7\n").unwrap();
        std::fs::write(root.path().join("etc/machine-id"), "uninitialized\n").unwrap();
        std::fs::write(root.path().join("var/lib/dbus/machine-id"), "ab".repeat(16)).unwrap();
        let found: Vec<_> = attributes(Some(root.path()), true).collect();
        assert!(found.contains(&KeyValue::new("host.name", "node-7")), "{found:?}");
        assert!(found.contains(&KeyValue::new("host.id", "ab".repeat(16))), "{found:?}");
    }

    #[test]
    fn a_container_has_no_host_id_of_its_own() {
        assert!(!attributes(None, true).any(|attribute| attribute.key.as_str() == "host.id"));
    }
}
