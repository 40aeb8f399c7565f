//! A program on tokio's multi-threaded runtime.

use end_to_end::script;

#[tokio::main]
async fn main() {
    let Some(vitals) = script::start(otel_vitals::init) else { return };
    script::obey(vitals);
}
