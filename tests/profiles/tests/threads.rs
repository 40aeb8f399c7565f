//! What Go's reader finds in a profile of threads.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::sync::mpsc::channel;
use std::thread::Builder;
use test_harness::pprof::Pprof;

#[test]
fn threads_of_one_name_are_apart_and_have_their_states() {
    let Some(pprof) = Pprof::find() else { return };
    let (began, begun) = channel();
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let began = began.clone();
            let (held, ended) = channel::<()>();
            let body = move || {
                began.send(()).unwrap();
                let _ = ended.recv();
            };
            (Builder::new().name("a; (b) 7".to_owned()).spawn(body).unwrap(), held)
        })
        .collect();
    threads.iter().for_each(|_| begun.recv().unwrap());

    let profile = otel_vitals_profiling::threads::profile().unwrap();
    let all = profile.total("threads").unwrap();
    let written = profile.pprof();
    let rows = pprof.top(&written, "threads", &[]);
    assert_eq!(rows.iter().map(|row| row.flat).sum::<i64>(), all);
    assert_eq!(rows.iter().find(|row| row.name == "a; (b) 7").map(|row| row.flat), Some(2), "{rows:?}");
    let raw = pprof.raw(&written);
    assert!(raw.contains("threads/count[dflt] cpu/nanoseconds"), "{raw}");
    assert_eq!(raw.matches("thread:[a; (b) 7]").count(), 2, "{raw}");
    assert!(raw.contains("state:[running]") && raw.contains("thread_id:["), "{raw}");
    drop(threads);
}
