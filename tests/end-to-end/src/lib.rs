//! otel-vitals in real programs, against a real collector and against peers that misbehave.
//!
//! | part | what it is |
//! | --- | --- |
//! | [`Collector`] | the real OpenTelemetry collector as a child process, with what it received |
//! | [`Peer`] | a receiver that does not do what it should: silent, failing, hanging up |
//! | [`Launch`], [`Subject`] | a program that uses otel-vitals, as a child process that obeys one-line commands |
//! | [`script`] | the other end of those commands, inside the subjects of `src/bin` |
//! | [`received`] | the JSON lines of the collector's file exporter as plain values |
//! | [`procfs`] | what the kernel says of a process, read from outside of it |
//!
//! The collector is found by the environment variable `OTELCOL`, else in the cache of
//! `collector-config/build-collector.sh`. Without it the tests that need it say so and pass; with
//! `OTEL_VITALS_REQUIRE_COLLECTOR=1` they fail instead.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod collector;
mod peer;
pub mod procfs;
pub mod received;
mod reserved;
pub mod script;
mod subject;
mod waiting;
mod web;

pub use collector::{Collector, Setup, Tls, binary};
pub use peer::{Behaviour, Peer, Request, closed_port};
pub use subject::{Answer, Launch, Subject};
pub use waiting::{PATIENCE, wait_until};
pub use web::get;

/// The programs in the guide to runtimes compile, that with actix among them.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/runtimes.md")]
struct RuntimesGuide;
