//! The heap by jemalloc, which its configuration has told to sample.

use super::{Produced, Running};

pub(super) struct Heap;

impl Running for Heap {
    fn stop(&mut self) {}

    fn produce(self: Box<Self>) -> Produced {
        let profile = otel_vitals_profiling::heap::jemalloc_profile();
        Produced { bytes: profile.map_or(0, |profile| profile.pprof().len()), ..Produced::default() }
    }
}
