//! Remembers the compiler, which is this process' runtime in the words of the conventions
//! (`process.runtime.version`): a program is compiled by the one that compiled its dependencies.
#![allow(clippy::print_stdout, reason = "how a build script speaks to cargo")]

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC");
    // Without a version the attribute is absent, and the build goes on.
    if let Some(version) = compiler_version() {
        println!("cargo::rustc-env=OTEL_VITALS_RUSTC_VERSION={version}");
    }
}

/// `1.95.0` of `rustc 1.95.0 (59807616e 2026-04-14)`.
fn compiler_version() -> Option<String> {
    let compiler = std::env::var_os("RUSTC")?;
    let output = Command::new(compiler).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.strip_prefix("rustc ")?.split_whitespace().next()?;
    version.starts_with(|first: char| first.is_ascii_digit()).then(|| version.to_owned())
}
