//! Where code is: what a walk by frame pointers leads to must be that.
//!
//! Code without frame pointers uses their register for what it likes. What it happens to point to then looks like a frame, another one
//! each time, and each would take a place in the table of stacks for good.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::*, fence};

use crate::lock::Lock;
use crate::modules::Modules;

/// Objects that there is room for. Code of those beyond is taken for none.
const MOST: usize = 4096;

/// What is known of the program.
pub(super) static CODE: Code = Code::new();

/// Where the code of each object begins and ends, in the order of addresses.
pub(super) struct Code {
    /// Odd while it is written.
    version: AtomicU64,
    count: AtomicUsize,
    ranges: [[AtomicU64; 2]; MOST],
    writing: Lock<()>,
}

/// What was found last, which is often found again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Last {
    start: u64,
    end: u64,
}

impl Code {
    const fn new() -> Self {
        Code {
            version: AtomicU64::new(0),
            count: AtomicUsize::new(0),
            ranges: [const { [const { AtomicU64::new(0) }; 2] }; MOST],
            writing: Lock::new(()),
        }
    }

    /// Knows these from now on.
    pub(super) fn learn(&self, modules: &Modules) {
        // In the child of a fork what was half written stays so, and everything is taken for code.
        let Some(_writing) = self.writing.lock() else { return };
        self.version.fetch_or(1, Relaxed);
        fence(Release);
        let mut count = 0;
        for ([start, end], module) in self.ranges.iter().zip(modules.iter()) {
            start.store(module.start, Relaxed);
            end.store(module.end, Relaxed);
            count += 1;
        }
        self.count.store(count, Relaxed);
        self.version.fetch_add(1, Release);
    }

    /// Whether there is code at `address`, as far as is known. Everything is while it is being written, which nobody waits for.
    #[inline(always)]
    pub(super) fn has(&self, address: u64, last: &mut Last) -> bool {
        if (last.start..last.end).contains(&address) {
            return true;
        }
        self.find(address, last)
    }

    #[inline(never)]
    fn find(&self, address: u64, last: &mut Last) -> bool {
        let version = self.version.load(Acquire);
        if version % 2 == 1 {
            return true;
        }
        let ranges = self.ranges.get(..self.count.load(Relaxed)).unwrap_or_default();
        let after = ranges.partition_point(|[start, _]| start.load(Relaxed) <= address);
        let found =
            after.checked_sub(1).and_then(|at| ranges.get(at)).map_or_else(Last::default, |[start, end]| {
                Last { start: start.load(Relaxed), end: end.load(Relaxed) }
            });
        fence(Acquire);
        if self.version.load(Relaxed) != version {
            return true;
        }
        *last = found;
        (found.start..found.end).contains(&address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static CODE: Code = Code::new();

    #[test]
    fn code_is_where_objects_are_and_nowhere_else() {
        let (modules, mut last) = (Modules::now(), Last::default());
        assert!(!CODE.has(1 << 20, &mut last), "nothing is known yet");
        CODE.learn(&modules);
        for module in modules.iter() {
            for address in [module.start, module.end - 1] {
                assert!(CODE.has(address, &mut last) && CODE.has(address, &mut Last::default()));
            }
            assert_eq!(CODE.has(module.end, &mut last), modules.find(module.end).is_some());
        }
        let data = Box::new(0);
        for address in [0, u64::MAX, &raw const *data as u64, &raw const data as u64] {
            assert!(!CODE.has(address, &mut last), "{address:x}");
        }
        CODE.version.fetch_add(1, Relaxed);
        assert!(CODE.has(1, &mut last), "it is being written");
        CODE.learn(&Modules::default());
        assert!(!CODE.has(modules.iter().next().unwrap().start, &mut Last::default()));
    }
}
