//! What the user sees.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use otel_vitals::Vitals;
use otel_vitals::runtime::PauseScope;
use std::error::Error;
use std::io::{IsTerminal as _, Write as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{env, io};

use crate::arguments::Arguments;
use crate::arrivals::{Arrivals, Picture};
use crate::pauses::Told;
use crate::table::{self, Room};

/// What can happen while the program runs.
pub(crate) enum Event {
    /// Metrics arrived at the receiver of this process.
    Arrived(ExportMetricsServiceRequest),
    /// The user has seen enough.
    Stop,
}

/// How much longer than the interval an export may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long `--once --stall` waits for a pause; they may be turned off.
const WAIT: Duration = Duration::from_secs(10);

/// Shows what arrives, until the user stops it; with `--once` the first table that has rates, and with `--stall` a pause.
pub(crate) fn arrivals(
    events: &Receiver<Event>,
    vitals: &Vitals,
    arguments: &Arguments,
) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let mut arrivals = Arrivals::default();
    loop {
        let picture = match events.recv_timeout(arguments.interval + PATIENCE) {
            Ok(Event::Arrived(export)) => arrivals.take(&export),
            Err(RecvTimeoutError::Timeout) => return Err(NOTHING.into()),
            Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let has_pause = picture.metrics.get(PAUSES).is_some_and(|pauses| {
            pauses.series.iter().any(|series| series.attributes.contains(OF_A_RUNTIME))
        });
        let waits = arguments.stall && !has_pause && started.elapsed() < WAIT;
        if arguments.once && (picture.exports < 2 || waits) {
            continue;
        }
        draw(&picture, vitals, arguments.once)?;
        if arguments.once {
            return Ok(());
        }
    }
}

/// What `--stall` makes.
const PAUSES: &str = "rust.pause.duration";
const OF_A_RUNTIME: &str = "rust.pause.scope=runtime";

const NOTHING: &str = "nothing arrives; are metrics turned off in the environment or in vitals.yaml \
                       (OTEL_SDK_DISABLED, OTEL_METRICS_EXPORTER)?";

/// Draws over the last table on a terminal, and below it anywhere else.
fn draw(picture: &Picture, vitals: &Vitals, once: bool) -> io::Result<()> {
    let (pauses, endpoint) = (Told::new(&vitals.pauses()), vitals.config().otlp.url());
    let mut stdout = io::stdout().lock();
    match room().filter(|_| !once) {
        Some(room) => {
            // Home, then every line over the old one and erased to its end, then what is left of the old table:
            // nothing flickers, and there is nothing to restore when the program is stopped.
            let lines = table::fitted(picture, &pauses, &endpoint, room).replace('\n', "\x1b[K\n");
            write!(stdout, "\x1b[H{lines}\x1b[J")?;
        }
        None => writeln!(stdout, "{}", table::whole(picture, &pauses, &endpoint))?,
    }
    stdout.flush()
}

/// The size of the terminal; none where stdout is not one, or one that cannot be drawn on.
fn room() -> Option<Room> {
    let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    let (columns, lines) =
        terminal_size::terminal_size().filter(|_| io::stdout().is_terminal() && !is_dumb)?;
    Some(Room { lines: lines.0.into(), columns: columns.0.into() })
}

/// Exports at the pace of the interval to a collector elsewhere and shows how each export ended, until the user
/// stops it; with `--once` one export, with `--stall` the first after a pause.
pub(crate) fn outcomes(
    events: &Receiver<Event>,
    vitals: &Vitals,
    arguments: &Arguments,
) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "Sending to {} every {:?}.", vitals.config().otlp.url(), arguments.interval)?;
    while let Err(RecvTimeoutError::Timeout) = events.recv_timeout(arguments.interval) {
        let asked = Instant::now();
        let outcome = vitals.flush();
        let (at, took) = (asked - started, asked.elapsed());
        match &outcome {
            Ok(()) => writeln!(stdout, "{at:8.1?}  taken in {took:.1?}")?,
            Err(error) => writeln!(stdout, "{at:8.1?}  not taken after {took:.1?}: {error}")?,
        }
        let has_pause = !vitals.pauses().last().iter().all(|pause| pause.scope == PauseScope::Process);
        let waits = arguments.stall && !has_pause && started.elapsed() < WAIT;
        if arguments.once && !waits {
            return Ok(outcome?);
        }
    }
    Ok(())
}
