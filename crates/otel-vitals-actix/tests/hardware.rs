//! Disks, memory and load over real connections.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod wire;

use actix_web::App;
use otel_vitals::{Config, Threshold, Thresholds};
use otel_vitals_actix::routes;
use serde_json::{Value, json};
use wire::{Answer, Serving, ask, get, until};

const DISK: &str = "/status/hardware/disk";
const RAM: &str = "/status/hardware/ram";
const CPU: &str = "/status/hardware/cpu";
/// What no load comes to, and no part of a whole.
const MUCH: u32 = 100_000;
const CPU_INFO: &str = "/status/hardware/cpu_info";

/// An answer of a look at which nobody was late, as file systems and the kernel may be on a machine with much else to do.
fn look(server: &Serving, path: &str) -> Answer {
    let mut answer = None;
    until("a look at which nobody was late", || {
        let now = get(server.address, path);
        let is_late = now.text().contains("did not answer within ");
        answer = Some(now);
        !is_late
    });
    answer.unwrap()
}

fn json_of(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    answer.assert_ours();
    serde_json::from_slice(&answer.body).unwrap()
}

/// Thresholds, as far as there can be such for each.
fn judged(warning: u32, critical: u32) -> impl FnOnce(&mut Config) + Send + 'static {
    move |config| {
        let Thresholds { disk, ram, load, throttled, .. } = &mut config.monitor.thresholds;
        for threshold in [disk, ram, throttled] {
            *threshold = Threshold::new(warning.clamp(1, 100), critical.clamp(1, 100));
        }
        *load = Threshold::new(warning.max(1), critical.max(1));
    }
}

#[test]
fn the_fields_that_gin_users_know_and_exact_ones_are_there() {
    let started = wire::vitals(judged(MUCH, MUCH));
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    for path in [DISK, RAM] {
        let answer = look(&server, path);
        let body = json_of(&answer);
        let number = |name: &str| body[name].as_u64().unwrap_or_else(|| panic!("{name} of {body}"));
        assert_eq!(number("used_mb"), number("used_bytes") >> 20);
        assert_eq!(number("used_gb"), number("used_bytes") >> 30);
        assert_eq!(number("total_mb"), number("total_bytes") >> 20);
        assert_eq!(number("total_gb"), number("total_bytes") >> 30);
        // The one is cut, the other rounded, to hundredths.
        let (whole, exact) = (number("used_percent") as f64, body["used_percent_exact"].as_f64().unwrap());
        assert!((whole..=whole + 1.0).contains(&exact), "{body}");
        assert!(number("used_bytes") + number("available_bytes") <= number("total_bytes"));
        assert_eq!(body["thresholds"], json!({"warning": 100, "critical": 100}));
        assert!(body["time"].as_str().unwrap().ends_with('Z'));
    }
    let disk = json_of(&look(&server, DISK));
    assert_eq!(disk["mounts"][0]["path"], "/");
    assert_eq!(disk["mounts"][0]["used_bytes"], disk["used_bytes"]);

    // Of one look: the next is a second later.
    let (info, line) = std::iter::repeat_with(|| {
        let before = json_of(&look(&server, CPU_INFO));
        let line = get(server.address, CPU);
        (before["time"] == json_of(&get(server.address, CPU_INFO))["time"]).then_some((before, line))
    })
    .find_map(|looked| looked)
    .unwrap();
    let [one, five, fifteen] = ["l_1", "l_5", "l_15"].map(|name| info[name].as_f64().unwrap());
    let cores = info["c_cnt"].as_u64().unwrap();
    assert_eq!(info["status"], "OK");
    let per_core = info["load_per_core"]["l_5"].as_f64().unwrap();
    assert!((per_core - five / cores as f64).abs() < 0.006 || info["limited"] == true);
    line.assert_ours();
    assert_eq!(line.header("content-type"), "text/plain; charset=utf-8");
    let expected = format!("OK - Load average: {one:.2}, {five:.2}, {fifteen:.2} | Cores: {cores}\n");
    assert_eq!((line.status, line.text()), (200, expected.as_str()));
}

/// What is configured, and the statuses of disk, ram, cpu and cpu_info.
#[test]
fn levels_are_statuses_ours_or_those_of_bar_counter() {
    let cases = [
        // Of memory, disks and load less than that is used, and more than one percent.
        ((MUCH, MUCH), false, "OK", [200, 200, 200, 200]),
        ((MUCH, MUCH), true, "OK", [200, 200, 200, 200]),
        ((1, MUCH), false, "WARNING", [200, 200, 200, 200]),
        ((1, MUCH), true, "WARNING", [200, 429, 429, 429]),
        ((1, 1), false, "CRITICAL", [503, 503, 503, 503]),
        ((1, 1), true, "CRITICAL", [429, 500, 500, 500]),
    ];
    for ((warning, critical), legacy, level, statuses) in cases {
        let started = wire::vitals(move |config| {
            judged(warning, critical)(config);
            config.monitor.legacy_status_codes = legacy;
        });
        let mounted = routes(&started.vitals);
        let server = serve!(App::new().configure(mounted.clone()));
        let answers = [DISK, RAM, CPU, CPU_INFO].map(|path| look(&server, path));
        let told = answers.each_ref().map(|answer| answer.status);
        let busy = json_of(&answers[3])["load_per_core"]["l_5"].as_f64().unwrap() >= 0.02
            && json_of(&answers[3])["limited"] == false;
        assert_eq!(told[..2], statuses[..2], "{level}, legacy: {legacy}");
        assert_eq!(json_of(&answers[0])["info"], level);
        assert_eq!(json_of(&answers[1])["info"], level);
        // On a machine that has had nothing to do for five minutes there is no load to judge, and none is in a container.
        if busy {
            assert_eq!(told[2..], statuses[2..], "{level}, legacy: {legacy}");
            assert_eq!(json_of(&answers[3])["status"], level);
            assert!(answers[2].text().starts_with(&format!("{level} - ")));
        }
    }
}

#[test]
fn one_and_two_cores_at_rest_are_not_critical_by_default() {
    let started = wire::vitals(|_| {});
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let info = json_of(&look(&server, CPU_INFO));
    let load = info["load_per_core"]["l_5"].as_f64().unwrap();
    let expected = if load < 1.0 {
        "OK"
    } else if load < 2.0 {
        "WARNING"
    } else {
        "CRITICAL"
    };
    // What is told is rounded, and what is judged is not.
    let is_near = [1.0, 2.0].iter().any(|bound: &f64| (bound - load).abs() < 0.01);
    assert!(info["limited"] == true || is_near || info["status"] == expected, "{info}");
    assert_eq!(info["thresholds"]["load"], json!({"warning": 100, "critical": 200}));
}

#[test]
fn every_disk_is_told_and_one_that_is_not_there_is_critical() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    let disks = vec![path.clone(), "/".to_owned(), "/there/is/no/such/place".to_owned()];
    let started = wire::vitals(move |config| config.monitor.disks = disks);
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let answer = look(&server, DISK);
    let body = json_of(&answer);
    assert_eq!((answer.status, &body["info"]), (503, &json!("CRITICAL")));
    let mounts = body["mounts"].as_array().unwrap();
    assert_eq!(
        mounts.iter().map(|mount| &mount["path"]).collect::<Vec<_>>(),
        [&json!(path), &json!("/"), &json!("/there/is/no/such/place")]
    );
    assert_eq!(mounts[0]["used_bytes"], body["used_bytes"], "the first is the one at the top");
    assert_eq!(mounts[2]["info"], "CRITICAL");
    assert!(mounts[2]["problem"].as_str().is_some() && mounts[2].get("used_mb").is_none(), "{body}");
}

#[test]
fn only_get_and_head_are_answered() {
    let started = wire::vitals(|_| {});
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    for path in [DISK, RAM, CPU, CPU_INFO] {
        let head = ask(server.address, "HEAD", path, &[]);
        assert!(matches!(head.status, 200 | 503) && head.body.is_empty());
        let refused = ask(server.address, "POST", path, &[]);
        assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD"));
        refused.assert_ours();
    }
}
