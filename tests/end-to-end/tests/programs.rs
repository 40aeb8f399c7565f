//! The programs of `src/bin`.

use end_to_end::Launch;

pub(crate) const PLAIN: &str = env!("CARGO_BIN_EXE_plain");
pub(crate) const MULTI_THREAD: &str = env!("CARGO_BIN_EXE_multi_thread");
pub(crate) const CURRENT_THREAD: &str = env!("CARGO_BIN_EXE_current_thread");
pub(crate) const ACTIX: &str = env!("CARGO_BIN_EXE_actix");
pub(crate) const ACTIX_AGAIN: &str = env!("CARGO_BIN_EXE_actix_again");
pub(crate) const OWN_PROVIDER: &str = env!("CARGO_BIN_EXE_own_provider");
pub(crate) const STALLING: &str = env!("CARGO_BIN_EXE_stalling");

/// Every kind of `main`.
pub(crate) const MAINS: [&str; 4] = [PLAIN, MULTI_THREAD, CURRENT_THREAD, ACTIX];

/// The program without a runtime, which exports only when told and reads everything anew for that.
pub(crate) fn told() -> Launch {
    only_told(PLAIN)
}

/// `program`, which exports only when told and reads everything anew for that.
pub(crate) fn only_told(program: &str) -> Launch {
    let launch = Launch::new(program).env("OTEL_METRIC_EXPORT_INTERVAL", "3600000");
    launch.env("VITALS_METRICS_FRESHNESS", "1ms")
}

/// The program without a runtime.
pub(crate) fn plain() -> Launch {
    Launch::new(PLAIN)
}
