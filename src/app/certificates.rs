//! Keeps the certificates of listeners as their files are.
//!
//! What is in the files is looked at, not when they were written: a link that points elsewhere, a
//! file that was replaced and one that was written over are all the same.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::ingest::now;
use crate::metrics::Gauges;
use crate::net::{Certificates, Look};

/// The certificates of all listeners that have some.
pub(super) type Watch = Arc<Mutex<Vec<Certificates>>>;

/// Looks every second, until the stop.
pub(super) async fn keep(watch: Watch, gauges: Gauges, stop: CancellationToken) {
    let mut second = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = second.tick() => {}
            () = stop.cancelled() => return,
        }
        let certificates = watch.lock().clone();
        if certificates.is_empty() {
            continue;
        }
        let gauges = gauges.clone();
        let looked = tokio::task::spawn_blocking(move || {
            certificates.iter().for_each(|one| look(one, &gauges));
        });
        if let Err(error) = looked.await {
            warn!(%error, "cannot look after the certificates");
        }
    }
}

fn look(certificates: &Certificates, gauges: &Gauges) {
    let name = &*certificates.listener;
    match certificates.look(now()) {
        Look::Same => {}
        Look::Swapped => info!(listener = name, "the certificate was read again"),
        Look::Refused(error) => {
            gauges.certificate_failures.with_label_values(&[name]).inc();
            warn!(listener = name, %error, "the certificate cannot be used: the one before stays");
        }
    }
    if let Some(end) = certificates.expires_at() {
        let end = end.as_micros() / 1_000_000;
        gauges.certificate_expires_at.with_label_values(&[name]).set(end);
    }
}
