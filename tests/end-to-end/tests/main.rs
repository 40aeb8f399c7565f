//! otel-vitals in real programs, against a real collector and against peers that misbehave.
//!
//! The tests are one binary, because each of them mostly waits: they run side by side.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

mod agent;
mod arrival;
mod expected;
mod init;
mod misbehaving;
mod outage;
mod pauses;
mod programs;
mod prometheus;
mod providers;
mod runtimes;
mod schedulers;
mod temporality;
mod tls;
mod tries;
mod truth;
