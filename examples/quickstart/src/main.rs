//! otel-vitals in one minute: the one call that a service needs, and a look at what it sends.
//!
//! `cargo run --release -p quickstart`

mod arguments;
mod arrivals;
mod pauses;
mod receiver;
mod show;
mod stall;
mod table;
mod units;
mod work;

use arguments::Arguments;
use receiver::Receiver;
use show::Event;
use std::error::Error;
use std::process::ExitCode;
use std::sync::mpsc;

/// Counts what the program allocates.
#[global_allocator]
static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();

fn main() -> ExitCode {
    arguments::run(quickstart)
}

fn quickstart(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let (sender, events) = mpsc::channel();
    let receiver = listen(sender)?;

    // With the allocator above, this is all: from here on, process, memory and host metrics are on their way. A service that is configured by its
    // environment or by vitals.yaml writes `otel_vitals::init()?`.
    let vitals = otel_vitals::Vitals::builder()
        .service_name("quickstart")
        .configure(receiver.unless_configured(arguments.interval))
        .start()?;

    // Instruments of one's own go the same way.
    work::start(vitals.meter_provider())?;

    // A tokio runtime that vitals are not started in is watched when it is named.
    if arguments.stall {
        vitals.watch_runtime(stall::RUNTIME, &stall::start()?);
    }

    if vitals.config().otlp.url() == receiver.endpoint() {
        show::arrivals(&events, &vitals, arguments)?;
    } else {
        show::outcomes(&events, &vitals, arguments)?;
    }

    // The last export, bounded in time.
    vitals.shutdown()?;
    Ok(())
}

fn listen(events: mpsc::Sender<Event>) -> Result<Receiver, Box<dyn Error>> {
    let stop = events.clone();
    ctrlc::set_handler(move || {
        let _ = stop.send(Event::Stop);
    })?;
    // Sending fails when the program is about to end and nobody looks any more.
    Ok(Receiver::start(move |export| {
        let _ = events.send(Event::Arrived(export));
    })?)
}
