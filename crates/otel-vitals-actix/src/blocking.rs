//! Work that blocks, on a thread of its own.
//!
//! Not on one of tokio's: when the system refuses tokio a thread it panics and leaves the work in its queue, with all that the work
//! holds, a turn for one, that nobody gets back. How many there are at a time is the business of those who call.

use otel_vitals_core::caught;
use tokio::sync::oneshot;

/// What `work` returns. Nothing when there is no thread for it, or when it panics; what it holds is dropped then too, before this returns.
///
/// The work goes on to its end when nobody waits for it any more.
pub(crate) async fn on_a_thread<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (tell, told) = oneshot::channel();
    let run = move || {
        // What nobody waits for is dropped here, inside too.
        caught(move || {
            let result = work();
            drop(tell.send(result));
        });
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(run).ok()?;
    told.await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::panic_any;
    use std::sync::{Arc, mpsc};
    use std::time::Duration;
    use tokio::sync::Semaphore;

    const DEADLINE: Duration = Duration::from_secs(20);

    /// Panics when it is dropped, with another of its kind.
    struct Worse;

    impl Drop for Worse {
        fn drop(&mut self) {
            panic_any(Worse);
        }
    }

    #[actix_web::test]
    async fn work_is_done_on_another_thread_of_that_name() {
        let name = on_a_thread("vitals-test", || std::thread::current().name().map(str::to_owned)).await;
        assert_eq!(name.flatten().as_deref(), Some("vitals-test"));
    }

    #[actix_web::test]
    async fn a_panic_is_nothing_and_what_the_work_held_comes_back() {
        let turns = Arc::new(Semaphore::new(1));
        for number in 0..10 {
            let turn = Arc::clone(&turns).try_acquire_owned().unwrap();
            let work = move || {
                let _turn = turn;
                if number % 2 == 0 { panic_any(Worse) } else { panic!("of the test") }
            };
            assert_eq!(on_a_thread("vitals-test", work).await, None::<()>);
            assert_eq!(turns.available_permits(), 1, "{number}");
        }
    }

    #[actix_web::test]
    async fn work_that_nobody_waits_for_goes_on_and_what_it_comes_to_may_panic() {
        let turns = Arc::new(Semaphore::new(1));
        let turn = Arc::clone(&turns).try_acquire_owned().unwrap();
        let (begin, begun) = mpsc::channel();
        let (go_on, gone_on) = mpsc::channel();
        let work = move || {
            let _turn = turn;
            begin.send(()).unwrap();
            gone_on.recv_timeout(DEADLINE).unwrap();
            Worse
        };
        let waiting = actix_web::rt::spawn(on_a_thread("vitals-test", work));
        tokio::task::yield_now().await;
        begun.recv_timeout(DEADLINE).unwrap();
        waiting.abort();
        assert!(waiting.await.is_err_and(|error| error.is_cancelled()));
        assert_eq!(turns.available_permits(), 0);
        go_on.send(()).unwrap();
        let turn = tokio::time::timeout(DEADLINE, turns.acquire()).await;
        assert!(turn.is_ok_and(|turn| turn.is_ok()));
    }
}
