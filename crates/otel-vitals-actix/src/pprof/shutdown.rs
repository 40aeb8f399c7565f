//! A profile does not hold up the end of a server.

use otel_vitals::Vitals;
use std::future::pending;
use std::time::Duration;

/// From one look to the next.
const TICK: Duration = Duration::from_millis(200);

/// Is ready when the service begins to end. Never, when it had begun before: whoever asks then wants to see just that.
pub(super) async fn begun(vitals: &Vitals) {
    if vitals.health().is_shutting_down() {
        pending::<()>().await;
    }
    while !vitals.health().is_shutting_down() {
        tokio::time::sleep(TICK).await;
    }
}
