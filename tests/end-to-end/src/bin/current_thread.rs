//! A program on a runtime that has no thread but this one, which the commands block.

use end_to_end::script;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Some(vitals) = script::start(otel_vitals::init) else { return };
    script::obey(vitals);
}
