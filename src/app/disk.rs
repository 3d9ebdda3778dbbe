//! The threads that the disk may block, and nothing else.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tracing::{debug, info, warn};

use super::build::Parts;
use super::failure::Failure;
use super::vital::Vital;
use crate::admin::Readiness;
use crate::batch::{Commit, SealerStop, Writing, run_merger, run_sealer, run_writer};
use crate::ingest::now;
use crate::store::Error;

/// The writer, the sealer and the merger.
#[derive(Debug)]
pub(super) struct Disk {
    writer: JoinHandle<()>,
    sealer: JoinHandle<()>,
    sealer_stop: Arc<SealerStop>,
    merger: JoinHandle<()>,
    merger_stop: Arc<SealerStop>,
}

impl Disk {
    /// Starts them. `vital` hears of it when the store fails, or a thread does.
    pub(super) fn start(parts: &Parts, readiness: &Readiness, vital: &Vital) -> io::Result<Self> {
        let writer = {
            let (batcher, store) = (Arc::clone(&parts.batcher), Arc::clone(&parts.store));
            let room = Arc::clone(&parts.room);
            let (ledger, gauges) = (Arc::clone(&parts.ledger), parts.gauges.clone());
            let gate = Arc::clone(parts.ingest.gate());
            // What keys were used for is durable with the events of that use.
            let begin = move || {
                if let Err(error) = gate.ride_usage() {
                    debug!(%error, "cannot put the usage of keys beside a commit");
                }
            };
            let report = move |commit: &Commit<'_>| {
                for (origin, count) in &commit.origins {
                    ledger.settle(&origin.listener, origin.key.as_deref(), *count, commit.stored);
                }
                gauges.commits.inc();
                gauges.commit_seconds.inc_by(commit.took.as_secs_f64());
            };
            let held = of_the_disk(readiness.clone());
            let watch = vital.thread("writer");
            named("writer", move || {
                let writing = Writing { batcher: &batcher, store: &store, room: &room };
                if let Err(error) = run_writer(writing, begin, report, held) {
                    watch.tell(Failure::Store(error));
                }
            })?
        };
        let sealer_stop = Arc::new(SealerStop::default());
        let sealer = {
            let (store, stop) = (Arc::clone(&parts.store), Arc::clone(&sealer_stop));
            let (room, audit) = (Arc::clone(&parts.room), Arc::clone(&parts.audit));
            let trouble = of_sealing(readiness.clone());
            let watch = vital.thread("sealer");
            named("sealer", move || {
                audit.attend(|| run_sealer(&store, &room, &stop, now, trouble));
                drop(watch);
            })?
        };
        let merger_stop = Arc::new(SealerStop::default());
        let merger = {
            let (store, stop) = (Arc::clone(&parts.store), Arc::clone(&merger_stop));
            let (room, audit) = (Arc::clone(&parts.room), Arc::clone(&parts.audit));
            let watch = vital.thread("merger");
            named("merger", move || {
                audit.attend(|| run_merger(&store, &room, &stop));
                drop(watch);
            })?
        };
        Ok(Self { writer, sealer, sealer_stop, merger, merger_stop })
    }

    /// Lets the writer write what is there, then the sealer seal it.
    pub(super) async fn stop(self, parts: &Parts) {
        parts.batcher.stop();
        self.merger_stop.stop();
        join(self.writer).await;
        self.sealer_stop.stop();
        join(self.sealer).await;
        join(self.merger).await;
    }
}

/// Keeps the daemon from being called ready while nothing is written.
fn of_the_disk(readiness: Readiness) -> impl FnMut(Option<&'static str>) {
    let mut latch = None;
    move |why: Option<&'static str>| {
        drop(latch.take());
        latch = why.map(|why| readiness.hold(why));
    }
}

/// Keeps the daemon from being called ready while what is staged cannot be sealed.
fn of_sealing(readiness: Readiness) -> impl FnMut(Option<&Error>) {
    let mut held = None;
    move |error| match (error, &held) {
        (Some(error), None) => {
            warn!(%error, "cannot seal; what is staged stays so, and it is tried again");
            held = Some(readiness.hold("what is staged cannot be sealed"));
        }
        (None, Some(_)) => {
            info!("sealing again");
            held = None;
        }
        _ => {}
    }
}

/// Waits for a thread; one that panicked has told so already.
async fn join(thread: JoinHandle<()>) {
    let _told = tokio::task::spawn_blocking(move || thread.join()).await.is_ok();
}

fn named(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(body)
}
