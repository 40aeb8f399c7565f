//! The same program with the SDK and its OTLP exporter alone, set up as their documentation shows.
#![allow(clippy::print_stdout, reason = "it tells the bench")]

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use std::io::Read as _;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let started = Instant::now();
    // The gRPC exporter needs a runtime that runs; this is the smallest.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let _inside = runtime.enter();
    let exporter = MetricExporter::builder().with_tonic().build()?;
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter).build();
    println!("{}", started.elapsed().as_nanos());

    provider.meter("app").u64_counter("app.starts").build().add(1, &[]);
    std::io::stdin().read_to_end(&mut Vec::new())?;
    std::process::exit(0)
}
