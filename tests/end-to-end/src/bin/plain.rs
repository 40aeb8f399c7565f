//! A program without a runtime.

use end_to_end::script;

fn main() {
    let Some(vitals) = script::start(otel_vitals::init) else { return };
    script::obey(vitals);
}
