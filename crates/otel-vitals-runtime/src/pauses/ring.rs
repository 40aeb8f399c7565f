//! The last pauses, and how many there ever were.
//!
//! One thread writes, any number read. Writing waits for nobody and takes a handful of stores; a reader that finds the writer at it, or
//! passing by, reads again, so that what it returns belongs to one moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::{PauseCause as Cause, PauseScope as Scope};
use crate::moments;
use crate::runtimes::LONGEST_NAME;

/// How many pauses are kept, as Go keeps that many.
pub(crate) const KEPT: usize = 256;

const WORDS: usize = LONGEST_NAME / size_of::<u64>();

/// How often a reader tries. The writer is there for some nanoseconds, some times a second: only what never ends, as in a child
/// that was forked in the midst of it, takes that many.
const TRIES: usize = 1_000;

/// One pause, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Nanoseconds.
    pub(crate) duration: u64,
    /// Nanoseconds since 1970.
    pub(crate) ended: u64,
    pub(crate) scope: Scope,
    pub(crate) cause: Cause,
    /// The runtime's; empty for a pause of the process.
    pub(crate) name: Name,
    pub(crate) worker: Option<u32>,
}

/// A name of at most [`LONGEST_NAME`] bytes, in words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Name {
    words: [u64; WORDS],
    length: u8,
}

/// What a reader gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Pauses since the start.
    pub(crate) count: u64,
    /// Their sum, nanoseconds.
    pub(crate) total: u64,
    /// The last [`KEPT`], oldest first.
    pub(crate) last: Vec<Entry>,
}

#[derive(Debug)]
pub(crate) struct Ring {
    /// Odd while it is written to; the writes so far are half of it.
    version: AtomicU64,
    count: AtomicU64,
    total: AtomicU64,
    slots: Box<[Slot]>,
}

#[derive(Debug, Default)]
struct Slot {
    duration: AtomicU64,
    ended: AtomicU64,
    /// Scope, cause, length of the name and worker, a quarter of a word each.
    kind: AtomicU64,
    name: [AtomicU64; WORDS],
}

/// Who writes: there is one.
#[derive(Debug)]
pub(crate) struct Writer {
    ring: Arc<Ring>,
}

impl Ring {
    /// An empty ring, and its only writer.
    pub(crate) fn new() -> (Arc<Ring>, Writer) {
        let ring = Arc::new(Ring {
            version: AtomicU64::new(0),
            count: AtomicU64::new(0),
            total: AtomicU64::new(0),
            slots: (0..KEPT).map(|_| Slot::default()).collect(),
        });
        (Arc::clone(&ring), Writer { ring })
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for _ in 0..TRIES {
            if self.try_read(&mut snapshot) {
                return snapshot;
            }
            std::thread::yield_now();
        }
        Snapshot::default()
    }

    /// How many, and their sum in nanoseconds.
    pub(crate) fn totals(&self) -> (u64, u64) {
        for _ in 0..TRIES {
            if let Some(totals) =
                self.consistently(|| (self.count.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed)))
            {
                return totals;
            }
            std::thread::yield_now();
        }
        (0, 0)
    }

    fn try_read(&self, snapshot: &mut Snapshot) -> bool {
        let read = self.consistently(|| {
            snapshot.count = self.count.load(Ordering::Relaxed);
            snapshot.total = self.total.load(Ordering::Relaxed);
            snapshot.last.clear();
            let oldest = snapshot.count.saturating_sub(KEPT as u64);
            snapshot.last.extend((oldest..snapshot.count).filter_map(|number| self.slot(number)?.load()));
        });
        read.is_some()
    }

    /// What `read` reads, unless it was written meanwhile.
    fn consistently<T>(&self, read: impl FnOnce() -> T) -> Option<T> {
        let before = self.version.load(Ordering::Acquire);
        if !before.is_multiple_of(2) {
            return None;
        }
        let value = read();
        // What was read is read before the version is again.
        fence(Ordering::Acquire);
        (self.version.load(Ordering::Relaxed) == before).then_some(value)
    }

    fn slot(&self, number: u64) -> Option<&Slot> {
        self.slots.get((number % KEPT as u64) as usize)
    }
}

impl Writer {
    /// Adds a pause, over the oldest when the ring is full.
    pub(crate) fn push(&mut self, entry: &Entry) {
        let ring = &*self.ring;
        // Nobody else stores to any of these.
        let version = ring.version.load(Ordering::Relaxed);
        let count = ring.count.load(Ordering::Relaxed);
        ring.version.store(version + 1, Ordering::Relaxed);
        // Whoever sees one of the following stores also sees that they have begun.
        fence(Ordering::Release);
        if let Some(slot) = ring.slot(count) {
            slot.store(entry);
        }
        ring.count.store(count + 1, Ordering::Relaxed);
        let total = ring.total.load(Ordering::Relaxed);
        ring.total.store(total.saturating_add(entry.duration), Ordering::Relaxed);
        ring.version.store(version + 2, Ordering::Release);
    }
}

impl Slot {
    fn store(&self, entry: &Entry) {
        let worker = entry.worker.map_or(0, |worker| u64::from(worker) + 1).min(u64::from(u16::MAX));
        let kind = [entry.scope as u64, entry.cause as u64, u64::from(entry.name.length), worker];
        self.duration.store(entry.duration, Ordering::Relaxed);
        self.ended.store(entry.ended, Ordering::Relaxed);
        self.kind.store(kind.iter().rev().fold(0, |word, quarter| word << 16 | quarter), Ordering::Relaxed);
        for (word, name) in self.name.iter().zip(entry.name.words) {
            word.store(name, Ordering::Relaxed);
        }
    }

    /// None of what is not whole, which is read again.
    fn load(&self) -> Option<Entry> {
        let kind = self.kind.load(Ordering::Relaxed);
        let [scope, cause, length, worker] = [0, 16, 32, 48].map(|shift| (kind >> shift) as u16);
        Some(Entry {
            duration: self.duration.load(Ordering::Relaxed),
            ended: self.ended.load(Ordering::Relaxed),
            scope: Scope::ALL.iter().copied().find(|known| *known as u16 == scope)?,
            cause: Cause::ALL.iter().copied().find(|known| *known as u16 == cause)?,
            name: Name {
                words: self.name.each_ref().map(|word| word.load(Ordering::Relaxed)),
                length: u8::try_from(length).ok()?,
            },
            worker: worker.checked_sub(1).map(u32::from),
        })
    }
}

impl Name {
    pub(crate) fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut words = [0; WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks(size_of::<u64>())) {
            *word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        Name { words, length: bytes.len().min(LONGEST_NAME) as u8 }
    }

    /// None when it is empty.
    pub(crate) fn text(&self) -> Option<String> {
        let bytes = self.words.iter().flat_map(|word| word.to_le_bytes()).take(usize::from(self.length));
        let text = String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned();
        (!text.is_empty()).then_some(text)
    }
}

impl Entry {
    /// A pause that ended at the [moment](moments) `end`.
    pub(crate) fn new(scope: Scope, cause: Cause, duration: u64, end: u64) -> Self {
        let ended = moments::since_1970(end);
        Entry { duration, ended, scope, cause, name: Name::default(), worker: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    /// A pause in which every field tells the number.
    fn numbered(number: u64) -> Entry {
        Entry {
            duration: number,
            ended: number * 3,
            scope: Scope::ALL[number as usize % Scope::ALL.len()],
            cause: Cause::ALL[number as usize % Cause::ALL.len()],
            name: Name::new(&format!("runtime-{number:040}")),
            worker: number.is_multiple_of(2).then_some(number as u32 % 1_000),
        }
    }

    #[test]
    fn keeps_the_last_and_counts_all() {
        let (ring, mut writer) = Ring::new();
        assert_eq!(ring.snapshot(), Snapshot::default());
        let pauses = if cfg!(miri) { 3 } else { 600 };
        for number in 0..pauses {
            writer.push(&numbered(number));
            let snapshot = ring.snapshot();
            assert_eq!(snapshot.count, number + 1);
            assert_eq!(snapshot.total, (0..=number).sum());
            let oldest = (number + 1).saturating_sub(KEPT as u64);
            assert_eq!(snapshot.last, (oldest..=number).map(numbered).collect::<Vec<_>>());
            assert_eq!(ring.totals(), (snapshot.count, snapshot.total));
        }
    }

    #[test]
    fn readers_see_whole_pauses_while_they_are_written() {
        let pauses = if cfg!(miri) { 12 } else { 200_000 };
        let (ring, mut writer) = Ring::new();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        let mut snapshot = Snapshot::default();
                        if !ring.try_read(&mut snapshot) {
                            continue;
                        }
                        let Snapshot { count, total, last } = snapshot;
                        assert_eq!(total, (0..count).sum());
                        let oldest = count.saturating_sub(KEPT as u64);
                        assert!(last.iter().copied().eq((oldest..count).map(numbered)));
                    }
                });
            }
            for number in 0..pauses {
                writer.push(&numbered(number));
                if number % 64 == 0 {
                    std::thread::yield_now();
                }
            }
            over.store(true, Ordering::Relaxed);
        });
        assert_eq!(ring.snapshot().count, pauses);
    }

    #[test]
    fn one_that_is_written_for_ever_tells_nothing_instead_of_waiting() {
        let (ring, mut writer) = Ring::new();
        writer.push(&numbered(1));
        ring.version.store(3, Ordering::Relaxed);
        assert_eq!(ring.snapshot(), Snapshot::default());
        assert_eq!(ring.totals(), (0, 0));
    }

    #[test]
    fn names_keep_their_characters() {
        for text in ["", "main", "actix-worker-0", "ä€𝄞", &"x".repeat(LONGEST_NAME)] {
            assert_eq!(Name::new(text).text().unwrap_or_default(), text);
        }
    }
}
