//! The command line.

use lexopt::prelude::*;
use std::error::Error;
use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, io};

const USAGE: &str = "\
Keeps JSON documents in memory, and shows what its allocator holds.

Usage: system|jemalloc|mimalloc [--port PORT] [--load SECONDS]

  --port PORT     where on 127.0.0.1 to listen (38001 when not given; 0 takes any that is free)
  --load SECONDS  put load on itself for so long, show what the allocator holds, then exit
  --help          show this

  PUT, GET, DELETE /documents/ID   a document, as JSON
  GET /search?text=TEXT            ids of the documents with this text in them
  GET /memstats                    what Go's runtime.ReadMemStats would tell, as JSON
  GET /allocator                   what the allocator holds, as a table

Metrics go over OTLP to where OTEL_EXPORTER_OTLP_ENDPOINT or vitals.yaml says. Without a collector, the
service serves all the same.
";

/// How to run.
#[derive(Debug, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) port: u16,
    /// For how long to put load on oneself; none for a service that runs until it is stopped.
    pub(crate) load: Option<Duration>,
}

/// Runs `program` with the arguments of this process, and tells what went wrong.
pub(crate) fn run(program: impl FnOnce(&Arguments) -> Result<(), Box<dyn Error>>) -> ExitCode {
    let mut stderr = io::stderr();
    let outcome = match parse(env::args_os().skip(1)) {
        Ok(Command::Run(arguments)) => program(&arguments),
        Ok(Command::Help) => io::stdout().write_all(USAGE.as_bytes()).map_err(Box::from),
        Err(error) => {
            let _ = write!(stderr, "allocators: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(stderr, "allocators: {error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, PartialEq)]
enum Command {
    Help,
    Run(Arguments),
}

/// Reads the arguments, the name of the program not among them.
fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut parsed = Arguments { port: 38001, load: None };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("port") => parsed.port = parser.value()?.parse()?,
            Long("load") => parsed.load = Some(parser.value()?.parse_with(seconds)?),
            Short('h') | Long("help") => return Ok(Command::Help),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Command::Run(parsed))
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    const EXPECTED: &str = "expected seconds, such as 2 or 0.5";
    text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).ok_or(EXPECTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Command, String> {
        parse(arguments.iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_a_service_on_the_usual_port() {
        assert_eq!(parsed(&[]), Ok(Command::Run(Arguments { port: 38001, load: None })));
    }

    #[test]
    fn every_option_is_understood() {
        let expected = Arguments { port: 0, load: Some(Duration::from_millis(1_500)) };
        assert_eq!(parsed(&["--port", "0", "--load", "1.5"]), Ok(Command::Run(expected)));
        assert_eq!(parsed(&["--port=1", "--help"]), Ok(Command::Help));
    }

    #[test]
    fn anything_else_is_an_error_that_names_it() {
        assert_eq!(parsed(&["--ports"]), Err("invalid option '--ports'".to_owned()));
        assert_eq!(parsed(&["now"]), Err("unexpected argument \"now\"".to_owned()));
        assert!(parsed(&["--port", "65536"]).unwrap_err().contains("65536"));
        for odd in ["", "2s", "-1", "NaN", "inf"] {
            let error = parsed(&["--load", odd]).unwrap_err();
            assert!(error.contains("expected seconds"), "{odd:?}: {error}");
        }
    }
}
