//! Go's `MemStats`, of what all parts know.

use otel_vitals_runtime::{MemStats, Pauses};

/// What there is to say now.
pub(crate) fn read(pauses: &Pauses) -> MemStats {
    let mut stats = MemStats::read();
    pauses.fill(&mut stats);
    #[cfg(feature = "profiling")]
    stats.fill_profile_tables(crate::profiling::heap::table_size());
    stats
}
