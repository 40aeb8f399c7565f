//! The `curl` lines of the README answer as printed: the same statuses, headers, words and JSON with the same names, whatever
//! the numbers are. They are run by a shell, with curl, where there are both (`OTEL_VITALS_REQUIRE_CURL=1` makes it a failure where there are not).
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on fails")]

mod service;

use serde_json::Value;
use service::{PASSWORD, PATIENCE, Service, command};
use std::fmt::Debug;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const README: &str = include_str!("../README.md");
const SECURE: &str = "## With a password";

#[test]
fn the_lines_answer_as_printed() {
    if !is_there("curl") || !is_there("sh") {
        let required = std::env::var("OTEL_VITALS_REQUIRE_CURL").is_ok_and(|value| value == "1");
        assert!(!required, "curl is not installed");
        return eprintln!("skipped: curl is not installed");
    }
    let (open, secure) = README.split_once(SECURE).unwrap();
    for (text, file, least) in [(open, "vitals.yaml", 10), (secure, "vitals.secure.yaml", 4)] {
        let service = Service::start(&mut command(file));
        service.wait_until_ready();
        let lines = lines(text, "curl ");
        assert!(lines.len() >= least, "{} lines", lines.len());
        for (command, printed) in lines {
            assert_alike(&service, &command, &printed);
        }
    }
}

#[test]
fn gos_tool_reads_its_profiles_as_printed() {
    let lines = lines(README, "go tool pprof ");
    assert!(lines.len() >= 2, "{} lines", lines.len());
    if !is_there("go") {
        let required = std::env::var("OTEL_VITALS_REQUIRE_GO").is_ok_and(|value| value == "1");
        assert!(!required, "Go is not installed");
        return eprintln!("skipped: Go is not installed");
    }
    let service = Service::start(&mut command("vitals.yaml"));
    service.wait_until_ready();
    for (command, printed) in lines {
        let found = service.run(&command);
        // What is in it depends on the machine and the moment.
        for part in printed.lines().filter(|line| line.starts_with("Type: ") || line.contains("flat%")) {
            assert!(found.lines().any(|line| line == part), "{command}: no {part:?} in {found}");
        }
    }
}

#[test]
fn without_the_password_it_does_not_start_and_says_why() {
    let output = command("vitals.secure.yaml").env_remove(PASSWORD).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = "monitor.securityUser.admin: the environment variable VITALS_ADMIN_PASSWORD that it refers to is not set\n";
    assert!(said.starts_with("actix-service: ") && said.ends_with(expected), "{said}");
}

/// The commands in the `console` blocks that begin so, each with what is printed after it.
fn lines(text: &str, beginning: &str) -> Vec<(String, String)> {
    let blocks = text.split("```console\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let commands =
        blocks.flat_map(|block| block.split("$ ").filter(|command| command.starts_with(beginning)));
    commands
        .map(|text| text.split_once('\n').unwrap())
        .map(|(command, printed)| (command.to_owned(), printed.to_owned()))
        .collect()
}

/// Asks again where the answer is another, for a while: on a busy machine a check or a look at the hardware may be late, which is told, too.
#[track_caller]
fn assert_alike(service: &Service, command: &str, printed: &str) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(difference) = alike(&service.run(command), printed) {
        assert!(Instant::now() < deadline, "{command}: {difference}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Nothing, or in what they differ.
fn alike(answer: &str, printed: &str) -> Result<(), String> {
    let ([head, body], [printed_head, printed_body]) = (parts(answer), parts(printed));
    same(&masked(&head), &masked(&printed_head))?;
    match serde_json::from_str::<Value>(&printed_body) {
        Ok(expected) => {
            let found = serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))?;
            same_names("", &found, &expected)
        }
        Err(_) => same(&masked(&body), &masked(&printed_body)),
    }
}

fn same<T: PartialEq + Debug>(found: T, expected: T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{found:?} in place of {expected:?}")) }
}

/// The headers, in an order that is always the same, and the body.
fn parts(answer: &str) -> [String; 2] {
    let answer = answer.replace("\r\n", "\n");
    match answer.split_once("\n\n").filter(|_| answer.starts_with("HTTP/")) {
        Some((head, body)) => {
            let mut lines: Vec<_> = head.lines().filter(|line| !line.starts_with("date: ")).collect();
            lines.sort_unstable();
            [lines.join("\n"), body.trim_end().to_owned()]
        }
        None => [String::new(), answer.trim_end().to_owned()],
    }
}

/// Numbers and levels are as they are.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    for character in text.chars() {
        match character {
            '0'..='9' | '.' if masked.ends_with('#') => {}
            '0'..='9' => masked.push('#'),
            other => masked.push(other),
        }
    }
    if masked == "#" {
        // A status alone is what it is.
        return text.to_owned();
    }
    let levels = ["OK - ", "WARNING - ", "CRITICAL - "];
    levels.iter().fold(masked, |text, level| text.replace(level, "LEVEL - "))
}

/// Whether a text is none of the machine, the moment or the build, and no level.
fn is_always_the_same(name: &str, text: &str) -> bool {
    const OTHERS: [&str; 8] =
        ["time", "output", "type", "mount_point", "target", "os", "rust_version", "cmdline"];
    !OTHERS.contains(&name) && !["OK", "WARNING", "CRITICAL"].contains(&text)
}

/// All that is printed is there, of the same type, and text the same. More may be: what is known after a while only, or in a container.
fn same_names(name: &str, found: &Value, expected: &Value) -> Result<(), String> {
    let of = |difference| format!("{name}: {difference}");
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().try_for_each(|(name, expected)| {
                let found = found.get(name).ok_or_else(|| format!("no {name}"))?;
                same_names(name, found, expected)
            })
        }
        (Value::Array(found), Value::Array(expected)) => {
            same(found.len(), expected.len()).map_err(of)?;
            found.iter().zip(expected).try_for_each(|(found, expected)| same_names(name, found, expected))
        }
        (Value::String(found), Value::String(expected)) if is_always_the_same(name, expected) => {
            same(found, expected).map_err(of)
        }
        (found, Value::Null) => {
            if found.is_null() || found.is_object() {
                Ok(())
            } else {
                Err(of(found.to_string()))
            }
        }
        (found, expected) => {
            same(std::mem::discriminant(found), std::mem::discriminant(expected)).map_err(of)
        }
    }
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}
