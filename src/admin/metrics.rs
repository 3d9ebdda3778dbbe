//! `/metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, header};

use super::Admin;
use super::memory::resident;
use crate::metrics::Page;

/// The page, with the gauges as they are at this moment.
pub(super) async fn metrics(
    State(admin): State<Arc<Admin>>,
) -> ([(HeaderName, &'static str); 1], String) {
    let (gauges, usage) = (admin.ingest.gauges(), admin.store.usage());
    let room = admin.room.status();
    for (gauge, value) in [
        (&gauges.staged_events, usage.staged_rows),
        (&gauges.staged_bytes, usage.staged_bytes),
        (&gauges.segments, usage.segments),
        (&gauges.segment_bytes, usage.segment_bytes),
        (&gauges.segment_events, usage.segment_rows),
        (&gauges.quarantined_segments, usage.quarantined_segments),
        (&gauges.disk_free, room.space.free),
        (&gauges.disk_total, room.space.total),
        (&gauges.disk_floor, room.floor),
        (&gauges.disk_full, u64::from(room.held.is_some())),
        (&gauges.reopened, room.reopened),
        (&gauges.missing_batches, admin.store.missing_batches()),
        (&gauges.resident, resident().unwrap_or_default()),
    ] {
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    }
    gauges.uptime.set(admin.started.elapsed().as_secs_f64());
    ([(header::CONTENT_TYPE, Page::MEDIA_TYPE)], admin.page.text())
}
