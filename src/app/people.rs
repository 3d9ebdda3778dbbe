//! What is done with people while the daemon runs: sessions that are idle or old are removed, and
//! told of.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::ingest::{Ingest, now};
use crate::people::People;

/// Looks after sessions until the stop.
pub(super) async fn keep(people: Arc<People>, ingest: Arc<Ingest>, stop: CancellationToken) {
    let (mut turn, mut has_failed) = (interval(TURN), false);
    loop {
        tokio::select! {
            _ = turn.tick() => {}
            () = stop.cancelled() => return,
        }
        if ingest.is_held() {
            continue; // nothing can be removed on a disk without room; they are over all the same
        }
        let swept = Arc::clone(&people);
        let Ok(swept) = spawn_blocking(move || swept.sweep(now())).await else { return };
        if let Err(error) = &swept
            && !has_failed
        {
            warn!(%error, "cannot remove sessions that are over; it is tried again");
        }
        has_failed = swept.is_err();
        ingest.note_ended(&people);
    }
}

/// How often.
const TURN: Duration = Duration::from_secs(5);
