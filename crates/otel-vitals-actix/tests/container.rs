//! Memory and processors in a control group that limits them, as in a container: a process of its own serves there. Where no group
//! can be made the tests say so and are skipped.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

mod wire;

use actix_web::App;
use otel_vitals::Threshold;
use otel_vitals_actix::routes;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use test_harness::cgroup::Group;
use wire::{get, until};

const IS_CHILD: &str = "OTEL_VITALS_TEST_IS_CHILD";

/// Not a test of its own: what the process in the group does. It begins when it is told to, and ends with its input.
#[test]
fn the_process_in_the_group() {
    if std::env::var_os(IS_CHILD).is_none() {
        return;
    }
    let mut input = std::io::stdin();
    input.read_exact(&mut [0]).unwrap();
    let started = wire::vitals(|config| {
        // What no machine reaches, and what any throttling does.
        config.monitor.thresholds.load = Threshold::new(100_000, 100_000);
        config.monitor.thresholds.throttled = Threshold::new(1, 1);
    });
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    println!("\nserves {}", server.address);
    // Busy enough to use up any quota, as long as it is asked for nothing else.
    std::thread::spawn(|| while std::hint::black_box(true) {});
    let _ = input.read_to_end(&mut Vec::new());
    std::process::exit(0);
}

#[test]
fn memory_is_that_of_the_group_and_the_machines_is_beside_it() {
    const LIMIT: u64 = 512 << 20;
    let Some(group) = Group::with_memory_limit("actix-memory", LIMIT) else {
        return eprintln!("skipped: no control group can be made");
    };
    let service = Service::start(&group);
    let body = json(service.address, "/status/hardware/ram");
    assert_eq!((&body["limited"], body["total_bytes"].as_u64()), (&Value::Bool(true), Some(LIMIT)));
    assert_eq!((body["total_mb"].as_u64(), body["total_gb"].as_u64()), (Some(512), Some(0)));
    assert!(body["used_bytes"].as_u64().unwrap() < LIMIT);
    assert!(body["host"]["total_bytes"].as_u64().unwrap() > LIMIT, "{body}");
    assert!(body["host"]["info"].is_string());
}

#[test]
fn processors_are_those_of_the_quota_and_throttling_decides() {
    let Some(group) = Group::with_quota("actix-quota") else {
        return eprintln!("skipped: no control group can be made");
    };
    let service = Service::start(&group);
    // At the first look nothing is known of throttling; the next is a second later.
    let mut looked = None;
    until("throttling", || {
        let answer = get(service.address, "/status/hardware/cpu_info");
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        let is_throttled = body["throttled_percent"].as_f64() >= Some(1.0);
        looked = Some((answer.status, body));
        is_throttled
    });
    let (status, body) = looked.unwrap();
    assert_eq!((status, &body["status"], &body["host"]["status"]), (503, &"CRITICAL".into(), &"OK".into()));
    let cores = body["cores"].as_f64().unwrap();
    assert_eq!(body["limited"], true, "{body}");
    assert_eq!(body["c_cnt"].as_u64().unwrap(), cores.ceil() as u64);
    let machine = std::fs::read_to_string("/proc/cpuinfo").unwrap().matches("processor\t").count() as u64;
    assert_eq!(body["host"]["c_cnt"].as_u64(), Some(machine));
    assert!(cores < machine as f64, "{body}");
}

fn json(address: SocketAddr, path: &str) -> Value {
    serde_json::from_slice(&get(address, path).body).unwrap()
}

struct Service {
    process: Child,
    address: SocketAddr,
}

impl Service {
    fn start(group: &Group) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_process_in_the_group", "--nocapture", "--test-threads=1"])
            .env(IS_CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        group.take(process.id());
        process.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut told =
            lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("serves ").map(str::to_owned));
        let address = told.next().unwrap().parse().unwrap();
        Service { process, address }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
