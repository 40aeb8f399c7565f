//! The three probes, as `application/health+json` (draft-inadarei-api-health-check-06).
//!
//! `version`, `releaseId` and `serviceId` are what the configuration says of the service, and absent when it says nothing. Beyond
//! the draft, a check tells its `kind` and whether it is `critical`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use otel_vitals::ServiceConfig;
use otel_vitals::health::{CheckReport, ObservedValue, Probe, Report, Status};
use serde::Serialize;
use std::collections::BTreeMap;

use crate::answer;
use crate::state::State;

const HEALTH: &str = "application/health+json";

/// What `probe` says now, from what the checks have said last.
pub(crate) fn answer(state: &State, probe: Probe) -> HttpResponse {
    let vitals = state.vitals();
    let report = vitals.health().report(probe);
    let status = match report.status {
        Status::Fail => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    let body = Body::new(&report, &vitals.config().service);
    // Maps with keys of text can always be written, and of a number that JSON does not have serde makes null.
    answer::typed(status, HEALTH, serde_json::to_string(&body).unwrap_or_default())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_id: Option<&'a str>,
    /// Why it is not `pass`.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// By `component:measurement`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    checks: BTreeMap<String, Vec<CheckBody<'a>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CheckBody<'a> {
    component_id: &'a str,
    component_type: &'static str,
    kind: &'static str,
    critical: bool,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_value: Option<Value<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Integer(i64),
    Float(f64),
    Text(&'a str),
}

impl<'a> Body<'a> {
    fn new(report: &'a Report, service: &'a ServiceConfig) -> Self {
        let mut checks: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for check in &report.checks {
            checks.entry(key(check)).or_default().push(CheckBody::new(check));
        }
        Body {
            status: report.status.as_str(),
            version: service.version.as_deref(),
            release_id: service.version.as_deref(),
            service_id: service.name.as_deref(),
            output: (!report.reasons.is_empty()).then(|| report.reasons.join("; ")),
            checks,
        }
    }
}

/// A check that measures nothing of its own is measured by how long it took.
fn key(check: &CheckReport) -> String {
    let measurement =
        check.observed.as_ref().map_or("responseTime", |observed| observed.measurement.as_str());
    format!("{}:{measurement}", check.name)
}

impl<'a> CheckBody<'a> {
    fn new(check: &'a CheckReport) -> Self {
        let (observed_value, observed_unit) = match &check.observed {
            Some(observed) => (value(&observed.value), Some(observed.unit.as_str())),
            None => match check.duration {
                Some(took) => (Some(Value::Float(took.as_micros() as f64 / 1e3)), Some("ms")),
                None => (None, None),
            },
        };
        CheckBody {
            component_id: &check.name,
            component_type: check.component_type.as_str(),
            kind: check.kind.as_str(),
            critical: check.critical,
            status: check.status.as_str(),
            observed_value,
            observed_unit: observed_unit.filter(|unit| !unit.is_empty()),
            time: check.time.map(answer::time),
            output: check.output.as_deref(),
        }
    }
}

/// None of what a later version may observe.
fn value(observed: &ObservedValue) -> Option<Value<'_>> {
    match observed {
        ObservedValue::Integer(value) => Some(Value::Integer(*value)),
        ObservedValue::Float(value) => Some(Value::Float(*value)),
        ObservedValue::Text(text) => Some(Value::Text(text)),
        _ => None,
    }
}
