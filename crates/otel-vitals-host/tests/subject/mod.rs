//! Another process, to be put into control groups.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, and each uses what it needs"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use test_harness::cgroup::Group;

/// Set in the child, whose test `child` reads commands and writes what [`answer`] makes of the answers.
pub(crate) const IS_CHILD: &str = "OTEL_VITALS_TEST_IS_CHILD";

/// This program again, as a process that does what it is told.
pub(crate) struct Subject {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Subject {
    pub(crate) fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child", "--nocapture", "--test-threads", "1"]).env(IS_CHILD, "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Subject { child, output }
    }

    pub(crate) fn move_to(&self, group: &Group) {
        group.take(self.child.id());
    }

    /// What the child answers.
    pub(crate) fn tell(&mut self, command: &str) -> Vec<f64> {
        writeln!(self.child.stdin.as_mut().unwrap(), "{command}").unwrap();
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the child has ended");
            // The test harness says things, too.
            if let Some((_, values)) = line.split_once("answer:") {
                return values.split_whitespace().map(|value| value.parse().unwrap()).collect();
            }
        }
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A line with these values.
pub(crate) fn answer(values: &[f64]) -> String {
    let values: Vec<String> = values.iter().map(f64::to_string).collect();
    format!("\nanswer: {}", values.join(" "))
}
