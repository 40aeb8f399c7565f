//! Keeps 100 MiB at one line, on the system's allocator.

use otel_vitals_alloc::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting::system();

fn main() -> Result<(), Box<dyn std::error::Error>> {
    profiles::leak::main()
}
