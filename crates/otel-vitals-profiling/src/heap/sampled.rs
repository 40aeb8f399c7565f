//! The profile that is made of samples.

mod live;
mod sampler;
mod stacks;
mod sys;

use std::hint::black_box;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::*};

use otel_vitals_alloc::sampling;

use super::Dropped;
use crate::lock::Lock;
use crate::objects;
use crate::profile::{Frame, Sample, ValueType};
use crate::unwind::live::{self as stack, Way};
use crate::{Error, Profile};
use sampler::{Heap, Tables};
use stacks::{FRACTION, NO_ROOM, NOT_WALKED};

static HEAP: Heap = Heap::new();
static INSTALLED: AtomicBool = AtomicBool::new(false);
/// Whether the interval was ever another than the first.
static CHANGED: AtomicBool = AtomicBool::new(false);
/// The last interval that was not zero, which is what samples were drawn with that are there while sampling is off.
static PERIOD: AtomicU64 = AtomicU64::new(super::DEFAULT_INTERVAL);

pub(super) fn install(interval: u64) -> Result<(), Error> {
    static ONE_AT_A_TIME: Lock<()> = Lock::new(());
    let forked = "the process was forked from one that was about to begin with it";
    let _one = ONE_AT_A_TIME.lock().ok_or(unavailable(forked))?;
    if INSTALLED.load(Acquire) {
        set_interval(interval);
        return Ok(());
    }
    if !is_counted() {
        return Err(unavailable("the global allocator is not otel_vitals_alloc::Counting"));
    }
    stack::prepare().map_err(|source| Error::System { what: "walking stacks for heap profiles", source })?;
    HEAP.prepare().map_err(|source| Error::System { what: "memory for heap profiles", source })?;
    keep_up(interval).map_err(|source| Error::System { what: "a thread for heap profiles", source })?;
    if !sampling::install(&HEAP, interval) {
        stack::leave_it();
        return Err(unavailable(
            "another sampler of allocations is installed, or this build has no sampling",
        ));
    }
    INSTALLED.store(true, Release);
    if interval > 0 {
        PERIOD.store(interval, Relaxed);
    }
    Ok(())
}

/// Whether what the program allocates goes through the allocator that tells of samples.
fn is_counted() -> bool {
    let allocated = || otel_vitals_alloc::counts().map_or(0, |counts| counts.allocations);
    let before = allocated();
    drop(black_box(Box::new(0_u8)));
    allocated() > before
}

pub(super) fn set_interval(interval: u64) {
    if INSTALLED.load(Acquire) {
        if interval != sampling::interval() {
            CHANGED.store(true, Relaxed);
        }
        if interval > 0 {
            PERIOD.store(interval, Relaxed);
        }
        sampling::set_interval(interval);
        if let Err(error) = keep_up(interval) {
            tracing::warn!(%error, "stacks of heap samples end at libraries that are loaded from now on: there is no thread to keep up with them");
        }
    }
}

/// Learns of what is loaded as long as there is sampling.
fn keep_up(interval: u64) -> io::Result<()> {
    if interval > 0 {
        return stack::keep_up();
    }
    stack::leave_it();
    Ok(())
}

pub(super) fn interval() -> u64 {
    if INSTALLED.load(Acquire) { sampling::interval() } else { 0 }
}

pub(super) fn profile() -> Result<Profile, Error> {
    let tables = tables().ok_or(unavailable("otel_vitals_profiling::heap::install was not called"))?;
    let of = |kind, unit| ValueType { kind, unit };
    let mut profile = Profile::empty(vec![
        of("alloc_objects", "count"),
        of("alloc_space", "bytes"),
        of("inuse_objects", "count"),
        of("inuse_space", "bytes"),
    ]);
    profile.of_allocator = true;
    profile.period = Some((of("space", "bytes"), otel_vitals_core::signed(PERIOD.load(Relaxed))));
    profile.samples = read(tables);
    profile.objects = Some(objects::loaded());
    comments().into_iter().for_each(|comment| profile.comment(comment));
    // Stacks through what was loaded since the last time may be wrong, and look right.
    stack::look();
    Ok(profile)
}

pub(super) fn table_size() -> u64 {
    tables().map_or(0, Tables::resident)
}

pub(super) fn samples() -> u64 {
    tables().map_or(0, |tables| tables.live.count() as u64)
}

pub(super) fn dropped() -> Dropped {
    tables().map_or(Dropped::default(), |tables| Dropped {
        blocks: tables.lost.blocks.load(Relaxed),
        stacks: tables.lost.stacks.load(Relaxed),
        walks: tables.lost.walks.load(Relaxed),
    })
}

fn tables() -> Option<&'static Tables> {
    HEAP.tables().filter(|_| INSTALLED.load(Acquire))
}

fn read(tables: &Tables) -> Vec<Sample> {
    // What is in use first: what was allocated meanwhile is then in neither or in the total alone.
    let mut in_use: Vec<(u64, u128)> = Vec::new();
    tables.live.read(|sample| {
        let stack = sample.stack as usize;
        if in_use.len() <= stack {
            in_use.resize(stack + 1, (0, 0));
        }
        if let Some((objects, bytes)) = in_use.get_mut(stack) {
            *objects = objects.saturating_add(sample.weight);
            *bytes = bytes.saturating_add(u128::from(sample.weight) * u128::from(sample.size));
        }
    });
    let one = f64::from(1 << FRACTION);
    let all = (0_u32..).zip(0..tables.stacks.count()).filter_map(|(stack, place)| {
        let allocated = tables.stacks.allocated(stack);
        let (objects, bytes) = in_use.get(place).copied().unwrap_or_default();
        let values = [allocated.objects, allocated.bytes, objects as f64 / one, bytes as f64 / one]
            .map(|value| value.round() as i64);
        (values != [0; 4]).then(|| Sample {
            stack: frames(tables, stack),
            values: values.into(),
            labels: Vec::new(),
        })
    });
    all.collect()
}

fn frames(tables: &Tables, stack: u32) -> Arc<[Frame]> {
    match stack {
        NOT_WALKED => [Frame::Named("[stack not walked]".into())].into(),
        NO_ROOM => [Frame::Named("[stacks beyond the limit]".into())].into(),
        stack => tables.stacks.frames(stack).map(Frame::Code).collect(),
    }
}

fn comments() -> Vec<String> {
    let Dropped { blocks, stacks, walks } = dropped();
    let way = match stack::way() {
        Some(Way::FramePointers) => "stacks are walked by frame pointers",
        _ => "stacks are walked by unwind tables: the program has no frame pointers",
    };
    let of = |count: u64, what: &str| (count > 0).then(|| format!("{count} samples {what}"));
    let off = (interval() == 0).then_some("sampling is off: what was allocated since is not here");
    let changed = CHANGED.load(Relaxed).then_some(
        "the interval was changed: the period is the last, and each sample stands for as much as it did with its own",
    );
    [
        Some(way.to_owned()),
        off.map(str::to_owned),
        changed.map(str::to_owned),
        of(blocks, "are not in use here whatever became of them: the table of blocks was full"),
        of(stacks, "are at [stacks beyond the limit]: the table of stacks was full"),
        of(walks, "are at [stack not walked]: the thread had not enough of its stack left, or too many walked at once"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn unavailable(why: &'static str) -> Error {
    Error::Unavailable { what: "heap profile", why }
}
