//! The heap by pprof-alloc, whose allocator samples at 512 KiB by itself.

use super::{Produced, Running};

pub(super) struct Heap;

impl Running for Heap {
    fn stop(&mut self) {}

    fn produce(self: Box<Self>) -> Produced {
        Produced {
            bytes: pprof_alloc::generate_pprof().map_or(0, |profile| profile.len()),
            ..Produced::default()
        }
    }
}
