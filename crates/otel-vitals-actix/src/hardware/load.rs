//! Load and processors: what a control group may have of them, with the machine's beside it in `host`; else the machine's. The load
//! is always the machine's, since there is no other.

use otel_vitals::Thresholds;
use otel_vitals::hardware::{Cpu, HostCpu, Load, Snapshot};
use serde::Serialize;

use super::{Limits, hundredths};
use crate::answer;

#[derive(Serialize)]
pub(super) struct Body<'a> {
    #[serde(flatten)]
    load: Averages,
    /// Cores in whole numbers, the next larger one of a part.
    #[serde(skip_serializing_if = "Option::is_none")]
    c_cnt: Option<u64>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cores: Option<f64>,
    load_per_core: Averages,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttled_percent: Option<f64>,
    /// Whether a control group has a quota.
    limited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<Host>,
    thresholds: Both,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

/// Over one minute, five and fifteen.
#[derive(Serialize)]
struct Averages {
    #[serde(skip_serializing_if = "Option::is_none")]
    l_1: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    l_5: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    l_15: Option<f64>,
}

#[derive(Serialize)]
struct Host {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    c_cnt: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_percent: Option<f64>,
}

#[derive(Serialize)]
struct Both {
    load: Limits,
    throttled: Limits,
}

/// The line that gin users know.
pub(super) fn line(cpu: &Cpu) -> String {
    let shown = |load: Option<f64>| load.map_or_else(|| "unknown".to_owned(), |load| format!("{load:.2}"));
    let Load { one, five, fifteen, .. } = cpu.load;
    let cores = cpu.whole_cores().map_or_else(|| "unknown".to_owned(), |cores| cores.to_string());
    let (one, five, fifteen) = (shown(one), shown(five), shown(fifteen));
    format!("{} - Load average: {one}, {five}, {fifteen} | Cores: {cores}\n", cpu.level)
}

impl<'a> Body<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, thresholds: &Thresholds) -> Self {
        let cpu = &snapshot.cpu;
        Body {
            load: Averages::new(cpu.load),
            c_cnt: cpu.whole_cores(),
            status: cpu.level.as_str(),
            cores: cpu.cores.map(hundredths),
            load_per_core: Averages::new(cpu.load_per_core),
            used_percent: cpu.used_percent.map(hundredths),
            throttled_percent: cpu.throttled_percent.map(hundredths),
            limited: cpu.is_limited,
            host: cpu.host.as_ref().map(Host::new),
            thresholds: Both { load: thresholds.load.into(), throttled: thresholds.throttled.into() },
            time: snapshot.taken_at.map(answer::time),
            problem: cpu.problem.as_deref().or(snapshot.problem.as_deref()),
        }
    }
}

impl Averages {
    fn new(load: Load) -> Self {
        let [l_1, l_5, l_15] = [load.one, load.five, load.fifteen].map(|load| load.map(hundredths));
        Averages { l_1, l_5, l_15 }
    }
}

impl Host {
    fn new(cpu: &HostCpu) -> Self {
        Host { status: cpu.level.as_str(), c_cnt: cpu.cores, used_percent: cpu.used_percent.map(hundredths) }
    }
}
