//! What runtimes do is what the collector's file shows, and workers of actix come and go with their servers.

use end_to_end::received::Export;
use end_to_end::{Collector, Launch, Subject, get, wait_until};

use crate::programs::{ACTIX_AGAIN, CURRENT_THREAD, MULTI_THREAD, PLAIN, only_told};
use crate::tries::{fits, in_one_of_a_few};

/// A subject that exports only when told, and the collector that it exports to.
struct Watched {
    collector: Collector,
    subject: Subject,
}

impl Watched {
    fn start(launch: impl FnOnce(Launch) -> Launch, program: &str) -> Option<Self> {
        let collector = Collector::start()?;
        let subject = launch(only_told(program).grpc(collector.grpc())).start();
        Some(Watched { collector, subject })
    }

    /// What arrives of an export now.
    fn export(&mut self) -> Export {
        let before = self.collector.received().len();
        self.subject.tell("flush").ok();
        self.collector.wait_for("the export", |exports| exports.get(before).cloned())
    }

    /// The value of `metric` of the runtime `name`, in an export of now.
    fn of(&mut self, metric: &str, name: &str) -> Option<f64> {
        let export = self.export();
        Some(export.metric(metric)?.point(Some(("tokio.runtime.name", name)))?.value)
    }

    /// The names of the runtimes that `metric` has a series of.
    fn names(&mut self, metric: &str) -> Vec<String> {
        let export = self.export();
        let points = export.metric(metric).into_iter().flat_map(|metric| &metric.points);
        let mut names: Vec<_> =
            points.map(|point| point.attributes["tokio.runtime.name"].as_str().unwrap().to_owned()).collect();
        names.sort_unstable();
        names
    }

    /// The names of the runtimes that are watched.
    fn watched(&mut self) -> Vec<String> {
        let mut names: Vec<String> =
            serde_json::from_value(self.subject.tell("runtimes").ok().value).unwrap();
        names.sort_unstable();
        names
    }
}

#[test]
fn tasks_and_busy_time() {
    let Some(mut watched) = Watched::start(|launch| launch, MULTI_THREAD) else { return };
    assert_eq!(watched.of("tokio.worker.count", "main"), Some(2.0));
    assert_eq!(watched.of("tokio.task.count", "main"), Some(0.0));
    watched.subject.tell("tasks 25").ok();
    assert_eq!(watched.of("tokio.task.count", "main"), Some(25.0));
    in_one_of_a_few(|| {
        let before = watched.of("tokio.worker.busy.time", "main").unwrap();
        let computed = watched.subject.tell("compute 300").ok().value.as_f64().unwrap();
        // The worker tells when it goes to sleep, and a busy machine may hold it up before that.
        let busy = wait_until("the worker to tell", || {
            let busy = watched.of("tokio.worker.busy.time", "main").unwrap() - before;
            (busy >= computed).then_some(busy)
        });
        fits(busy < computed + 0.1, || format!("{computed} s were computed, {busy} s are shown"))
    });
}

#[test]
fn without_a_runtime_there_is_nothing_of_one() {
    for (program, names) in [(PLAIN, &[] as &[&str]), (CURRENT_THREAD, &["main"])] {
        let Some(mut watched) = Watched::start(|launch| launch, program) else { return };
        assert_eq!(watched.names("tokio.worker.count"), names, "{program}");
    }
}

#[test]
fn workers_of_actix_come_and_go_with_the_server() {
    workers_come_and_go(|launch| launch);
}

#[test]
fn workers_of_actix_under_tokio_come_and_go_with_the_server() {
    workers_come_and_go(|launch| launch.env("UNDER_TOKIO", "1"));
}

const WORKERS: [&str; 3] = ["actix-worker-0", "actix-worker-1", "actix-worker-2"];

fn workers_come_and_go(launch: impl FnOnce(Launch) -> Launch) {
    const ALL: [&str; 4] = [WORKERS[0], WORKERS[1], WORKERS[2], "main"];
    let Some(mut watched) = Watched::start(launch, ACTIX_AGAIN) else { return };
    assert_eq!(watched.watched(), ["main"]);
    for _ in 0..2 {
        let port = watched.subject.tell("serve 3").ok().value.as_u64().unwrap().try_into().unwrap();
        wait_until("all workers to be there", || (watched.watched() == ALL).then_some(()));
        assert_eq!(watched.names("tokio.worker.count"), ALL);
        // Connections go to one worker after the other, if it has time.
        wait_until("every worker to have worked", || {
            assert_eq!(get(port, "/work"), Some((200, "worked".to_owned())));
            let busy = WORKERS.map(|worker| watched.of("tokio.worker.busy.time", worker).unwrap());
            busy.iter().all(|busy| *busy >= 0.05).then_some(())
        });
        for worker in WORKERS {
            assert!(
                watched.of("tokio.task.count", worker) >= Some(1.0),
                "{worker} has the tasks of its requests"
            );
        }
        watched.subject.tell("stop").ok();
        // The server says that it has stopped a moment before the last runtime is gone.
        wait_until("all workers to be gone", || (watched.watched() == ["main"]).then_some(()));
        assert_eq!(watched.names("tokio.worker.count"), ["main"]);
        assert_eq!(watched.names("tokio.worker.busy.time"), ["main"]);
    }
}
