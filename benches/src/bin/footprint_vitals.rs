//! A program that does nothing but have vitals: what `init` takes and what it holds in memory.
//!
//! It prints how long `init` took, in nanoseconds, and stays until its input ends.
#![allow(clippy::print_stdout, reason = "it tells the bench")]

use opentelemetry::metrics::MeterProvider as _;
use std::io::Read as _;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let started = Instant::now();
    let vitals = otel_vitals::init()?;
    println!("{}", started.elapsed().as_nanos());

    vitals.meter_provider().meter("app").u64_counter("app.starts").build().add(1, &[]);
    std::io::stdin().read_to_end(&mut Vec::new())?;
    // Without a last export, for which nobody may be there.
    std::process::exit(0)
}
