//! The hardware, with the names that users of bar-counter/monitor for gin know, and exact figures beside them.
//!
//! | route | those names |
//! | --- | --- |
//! | disk, ram | `info`, `used_mb`, `used_gb`, `total_mb`, `total_gb`, `used_percent` (whole numbers, cut) |
//! | cpu | a line: level, load averages, cores |
//! | cpu_info | `l_1`, `l_5`, `l_15`, `c_cnt`, `status` |
//!
//! What is not known is absent.

mod disk;
mod load;
mod memory;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use otel_vitals::Threshold;
use otel_vitals::hardware::Level;
use serde::Serialize;
use std::sync::Arc;

use crate::answer;
use crate::state::State;

const JSON: &str = "application/json; charset=utf-8";

pub(crate) async fn disk(state: Arc<State>, _request: HttpRequest) -> HttpResponse {
    let snapshot = state.vitals().hardware().snapshot().await;
    let body = disk::Body::new(&snapshot, state.monitor().thresholds.disk);
    // bar-counter/monitor tells a disk that is full that there are too many requests, and nothing of one that nearly is.
    let legacy = [StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS];
    answer::typed(status(&state, disk::level(&snapshot), legacy), JSON, written(&body))
}

pub(crate) async fn ram(state: Arc<State>, _request: HttpRequest) -> HttpResponse {
    let snapshot = state.vitals().hardware().snapshot().await;
    let body = memory::Body::new(&snapshot, state.monitor().thresholds.ram);
    answer::typed(status(&state, snapshot.memory.level, LEGACY), JSON, written(&body))
}

pub(crate) async fn cpu(state: Arc<State>, _request: HttpRequest) -> HttpResponse {
    let snapshot = state.vitals().hardware().snapshot().await;
    answer::text(status(&state, snapshot.cpu.level, LEGACY), load::line(&snapshot.cpu))
}

pub(crate) async fn cpu_info(state: Arc<State>, _request: HttpRequest) -> HttpResponse {
    let snapshot = state.vitals().hardware().snapshot().await;
    let body = load::Body::new(&snapshot, &state.monitor().thresholds);
    answer::typed(status(&state, snapshot.cpu.level, LEGACY), JSON, written(&body))
}

/// Of all but disks.
const LEGACY: [StatusCode; 3] =
    [StatusCode::OK, StatusCode::TOO_MANY_REQUESTS, StatusCode::INTERNAL_SERVER_ERROR];

/// The status of an answer, or that of bar-counter/monitor where it is configured so.
fn status(state: &State, level: Level, [ok, warning, critical]: [StatusCode; 3]) -> StatusCode {
    match (level, state.monitor().legacy_status_codes) {
        (Level::Ok, true) => ok,
        (Level::Warning, true) => warning,
        (Level::Critical, true) => critical,
        (Level::Critical, false) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    }
}

/// From when on something is wrong (percent).
#[derive(Serialize)]
struct Limits {
    warning: u32,
    critical: u32,
}

impl From<Threshold> for Limits {
    fn from(Threshold { warning, critical, .. }: Threshold) -> Self {
        Limits { warning, critical }
    }
}

/// Space of a disk or of memory as gin users know it, and exactly.
#[derive(Default, Serialize)]
struct Space {
    #[serde(skip_serializing_if = "Option::is_none")]
    used_mb: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_gb: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_mb: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_gb: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_percent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_percent_exact: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    available_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_bytes: Option<u64>,
}

impl Space {
    fn new(used: Option<u64>, available: Option<u64>, total: Option<u64>, percent: Option<f64>) -> Self {
        let [megabytes, gigabytes] = [20, 30].map(|bits| move |bytes: u64| bytes >> bits);
        Space {
            used_mb: used.map(megabytes),
            used_gb: used.map(gigabytes),
            total_mb: total.map(megabytes),
            total_gb: total.map(gigabytes),
            used_percent: percent.map(|percent| percent as u64),
            used_percent_exact: percent.map(hundredths),
            used_bytes: used,
            available_bytes: available,
            total_bytes: total,
        }
    }
}

/// Finer than this is noise.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn written(body: &impl Serialize) -> String {
    // Maps with keys of text and finite numbers can always be written.
    serde_json::to_string(body).unwrap_or_default()
}
