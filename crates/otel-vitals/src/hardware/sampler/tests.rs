use super::*;
use std::future::Future as _;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

/// Long enough to fail a test that hangs, and no test waits for it otherwise.
const LONG: Duration = Duration::from_secs(60);
/// For ever.
const NEVER: Duration = Duration::from_secs(3600);

/// What those who look have done.
#[derive(Default)]
struct Counts {
    made: AtomicUsize,
    read: AtomicUsize,
    kept_up: AtomicUsize,
    dropped: AtomicUsize,
}

/// One who looks when it is told to, if it is to be told.
struct Counting {
    counts: Arc<Counts>,
    released: Option<Arc<Mutex<Receiver<()>>>>,
    panics: bool,
}

impl Look for Counting {
    fn read(&mut self) -> HardwareReading {
        let number = self.counts.read.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(released) = &self.released {
            released.lock().unwrap().recv().unwrap();
        }
        assert!(!self.panics || number > 1, "the first look panics");
        let mut reading = HardwareReading::default();
        reading.memory.total = Some(number as u64);
        reading
    }

    fn keep_up(&mut self) {
        self.counts.kept_up.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.counts.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

fn sampler(timing: Timing, released: Option<Receiver<()>>, panics: bool) -> (Sampler, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let released = released.map(|released| Arc::new(Mutex::new(released)));
    let made = Arc::clone(&counts);
    let make = move || {
        made.made.fetch_add(1, Ordering::SeqCst);
        let (counts, released) = (Arc::clone(&made), released.clone());
        Box::new(Counting { counts, released, panics }) as Box<dyn Look>
    };
    let paths = vec!["/".to_owned()];
    (Sampler::new(Box::new(make), paths, Thresholds::default(), timing), counts)
}

/// Has the thread do `act` before it makes one who looks. The thread must not be there yet.
fn before_made(sampler: &mut Sampler, act: impl Fn() + Send + Sync + 'static) {
    let shared = Arc::get_mut(&mut sampler.shared).unwrap();
    let make = std::mem::replace(&mut shared.make, Box::new(|| unreachable!()));
    shared.make = Box::new(move || {
        act();
        make()
    });
}

/// A look is good for `fresh`, and nobody keeps up.
fn fresh_for(fresh: Duration) -> Timing {
    Timing { fresh, keep_up: NEVER, in_use: NEVER }
}

fn wait_until(condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < LONG);
        std::thread::yield_now();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits without any runtime.
fn wait_for(sampler: &Sampler) -> Arc<Snapshot> {
    let mut snapshot = pin!(sampler.snapshot());
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let started = Instant::now();
    loop {
        if let Poll::Ready(snapshot) = snapshot.as_mut().poll(&mut Context::from_waker(&waker)) {
            return snapshot;
        }
        assert!(started.elapsed() < LONG);
        std::thread::park_timeout(LONG);
    }
}

fn number(snapshot: &Snapshot) -> Option<u64> {
    snapshot.memory.usage.total
}

#[test]
fn a_look_is_shared_as_long_as_it_is_fresh() {
    let (sampler, counts) = sampler(fresh_for(NEVER), None, false);
    assert_eq!(counts.made.load(Ordering::SeqCst), 0, "nothing is started before somebody asks");
    let first = wait_for(&sampler);
    assert_eq!(number(&first), Some(1));
    assert!(first.taken_at.is_some() && first.problem.is_none());
    for _ in 0..100 {
        assert!(Arc::ptr_eq(&first, &wait_for(&sampler)));
    }
    assert_eq!(counts.read.load(Ordering::SeqCst), 1);
}

#[test]
fn what_is_old_is_looked_at_again() {
    let (sampler, counts) = sampler(fresh_for(Duration::ZERO), None, false);
    for expected in 1..10 {
        assert_eq!(number(&wait_for(&sampler)), Some(expected));
    }
    assert_eq!(counts.made.load(Ordering::SeqCst), 1);
}

#[test]
fn a_thousand_who_ask_at_once_cause_one_look() {
    let (release, released) = channel();
    let (sampler, counts) = sampler(fresh_for(NEVER), Some(released), false);
    let mut waiting: Vec<_> = (0..1000).map(|_| Box::pin(sampler.snapshot())).collect();
    for one in &mut waiting {
        assert!(one.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    release.send(()).unwrap();
    let first = wait_for(&sampler);
    // A runtime without a clock will do.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for one in waiting {
        assert!(Arc::ptr_eq(&first, &runtime.block_on(one)));
    }
    assert_eq!(counts.read.load(Ordering::SeqCst), 1);
}

#[test]
fn one_who_does_not_wait_any_more_harms_nobody() {
    let (release, released) = channel();
    let (sampler, counts) = sampler(fresh_for(NEVER), Some(released), false);
    {
        let mut given_up = pin!(sampler.snapshot());
        assert!(given_up.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    release.send(()).unwrap();
    assert_eq!(number(&wait_for(&sampler)), Some(1));
    assert_eq!(counts.read.load(Ordering::SeqCst), 1);
}

#[test]
fn processors_are_looked_at_as_long_as_somebody_asks_now_and_then() {
    let often = Duration::from_millis(1);
    let (used, counts) = sampler(Timing { fresh: NEVER, keep_up: often, in_use: NEVER }, None, false);
    let _ = wait_for(&used);
    wait_until(|| counts.kept_up.load(Ordering::SeqCst) >= 3);
    assert_eq!(counts.read.load(Ordering::SeqCst), 1);

    let in_use = Duration::from_millis(20);
    let (unused, counts) = sampler(Timing { fresh: Duration::ZERO, keep_up: often, in_use }, None, false);
    let _ = wait_for(&unused);
    let sleeps = || {
        let before = counts.kept_up.load(Ordering::SeqCst);
        std::thread::sleep(2 * in_use);
        counts.kept_up.load(Ordering::SeqCst) == before
    };
    wait_until(sleeps);
    assert_eq!(number(&wait_for(&unused)), Some(2), "and wakes when somebody asks");
}

#[test]
fn a_look_that_panics_costs_only_itself() {
    let (sampler, counts) = sampler(fresh_for(Duration::ZERO), None, true);
    let failed = wait_for(&sampler);
    assert_eq!(failed.problem.as_deref(), Some("the look at it panicked"));
    assert_eq!((&*failed.disks[0].path, failed.taken_at), ("/", None));
    assert_eq!(number(&wait_for(&sampler)), Some(2));
    assert_eq!(counts.made.load(Ordering::SeqCst), 2, "what a panic left behind is not used");
}

/// Panics with each line, as one does that prints to a closed pipe.
struct Unwritable(Arc<AtomicUsize>);

impl tracing::Subscriber for Unwritable {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("a log that cannot be written to");
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn a_log_that_panics_too_costs_nothing_more() {
    let (mut sampler, counts) = sampler(fresh_for(Duration::ZERO), None, true);
    let logged = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&logged);
    // Where there is only one, tracing asks nobody but the thread that logs a line first, which may be another test's.
    let _second = tracing::Dispatch::new(Unwritable(Arc::default()));
    before_made(&mut sampler, move || {
        // Of the thread that looks, as long as it lives.
        std::mem::forget(tracing::subscriber::set_default(Unwritable(Arc::clone(&counted))));
    });
    assert_eq!(wait_for(&sampler).problem.as_deref(), Some("the look at it panicked"));
    assert_eq!(number(&wait_for(&sampler)), Some(2));
    assert_eq!((logged.load(Ordering::SeqCst), counts.made.load(Ordering::SeqCst)), (1, 2));
}

#[test]
fn when_the_thread_ends_nobody_waits_for_it_and_the_next_who_asks_has_another() {
    let (mut sampler, counts) = sampler(fresh_for(NEVER), None, true);
    let made = Arc::clone(&counts);
    // After the look that panics there is nobody to look.
    before_made(&mut sampler, move || {
        assert!(made.made.load(Ordering::SeqCst) != 1, "the second one panics")
    });
    let failed = wait_for(&sampler);
    assert_eq!(failed.problem.as_deref(), Some("the thread that looks has ended"));
    assert_eq!((&*failed.disks[0].path, failed.taken_at), ("/", None));
    counts.made.store(2, Ordering::SeqCst);
    assert_eq!(number(&wait_for(&sampler)), Some(2));
    assert_eq!(counts.made.load(Ordering::SeqCst), 3);
}

#[test]
fn after_the_end_the_last_look_is_told_as_such() {
    let (sampler, counts) = sampler(fresh_for(Duration::ZERO), None, false);
    let before = wait_for(&sampler);
    sampler.stop("over");
    wait_until(|| counts.dropped.load(Ordering::SeqCst) == 1);
    let last = wait_for(&sampler);
    assert_eq!((number(&last), last.problem.as_deref()), (number(&before), Some("over")));
    sampler.stop("over again");
    assert_eq!(wait_for(&sampler).problem.as_deref(), Some("over"));
    assert_eq!(counts.read.load(Ordering::SeqCst), 1);
}

#[test]
fn ended_before_anybody_asked_there_is_no_thread_and_nothing_known() {
    let (sampler, counts) = sampler(fresh_for(NEVER), None, false);
    sampler.stop("over");
    let nothing = wait_for(&sampler);
    assert_eq!((nothing.taken_at, nothing.problem.as_deref()), (None, Some("over")));
    assert_eq!(nothing.disks[0].problem.as_deref(), Some("over"));
    assert_eq!(counts.made.load(Ordering::SeqCst), 0);
}

#[test]
fn the_end_wakes_those_who_wait_also_while_a_look_is_under_way() {
    let (release, released) = channel();
    let (sampler, counts) = sampler(fresh_for(NEVER), Some(released), false);
    let release: Sender<()> = release;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait_for(&sampler));
        wait_until(|| counts.read.load(Ordering::SeqCst) == 1);
        sampler.stop("over");
        assert_eq!(waiting.join().unwrap().problem.as_deref(), Some("over"));
    });
    release.send(()).unwrap();
    wait_until(|| counts.dropped.load(Ordering::SeqCst) == 1);
    assert_eq!(wait_for(&sampler).problem.as_deref(), Some("over"), "what came later is not told");
}

#[test]
fn the_thread_ends_with_the_last_handle() {
    let (sampler, counts) = sampler(fresh_for(NEVER), None, false);
    let _ = wait_for(&sampler);
    drop(sampler);
    wait_until(|| counts.dropped.load(Ordering::SeqCst) == 1);
}
