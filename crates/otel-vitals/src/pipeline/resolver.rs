//! Name look-ups for both transports, each on a thread of its own.
//!
//! The resolver of hyper-util asks tokio for the thread, and tokio panics when the system has none to give
//! (`RLIMIT_NPROC`, `pids.max`). Here that is an error of the one connection, and the next export tries again.

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;
use tower_service::Service;

const THREAD: &str = "otel-vitals-dns";
/// Enough for the resolver of the C library and what it loads.
const STACK: usize = 256 << 10;
/// How many look-ups may run. One that hangs cannot be stopped, and must not gather others around it.
const LIMIT: usize = 2;

type Addresses = std::vec::IntoIter<SocketAddr>;
type Answer = io::Result<Addresses>;

/// What both transports connect with: names are looked up here, and a connection that is not made within `timeout` fails.
pub(super) fn connector(timeout: Duration) -> HttpConnector<Resolver> {
    let mut http = HttpConnector::new_with_resolver(Resolver::system());
    http.set_connect_timeout(Some(timeout));
    http.set_nodelay(true);
    http
}

/// Finds the addresses of a host. An address needs no look-up: the connector knows it when it sees one.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    look_up: fn(&str) -> Answer,
    stack: usize,
    running: &'static AtomicUsize,
}

impl Resolver {
    /// Asks the system, as `getaddrinfo` does. All of them together keep to one limit, because the pipeline makes a
    /// new one with every new connection.
    pub(super) fn system() -> Self {
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        Resolver { look_up: system, stack: STACK, running: &RUNNING }
    }

    fn start(&self, name: Name) -> io::Result<oneshot::Receiver<Answer>> {
        let slot = Slot::take(self.running).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("{LIMIT} earlier name look-ups have not ended yet, {name} is not looked up"),
            )
        })?;
        let (sender, answer) = oneshot::channel();
        let look_up = self.look_up;
        std::thread::Builder::new()
            .name(THREAD.to_owned())
            .stack_size(self.stack)
            .spawn(move || {
                let answer = {
                    // Free before the answer is there: whoever has it may ask again at once.
                    let _slot = slot;
                    look_up(name.as_str())
                };
                // The export may have given up by now.
                let _ = sender.send(answer);
            })
            .map_err(|error| {
                io::Error::new(error.kind(), format!("no thread for a name look-up: {error}"))
            })?;
        Ok(answer)
    }
}

impl Service<Name> for Resolver {
    type Response = Addresses;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let started = self.start(name);
        Box::pin(async move {
            let answer = started?.await;
            answer.unwrap_or_else(|_| Err(io::Error::other("the name look-up ended without an answer")))
        })
    }
}

/// One of the look-ups that may run; free again when it goes.
struct Slot(&'static AtomicUsize);

impl Slot {
    fn take(running: &'static AtomicUsize) -> Option<Self> {
        let more = |running| (running < LIMIT).then_some(running + 1);
        running.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Slot(running))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn system(host: &str) -> Answer {
    // The connector puts in the port.
    (host, 0).to_socket_addrs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::time::Duration;

    /// The addresses of `host`, as a runtime finds them that has no other thread to offer.
    fn resolve(resolver: &Resolver, host: &str) -> io::Result<Vec<SocketAddr>> {
        let mut resolver = resolver.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let answer = resolver.call(host.parse().unwrap());
            let answer = tokio::time::timeout(Duration::from_secs(60), answer).await.expect("an answer");
            answer.map(Iterator::collect)
        })
    }

    /// As [`Resolver::system`], with a limit that no other test shares.
    fn system_with(running: &'static AtomicUsize) -> Resolver {
        Resolver { running, ..Resolver::system() }
    }

    #[test]
    fn localhost_is_this_machine() {
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        let addresses = resolve(&system_with(&RUNNING), "localhost").unwrap();
        assert!(!addresses.is_empty());
        assert!(addresses.iter().all(|address| address.ip().is_loopback()), "{addresses:?}");
        assert_eq!(RUNNING.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_name_that_cannot_exist_is_an_error() {
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        // A label has 63 characters at most, so nobody needs to be asked.
        let name = format!("{}.invalid", "x".repeat(64));
        assert!(resolve(&system_with(&RUNNING), &name).is_err());
        assert_eq!(RUNNING.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn look_ups_that_hang_do_not_gather() {
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        static HANGING: Mutex<()> = Mutex::new(());
        let resolver = Resolver {
            look_up: |_| {
                drop(HANGING.lock());
                Ok(vec![SocketAddr::from(([192, 0, 2, 1], 0))].into_iter())
            },
            stack: STACK,
            running: &RUNNING,
        };

        let hold = HANGING.lock().unwrap();
        let first = resolver.start("one.example".parse().unwrap()).unwrap();
        // An export that gives up frees nothing: its thread is still there.
        drop(resolver.start("two.example".parse().unwrap()).unwrap());
        let refused = resolve(&resolver, "three.example").unwrap_err();
        assert!(refused.to_string().contains("2 earlier name look-ups have not ended"), "{refused}");

        drop(hold);
        assert_eq!(first.blocking_recv().unwrap().unwrap().len(), 1);
        // The place of the first is free.
        assert_eq!(resolve(&resolver, "three.example").unwrap().len(), 1);
    }

    #[test]
    fn a_look_up_that_panics_is_an_error_and_frees_its_place() {
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        let resolver = Resolver { look_up: |_| panic!("on purpose"), stack: STACK, running: &RUNNING };
        for _ in 0..=LIMIT {
            let error = resolve(&resolver, "one.example").unwrap_err();
            assert!(error.to_string().contains("without an answer"), "{error}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_system_without_a_thread_to_give_is_an_error_and_takes_no_place() {
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        // More stack than there are addresses: the system refuses such a thread as it refuses one too many.
        let resolver = Resolver { stack: isize::MAX as usize & !0xffff, ..system_with(&RUNNING) };
        for _ in 0..=LIMIT {
            let error = resolve(&resolver, "localhost").unwrap_err();
            assert!(error.to_string().contains("no thread for a name look-up"), "{error}");
        }
        assert_eq!(RUNNING.load(Ordering::Relaxed), 0);
    }
}
