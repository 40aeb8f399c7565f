//! Memory: what a control group may have of it, with the machine's beside it in `host`; else the machine's.

use otel_vitals::Threshold;
use otel_vitals::hardware::{MemoryUse, Snapshot};
use serde::Serialize;

use super::{Limits, Space};
use crate::answer;

#[derive(Serialize)]
pub(super) struct Body<'a> {
    info: &'static str,
    #[serde(flatten)]
    space: Space,
    /// Whether a control group limits it.
    limited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<Host>,
    thresholds: Limits,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

#[derive(Serialize)]
struct Host {
    info: &'static str,
    #[serde(flatten)]
    space: Space,
}

impl<'a> Body<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, threshold: Threshold) -> Self {
        let memory = &snapshot.memory;
        let host = memory.host.as_ref();
        Body {
            info: memory.level.as_str(),
            space: space(memory.usage),
            limited: memory.is_limited,
            host: host.map(|host| Host { info: host.level.as_str(), space: space(host.usage) }),
            thresholds: threshold.into(),
            time: snapshot.taken_at.map(answer::time),
            problem: memory.problem.as_deref().or(snapshot.problem.as_deref()),
        }
    }
}

fn space(usage: MemoryUse) -> Space {
    Space::new(usage.used, usage.available, usage.total, usage.used_percent())
}
