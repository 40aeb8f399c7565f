//! `go tool pprof`, for the tests that ask it what it reads in our profiles.

use crate::go;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// Go's reader of profiles, which sees what is in a profile and nothing else of this machine: no programs, no names of theirs.
#[derive(Debug)]
pub struct Pprof {
    program: PathBuf,
    home: TempDir,
}

/// A line of `-top`.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Of the function itself.
    pub flat: i64,
    /// With all that it calls.
    pub cumulative: i64,
    /// The function; with `-lines`, its file and line behind it, and `(inline)` behind one that was inlined.
    pub name: String,
}

impl Pprof {
    /// None where Go is not installed, which `OTEL_VITALS_REQUIRE_GO=1` makes a failure.
    ///
    /// # Panics
    /// When Go has no pprof.
    #[must_use]
    pub fn find() -> Option<Self> {
        if !go::is_installed() {
            return None;
        }
        // Built at the first time, where Go does not come with it.
        let mut ask = Command::new("go");
        ask.args(["tool", "-n", "pprof"]).envs([("GOFLAGS", ""), ("GOTOOLCHAIN", "local")]);
        let output = ask.output().expect("Go is there");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "there is no go tool pprof: {error}");
        let program = String::from_utf8(output.stdout).expect("a path").trim().into();
        Some(Pprof { program, home: TempDir::new().expect("a folder") })
    }

    /// What it writes to standard output when it is asked this of a profile.
    ///
    /// # Panics
    /// When it fails, with what it says.
    #[must_use]
    pub fn ask(&self, profile: &[u8], question: &[&str]) -> String {
        let file = tempfile::Builder::new().prefix("profile").tempfile_in(self.home.path()).expect("a file");
        std::fs::write(file.path(), profile).expect("a file can be written");
        self.of(file.path().as_os_str(), question)
    }

    /// The same of a profile that it fetches itself, from where a service has it.
    ///
    /// # Panics
    /// When it fails, with what it says.
    #[must_use]
    pub fn fetch(&self, url: &str, question: &[&str]) -> String {
        self.of(url.as_ref(), question)
    }

    fn of(&self, profile: &OsStr, question: &[&str]) -> String {
        let home = self.home.path();
        let mut command = Command::new(&self.program);
        command.arg("-symbolize=none").args(question).arg(profile);
        command.env("HOME", home).env("PPROF_TMPDIR", home).env("PPROF_BINARY_PATH", home);
        let output = command.output().expect("it is there");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "pprof {question:?}: {error}");
        String::from_utf8(output.stdout).expect("it writes text")
    }

    /// The profile in words: samples with their stacks, locations, mappings.
    #[must_use]
    pub fn raw(&self, profile: &[u8]) -> String {
        self.ask(profile, &["-raw"])
    }

    /// All functions, those that have most themselves first, by this type of value in its unit. `more` are further arguments.
    ///
    /// # Panics
    /// When it fails, or writes no table.
    #[must_use]
    pub fn top(&self, profile: &[u8], sample_index: &str, more: &[&str]) -> Vec<Row> {
        let index = format!("-sample_index={sample_index}");
        let mut question = vec!["-top", "-nodecount=1000000", "-nodefraction=0", "-edgefraction=0", &index];
        // Else it rounds to units that people like.
        let unit = if sample_index.ends_with("space") { "-unit=B" } else { "-unit=ns" };
        question.push(unit);
        question.extend(more);
        let text = self.ask(profile, &question);
        let mut rows = text.lines().skip_while(|line| !line.trim_start().starts_with("flat "));
        assert!(rows.next().is_some(), "no table in {text}");
        rows.map(|line| row(line).unwrap_or_else(|| panic!("{line:?} is no line of a table"))).collect()
    }
}

fn row(line: &str) -> Option<Row> {
    let mut rest = line;
    let mut column = || {
        let (column, after) = rest.trim_start().split_once(' ')?;
        rest = after;
        Some(column)
    };
    let [flat, _, _, cumulative, _] = [column()?, column()?, column()?, column()?, column()?];
    let number = |text: &str| text.trim_end_matches(|end: char| end.is_alphabetic()).parse().ok();
    Some(Row { flat: number(flat)?, cumulative: number(cumulative)?, name: rest.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_two_numbers_and_a_name() {
        let line = "   104857600B 70.5% 70.5%  104857601B 71%  app::f src/main.rs:7 (inline)";
        let name = "app::f src/main.rs:7 (inline)".to_owned();
        assert_eq!(row(line), Some(Row { flat: 104_857_600, cumulative: 104_857_601, name }));
        assert_eq!(row("         0     0%   100%         -7 70.00%  f").map(|row| row.cumulative), Some(-7));
        assert_eq!(row("Showing nodes"), None);
    }
}
