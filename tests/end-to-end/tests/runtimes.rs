//! Every kind of `main`: start, flush, shut down and drop inside of it.

use end_to_end::{Collector, Launch, get};

use crate::programs::{ACTIX, CURRENT_THREAD, MULTI_THREAD, PLAIN};

#[test]
fn plain_main() {
    flushes_and_shuts_down(PLAIN);
    drops(PLAIN);
    returns(PLAIN);
}

#[test]
fn tokio_main() {
    flushes_and_shuts_down(MULTI_THREAD);
    drops(MULTI_THREAD);
    returns(MULTI_THREAD);
}

#[test]
fn tokio_main_on_one_thread() {
    flushes_and_shuts_down(CURRENT_THREAD);
    drops(CURRENT_THREAD);
    returns(CURRENT_THREAD);
}

#[test]
fn actix_main() {
    flushes_and_shuts_down(ACTIX);
    returns(ACTIX);
}

#[test]
fn an_actix_worker_flushes() {
    let Some(collector) = Collector::start() else { return };
    let mut subject = once(ACTIX).grpc(collector.grpc()).start();
    let port = subject.tell("port").ok().value.as_u64().unwrap();
    let answer = get(u16::try_from(port).unwrap(), "/flush");
    assert_eq!(answer, Some((200, "flushed".to_owned())));
    subject.tell("shutdown").ok();
}

/// No export but those that the test asks for.
fn once(program: &str) -> Launch {
    Launch::new(program).env("OTEL_METRIC_EXPORT_INTERVAL", "3600000")
}

fn flushes_and_shuts_down(program: &str) {
    ends(program, &["count 2", "flush", "count 3", "flush", "count 4", "shutdown", "shutdown"]);
}

/// The last handle is dropped.
fn drops(program: &str) {
    ends(program, &["count 9", "drop"]);
}

/// `main` returns.
fn returns(program: &str) {
    ends(program, &["count 9"]);
}

/// After these commands, and the end of the program, all nine have arrived. Over both transports.
fn ends(program: &str, commands: &[&str]) {
    let Some(mut collector) = Collector::start() else { return };
    for launch in [once(program).grpc(collector.grpc()), once(program).http(collector.http())] {
        let mut subject = launch.start();
        subject.init().clone().ok();
        for command in commands {
            subject.tell(command).ok();
        }
        let status = subject.finish();
        assert!(status.success(), "{program} ended with {status}:\n{}", subject.output());
        let pid = subject.pid();
        collector.wait_for("all nine", |exports| {
            let own = exports.iter().rfind(|export| export.resource["process.pid"] == pid)?;
            (own.sum("subject.count") == Some(9.0)).then_some(())
        });
    }
}
