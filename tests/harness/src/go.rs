//! Programs in Go, for the tests that ask Go itself.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program in Go that has been built.
#[derive(Clone, Debug)]
pub struct Program(PathBuf);

impl Program {
    /// Builds `main.go` in `source`, of which nothing but Go's own packages are known, as `to`. None where Go is not installed, which
    /// `OTEL_VITALS_REQUIRE_GO=1` makes a failure.
    ///
    /// # Panics
    /// When it cannot be built.
    #[must_use]
    pub fn build(source: &Path, to: &Path) -> Option<Self> {
        if !is_installed() {
            return None;
        }
        let mut build = Command::new("go");
        build.args(["build", "-o"]).arg(to).arg("main.go").current_dir(source);
        // Whatever is around.
        build.envs([("GO111MODULE", "off"), ("GOFLAGS", ""), ("GOTOOLCHAIN", "local")]);
        assert!(build.status().expect("Go is there").success(), "{} cannot be built", source.display());
        Some(Program(to.to_owned()))
    }

    /// What it writes when it reads `input`.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn run(&self, arguments: &[&str], input: &str) -> String {
        let mut command = Command::new(&self.0);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it was built");
        // It reads to the end before it writes, or does not read at all.
        let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "it failed");
        String::from_utf8(output.stdout).expect("it writes text")
    }
}

/// Whether Go is installed. That it is not is said, and a failure with `OTEL_VITALS_REQUIRE_GO=1`.
pub(crate) fn is_installed() -> bool {
    if Command::new("go").arg("version").stdout(Stdio::null()).status().is_ok() {
        return true;
    }
    let required = std::env::var("OTEL_VITALS_REQUIRE_GO").is_ok_and(|value| value == "1");
    assert!(!required, "Go is not installed");
    #[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
    {
        eprintln!("skipped: Go is not installed");
    }
    false
}
