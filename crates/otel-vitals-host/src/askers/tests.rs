use super::*;
use crate::filesystem::space::Blocks;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::time::Instant;

/// Long enough to fail a test that hangs, and no test waits for it otherwise.
const LONG: Duration = Duration::from_secs(60);

/// A file system that answers what it is told to, and hangs until then.
#[derive(Default)]
struct Server {
    state: Mutex<ServerState>,
    changed: Condvar,
}

#[derive(Default)]
struct ServerState {
    answers: VecDeque<io::Result<Blocks>>,
    requests: usize,
    under_way: usize,
    answered: usize,
}

impl Server {
    fn statvfs(self: &Arc<Self>) -> Ask<Blocks> {
        let server = Arc::clone(self);
        Arc::new(move |_path| {
            let mut state = server.state.lock().unwrap();
            state.requests += 1;
            state.under_way += 1;
            server.changed.notify_all();
            let mut state = server.changed.wait_while(state, |state| state.answers.is_empty()).unwrap();
            state.under_way -= 1;
            state.answered += 1;
            server.changed.notify_all();
            state.answers.pop_front().unwrap()
        })
    }

    fn answer(&self, free: u64) {
        self.state.lock().unwrap().answers.push_back(Ok(blocks(free)));
        self.changed.notify_all();
    }

    fn wait_until(&self, condition: impl Fn(&ServerState) -> bool) {
        let state = self.state.lock().unwrap();
        let (_state, timeout) =
            self.changed.wait_timeout_while(state, LONG, |state| !condition(state)).unwrap();
        assert!(!timeout.timed_out());
    }
}

fn blocks(free: u64) -> Blocks {
    Blocks { total: 100, free, available: free, size: 1, read_only: false }
}

fn timed_out(answer: io::Result<Blocks>) -> bool {
    answer.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

/// Waits until only `threads` of the askers' threads live.
/// Whose threads are counted apart from those of other tests.
fn alone(ask: Ask<Blocks>) -> Askers<Blocks> {
    Askers { ask, count: Box::leak(Box::default()) }
}

fn wait_for_threads(askers: &Askers<Blocks>, threads: usize) {
    let started = Instant::now();
    while askers.count.load(Ordering::Acquire) != threads {
        assert!(started.elapsed() < LONG);
        thread::yield_now();
    }
}

#[test]
fn an_answer_in_time_is_the_answer() {
    let server = Arc::new(Server::default());
    let mut asker = alone(server.statvfs()).start(c"/mnt").unwrap();
    for free in [7, 8, 9] {
        server.answer(free);
        asker.ask();
        assert_eq!(asker.answer(LONG).unwrap(), blocks(free));
    }
    assert_eq!(server.state.lock().unwrap().requests, 3);
}

#[test]
fn an_error_is_an_answer() {
    let server = Arc::new(Server::default());
    let mut asker = alone(server.statvfs()).start(c"/mnt").unwrap();
    server.state.lock().unwrap().answers.push_back(Err(io::ErrorKind::StaleNetworkFileHandle.into()));
    asker.ask();
    assert_eq!(asker.answer(LONG).unwrap_err().kind(), io::ErrorKind::StaleNetworkFileHandle);
    server.answer(7);
    asker.ask();
    assert_eq!(asker.answer(LONG).unwrap(), blocks(7));
}

#[test]
fn who_hangs_is_waited_for_once_and_asked_once() {
    let server = Arc::new(Server::default());
    let askers = alone(server.statvfs());
    let mut asker = askers.start(c"/mnt").unwrap();
    asker.ask();
    assert!(timed_out(asker.answer(Duration::from_millis(1))));
    for _ in 0..5 {
        asker.ask();
        let started = Instant::now();
        assert!(timed_out(asker.answer(LONG)));
        assert!(started.elapsed() < LONG);
    }
    server.wait_until(|state| state.requests == 1 && state.under_way == 1);
    assert_eq!(askers.count.load(Ordering::Acquire), 1);
}

/// An asker whose thread is played by the test: what it is asked, and where it answers.
fn played() -> (Asker<Blocks>, Receiver<()>, SyncSender<io::Result<Blocks>>) {
    let (requests, asked) = sync_channel(1);
    let (answer, answers) = sync_channel(1);
    (Asker { requests, answers, request: Request::None }, asked, answer)
}

#[test]
fn an_answer_from_before_a_collection_only_frees_the_thread() {
    let (mut asker, asked, answer) = played();
    asker.ask();
    asked.try_recv().unwrap();
    assert!(timed_out(asker.answer(Duration::ZERO)));
    answer.send(Ok(blocks(7))).unwrap();
    asker.ask();
    asked.try_recv().unwrap();
    assert!(timed_out(asker.answer(Duration::ZERO)));
    answer.send(Ok(blocks(8))).unwrap();
    asker.ask();
    asked.try_recv().unwrap();
    answer.send(Ok(blocks(9))).unwrap();
    assert_eq!(asker.answer(Duration::ZERO).unwrap(), blocks(9));
}

#[test]
fn an_answer_that_comes_while_a_collection_looks_is_of_now() {
    let (mut asker, asked, answer) = played();
    asker.ask();
    asked.try_recv().unwrap();
    assert!(timed_out(asker.answer(Duration::ZERO)));
    asker.ask();
    assert!(asked.try_recv().is_err(), "the first request is still under way");
    answer.send(Ok(blocks(7))).unwrap();
    assert_eq!(asker.answer(LONG).unwrap(), blocks(7));
}

#[test]
fn a_thread_that_is_gone_is_an_error() {
    let (mut asker, asked, answer) = played();
    drop((asked, answer));
    asker.ask();
    assert_eq!(asker.answer(LONG).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_thread_ends_with_its_mount() {
    let server = Arc::new(Server::default());
    let askers = alone(server.statvfs());
    let idle = askers.start(c"/idle").unwrap();
    drop(idle);
    wait_for_threads(&askers, 0);
    let mut hung = askers.start(c"/hung").unwrap();
    hung.ask();
    server.wait_until(|state| state.under_way == 1);
    drop(hung);
    assert_eq!(askers.count.load(Ordering::Acquire), 1, "it cannot end before its file system answers");
    server.answer(7);
    wait_for_threads(&askers, 0);
}

#[test]
fn threads_are_bounded_those_of_mounts_that_are_gone_included() {
    let server = Arc::new(Server::default());
    let askers = alone(server.statvfs());
    for _ in 0..MOST_THREADS {
        askers.start(c"/hung").unwrap().ask();
    }
    server.wait_until(|state| state.under_way == MOST_THREADS);
    assert_eq!(askers.start(c"/one/more").unwrap_err().kind(), io::ErrorKind::QuotaExceeded);
    for _ in 0..MOST_THREADS {
        server.answer(7);
    }
    wait_for_threads(&askers, 0);
    askers.start(c"/one/more").unwrap();
}

#[test]
fn a_thread_of_another_name_keeps_what_it_knows() {
    let mut count = 0;
    let mut asker = Asker::start("vitals-test", move || {
        count += 1;
        Ok((count, thread::current().name().map(str::to_owned)))
    })
    .unwrap();
    for expected in 1..3 {
        asker.ask();
        assert_eq!(asker.answer(LONG).unwrap(), (expected, Some("vitals-test".to_owned())));
    }
}
