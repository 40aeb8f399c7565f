//! The command line.

use lexopt::prelude::*;
use std::error::Error;
use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, io};

const USAGE: &str = "\
Shows what otel-vitals sends, as it arrives over OTLP.

Usage: quickstart [--once] [--stall] [--interval DURATION]

  --once               show one table as soon as there are rates, then exit
  --stall              have a tokio runtime that is blocked for 250 ms every 3 s, by a busy loop and by a
                       sleep in turns; with --once, show the first table that has such a pause
  --interval DURATION  pace of the exports, such as 200ms, 2s or 1m (1s when not given)
  --help               show this

With an OTLP endpoint configured (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT or
vitals.yaml) metrics are sent there, and a line is shown for each export. Without one, a receiver inside
this process takes them and shows a table.
";

/// How to run.
#[derive(Debug, PartialEq)]
pub(crate) struct Arguments {
    /// One table or one export, then exit.
    pub(crate) once: bool,
    /// A runtime that is blocked now and then.
    pub(crate) stall: bool,
    /// Time between two exports.
    pub(crate) interval: Duration,
}

/// Runs `program` with the arguments of this process, and tells what went wrong.
pub(crate) fn run(program: impl FnOnce(&Arguments) -> Result<(), Box<dyn Error>>) -> ExitCode {
    let mut stderr = io::stderr().lock();
    let outcome = match parse(env::args_os().skip(1)) {
        Ok(Command::Run(arguments)) => program(&arguments),
        Ok(Command::Help) => io::stdout().write_all(USAGE.as_bytes()).map_err(Box::from),
        Err(error) => {
            let _ = write!(stderr, "quickstart: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(stderr, "quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whoever reads what we write, such as `head`, has seen enough.
fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref().is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[derive(Debug, PartialEq)]
enum Command {
    Help,
    Run(Arguments),
}

/// Reads the arguments, the name of the program not among them.
fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut parsed = Arguments { once: false, stall: false, interval: Duration::from_secs(1) };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("once") => parsed.once = true,
            Long("stall") => parsed.stall = true,
            Long("interval") => parsed.interval = parser.value()?.parse_with(interval)?,
            Short('h') | Long("help") => return Ok(Command::Help),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Command::Run(parsed))
}

fn interval(text: &str) -> Result<Duration, &'static str> {
    const EXPECTED: &str = "expected a duration of at least 200ms such as 500ms, 2s or 1m";
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| EXPECTED)?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        _ => None,
    };
    milliseconds.filter(|ms| *ms >= 200).map(Duration::from_millis).ok_or(EXPECTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Command, String> {
        parse(arguments.iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_a_live_table_every_second() {
        let expected = Arguments { once: false, stall: false, interval: Duration::from_secs(1) };
        assert_eq!(parsed(&[]), Ok(Command::Run(expected)));
    }

    #[test]
    fn every_option_is_understood() {
        for (text, milliseconds) in [("200ms", 200), ("2s", 2_000), ("1m", 60_000)] {
            let expected =
                Arguments { once: true, stall: true, interval: Duration::from_millis(milliseconds) };
            assert_eq!(parsed(&["--interval", text, "--stall", "--once"]), Ok(Command::Run(expected)));
        }
        assert_eq!(parsed(&["--once", "--help"]), Ok(Command::Help));
    }

    #[test]
    fn anything_else_is_an_error_that_names_it() {
        assert_eq!(parsed(&["--twice"]), Err("invalid option '--twice'".to_owned()));
        assert_eq!(parsed(&["now"]), Err("unexpected argument \"now\"".to_owned()));
        for odd in ["", "s", "2", "2h", "-1s", "1.5s", "199ms", "0s", "99999999999999999999s"] {
            let error = parsed(&["--interval", odd]).unwrap_err();
            assert!(error.contains("at least 200ms"), "{odd:?}: {error}");
        }
    }
}
