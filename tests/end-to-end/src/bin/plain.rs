//! A program without a runtime.

use end_to_end::script;

#[global_allocator]
static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();

fn main() {
    let Some(vitals) = script::start(otel_vitals::init) else { return };
    script::obey(vitals);
}
