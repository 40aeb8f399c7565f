//! The system's allocator, counted, in a program of the size that services have: with otel-vitals, its exporters and actix in it.

use otel_vitals_alloc::Counting;
use std::hint::black_box;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Counting = Counting::system();

fn main() -> ExitCode {
    // Linked, and not run.
    if black_box(false) {
        let server =
            otel_vitals::init().ok().and_then(|vitals| otel_vitals_actix::AdminServer::start(&vitals).ok());
        black_box(server.is_some());
    }
    benches_profiles::program::main()
}
