//! What the tokio group costs: `cargo bench -p benches --bench schedulers`.
//!
//! Built with `RUSTFLAGS="--cfg tokio_unstable"` it reads all that there is then.

use benches::schedulers::Watched;
use divan::Bencher;

fn main() {
    divan::main();
}

/// One runtime, as many as actix makes of 32 processors, and as many workers in one.
const WATCHED: [Watched; 4] = [
    Watched { runtimes: 1, workers: 1, per_worker: false },
    Watched { runtimes: 32, workers: 1, per_worker: false },
    Watched { runtimes: 1, workers: 32, per_worker: false },
    Watched { runtimes: 1, workers: 32, per_worker: true },
];

fn bench(bencher: Bencher<'_, '_>, mut run: Box<dyn FnMut()>) {
    bencher.bench_local(&mut run);
}

#[divan::bench(args = WATCHED)]
fn raw_calls(bencher: Bencher<'_, '_>, watched: Watched) {
    bench(bencher, watched.raw());
}

#[divan::bench(args = WATCHED)]
fn otel_vitals_reading(bencher: Bencher<'_, '_>, watched: Watched) {
    bench(bencher, watched.reading());
}

#[divan::bench(args = WATCHED)]
fn otel_vitals_collection(bencher: Bencher<'_, '_>, watched: Watched) {
    bench(bencher, watched.collection());
}
