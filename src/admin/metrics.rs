//! `/metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, header};

use super::Admin;
use super::memory::resident;
use crate::metrics::Page;
use crate::time::SECOND;

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
    of_senders(&admin);
    gauges.uptime.set(admin.started.elapsed().as_secs_f64());
    ([(header::CONTENT_TYPE, Page::MEDIA_TYPE)], admin.page.text())
}

/// Shows who is known and who is overdue; keys apart, as far as the ledger tells them apart.
fn of_senders(admin: &Admin) {
    let (gauges, counts) = (&admin.ingest.gauges().senders, admin.ingest.senders().counts());
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    gauges.known.set(number(counts.known));
    gauges.overdue.set(number(counts.overdue));
    let untold = &gauges.untold;
    untold.inc_by(counts.untold.saturating_sub(untold.get()));
    for (listener, found) in &counts.missing {
        for (counter, count) in
            [(&gauges.sequence_gaps, found.gaps), (&gauges.sequence_missing, found.missing)]
        {
            let counter = counter.with_label_values(&[&**listener]);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }
    gauges.key_overdue.reset();
    gauges.key_last_seen.reset();
    for (key, _) in admin.ingest.ledger().keys() {
        let Some((overdue, last_seen)) = counts.by_key.get(&*key) else { continue };
        gauges.key_overdue.with_label_values(&[&*key]).set(number(*overdue));
        let seconds = last_seen.as_micros().div_euclid(SECOND);
        gauges.key_last_seen.with_label_values(&[&*key]).set(seconds);
    }
}
