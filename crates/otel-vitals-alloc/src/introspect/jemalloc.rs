//! jemalloc, by its `mallctl`.
//!
//! jemalloc gathers its statistics when its epoch is advanced, which locks every arena, one after the other, and takes
//! the longer the more arenas there are. It is done once a second at most, by whoever asks first; who asks meanwhile gets
//! what was told last and waits for nobody.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tikv_jemalloc_ctl::stats::{self, active_mib, allocated_mib, metadata_mib, resident_mib, retained_mib};
use tikv_jemalloc_ctl::{Access, AsName, Mib, epoch, epoch_mib};
use tikv_jemallocator::Jemalloc;

use super::{Introspect, Memory, Untold};

/// What jemalloc tells in `stats.*`, refreshed once a second at most. [`Untold`] by a jemalloc that was built without
/// statistics.
///
/// | state | what |
/// | --- | --- |
/// | `allocated` | `stats.allocated` less what is in the threads' caches and less jemalloc's own blocks |
/// | `fragmented` | `stats.active` − `stats.allocated`: the rest of pages that have blocks |
/// | `metadata` | `stats.metadata`, jemalloc's own blocks among it |
/// | `cached` | the threads' caches, pages kept without a block in them ("dirty"), and what is left of those for metadata |
/// | `retained` | `stats.retained` |
/// | `in_use` | `stats.active` |
///
/// The states sum up to `stats.resident` + `stats.retained`, always: where two values do not fit together, because each
/// arena is read at another instant, the smaller part is cut. `stats.resident` is the most that can be in memory:
/// jemalloc counts pages that have never been touched, too. Pages that are given back lazily (`muzzy_decay_ms`, which is
/// off unless asked for) are in none of it. Blocks count as large as their size class, not as they were asked for.
impl Introspect for Jemalloc {
    const NAME: &'static str = "jemalloc";

    fn memory(used: u64) -> Result<Memory, Untold> {
        if TURNS.take(Instant::now()) {
            return gather().map(|told| partition(&told)).map_err(untold);
        }
        // While another thread gathers for the first time, there is nothing yet but what jemalloc started with.
        Self::memory_gathered(used).or_else(|_| {
            let told = Statistics::get().and_then(Statistics::read).map_err(untold)?;
            Ok(partition(&told))
        })
    }

    /// Asks jemalloc for nothing, because even its first `mallctl` gathers. [`Untold`] before [`memory`](Self::memory) has
    /// had it gather.
    fn memory_gathered(_used: u64) -> Result<Memory, Untold> {
        let told = *last();
        told.map(|told| partition(&told))
            .ok_or_else(|| Untold::new("jemalloc's statistics", "none gathered yet"))
    }
}

/// Has jemalloc gather anew, and remembers what it tells.
fn gather() -> tikv_jemalloc_ctl::Result<Told> {
    let statistics = Statistics::get()?;
    statistics.refresh()?;
    let told = statistics.read()?;
    *last() = Some(told);
    Ok(told)
}

/// What was told last. Nobody allocates, or asks jemalloc, while it is locked.
fn last() -> MutexGuard<'static, Option<Told>> {
    static LAST: Mutex<Option<Told>> = Mutex::new(None);
    LAST.lock().unwrap_or_else(PoisonError::into_inner)
}

fn untold(error: tikv_jemalloc_ctl::Error) -> Untold {
    Untold::new("jemalloc's statistics", error.to_string())
}

/// Of all readers in the process.
static TURNS: Turns = Turns::new();

/// What jemalloc says, bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// In blocks that jemalloc's arenas have handed out: to the program, to caches and to jemalloc itself.
    allocated: u64,
    /// In pages of which some blocks are handed out.
    active: u64,
    /// In jemalloc's tables and in blocks for itself.
    metadata: u64,
    /// In blocks for itself.
    internal: u64,
    /// In active pages, pages of metadata and dirty pages.
    resident: u64,
    /// In free blocks that threads keep for themselves.
    in_threads: u64,
    /// In address space kept without memory.
    retained: u64,
}

/// Disjoint parts whose sum is `resident` + `retained`.
fn partition(told: &Told) -> Memory {
    let mut rest = told.resident;
    let active = take(&mut rest, told.active);
    let tables = take(&mut rest, told.metadata.saturating_sub(told.internal));

    let mut fragmented = active;
    let mut blocks = take(&mut fragmented, told.allocated);
    let internal = take(&mut blocks, told.internal);
    let in_threads = take(&mut blocks, told.in_threads);

    Memory {
        allocated: Some(blocks),
        fragmented: Some(fragmented),
        metadata: Some(tables + internal),
        cached: Some(in_threads + rest),
        retained: Some(told.retained),
        in_use: Some(active),
    }
}

fn take(from: &mut u64, at_most: u64) -> u64 {
    let taken = at_most.min(*from);
    *from -= taken;
    taken
}

/// Where jemalloc keeps what it says: looking up a name each time would cost five times as much.
struct Statistics {
    epoch: epoch_mib,
    allocated: allocated_mib,
    active: active_mib,
    metadata: metadata_mib,
    resident: resident_mib,
    retained: retained_mib,
    internal: Mib<[usize; 4]>,
    in_threads: Mib<[usize; 4]>,
}

impl Statistics {
    fn get() -> tikv_jemalloc_ctl::Result<&'static Statistics> {
        static FOUND: OnceLock<Statistics> = OnceLock::new();
        if let Some(found) = FOUND.get() {
            return Ok(found);
        }
        let found = Statistics::find()?;
        Ok(FOUND.get_or_init(|| found))
    }

    fn find() -> tikv_jemalloc_ctl::Result<Statistics> {
        Ok(Statistics {
            epoch: epoch::mib()?,
            allocated: stats::allocated::mib()?,
            active: stats::active::mib()?,
            metadata: stats::metadata::mib()?,
            resident: stats::resident::mib()?,
            retained: stats::retained::mib()?,
            // 4096 is MALLCTL_ARENAS_ALL, the sum of all arenas.
            internal: b"stats.arenas.4096.internal\0".name().mib()?,
            in_threads: b"stats.arenas.4096.tcache_bytes\0".name().mib()?,
        })
    }

    /// Has jemalloc gather anew.
    fn refresh(&self) -> tikv_jemalloc_ctl::Result<()> {
        self.epoch.advance().map(|_| ())
    }

    /// What jemalloc gathered last.
    fn read(&self) -> tikv_jemalloc_ctl::Result<Told> {
        let (internal, in_threads): (usize, usize) = (self.internal.read()?, self.in_threads.read()?);
        Ok(Told {
            allocated: self.allocated.read()? as u64,
            active: self.active.read()? as u64,
            metadata: self.metadata.read()? as u64,
            internal: internal as u64,
            resident: self.resident.read()? as u64,
            in_threads: in_threads as u64,
            retained: self.retained.read()? as u64,
        })
    }
}

/// How often one of many may do something.
struct Turns {
    first: OnceLock<Instant>,
    /// Nanoseconds after the first.
    next: AtomicU64,
}

impl Turns {
    const APART: Duration = Duration::from_secs(1);

    const fn new() -> Turns {
        Turns { first: OnceLock::new(), next: AtomicU64::new(0) }
    }

    /// Whether it is the caller's turn: the first time, and then once when another second has passed.
    fn take(&self, now: Instant) -> bool {
        let first = *self.first.get_or_init(|| now);
        let now = nanoseconds(now.saturating_duration_since(first));
        let next = self.next.load(Relaxed);
        let after = now.saturating_add(nanoseconds(Turns::APART));
        now >= next && self.next.compare_exchange(next, after, Relaxed, Relaxed).is_ok()
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(memory: &Memory) -> u128 {
        let Memory { allocated, fragmented, metadata, cached, retained, .. } = *memory;
        [allocated, fragmented, metadata, cached, retained]
            .into_iter()
            .map(|part| u128::from(part.unwrap()))
            .sum()
    }

    #[test]
    fn parts_are_what_jemalloc_says_where_it_is_consistent() {
        let told = Told {
            allocated: 1_000,
            active: 4_096,
            metadata: 700,
            internal: 100,
            resident: 12_288,
            in_threads: 300,
            retained: 65_536,
        };
        let expected = Memory {
            allocated: Some(1_000 - 300 - 100),
            fragmented: Some(4_096 - 1_000),
            metadata: Some(700),
            cached: Some(300 + (12_288 - 4_096 - (700 - 100))),
            retained: Some(65_536),
            in_use: Some(4_096),
        };
        assert_eq!(partition(&told), expected);
        assert_eq!(sum(&expected), 12_288 + 65_536);
    }

    #[test]
    fn more_in_caches_than_allocated_leaves_nothing_allocated() {
        let told = Told { allocated: 10, active: 4_096, resident: 4_096, in_threads: 11, ..Told::default() };
        let memory = partition(&told);
        assert_eq!((memory.allocated, memory.fragmented, memory.cached), (Some(0), Some(4_086), Some(10)));
    }

    #[test]
    fn a_turn_comes_at_once_and_then_a_second_after_the_last() {
        let (turns, start) = (Turns::new(), Instant::now());
        let at = |milliseconds| turns.take(start + Duration::from_millis(milliseconds));
        let taken: Vec<_> = [0, 0, 999, 1_000, 1_001, 1_999, 2_500, 3_000, 3_499, 3_500].map(at).into();
        assert_eq!(taken, [true, false, false, true, false, false, true, false, false, true]);
    }

    #[test]
    fn a_turn_is_taken_by_one_of_many() {
        let (turns, now) = (Turns::new(), Instant::now());
        let taken = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| turns.take(now))).collect();
            threads.into_iter().map(|thread| u32::from(thread.join().unwrap())).sum::<u32>()
        });
        assert_eq!(taken, 1);
    }

    #[test]
    fn a_name_that_jemalloc_does_not_know_is_untold() {
        let error = b"stats.never_told\0".name().mib::<[usize; 2]>().map(|_| ()).map_err(untold).unwrap_err();
        assert_eq!(error.expected(), "jemalloc's statistics");
        assert!(error.found().contains("unknown"), "{error}");
    }

    proptest! {
        #[test]
        fn parts_sum_up_whatever_is_told(
            values in [any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>()],
            shift in 0_u32..64,
        ) {
            let [allocated, active, metadata, internal, resident, in_threads, retained] = values;
            // Values of one size are where one is cut by another.
            let (allocated, active, in_threads) = (allocated >> shift, active >> shift, in_threads >> shift);
            let told = Told { allocated, active, metadata, internal, resident, in_threads, retained };
            let memory = partition(&told);
            prop_assert_eq!(sum(&memory), u128::from(resident) + u128::from(retained));
            prop_assert!(memory.allocated <= Some(allocated));
            prop_assert!(memory.in_use <= Some(active));
        }

        #[test]
        fn nothing_is_cut_of_what_fits(
            blocks: u32, in_threads: u32, internal: u32, fragmented: u32, tables: u32, dirty: u32, retained: u32,
        ) {
            let [blocks, in_threads, internal, fragmented, tables, dirty, retained] =
                [blocks, in_threads, internal, fragmented, tables, dirty, retained].map(u64::from);
            let allocated = blocks + in_threads + internal;
            let active = allocated + fragmented;
            let told = Told {
                allocated, active, metadata: tables + internal, internal,
                resident: active + tables + dirty, in_threads, retained,
            };
            prop_assert_eq!(partition(&told), Memory {
                allocated: Some(blocks),
                fragmented: Some(fragmented),
                metadata: Some(tables + internal),
                cached: Some(in_threads + dirty),
                retained: Some(retained),
                in_use: Some(active),
            });
        }
    }
}
