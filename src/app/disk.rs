//! The threads that the disk may block, and nothing else.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;
use tracing::error;

use super::build::Parts;
use crate::batch::{Commit, SealerStop, run_sealer, run_writer};
use crate::ingest::now;
use crate::store::Error;

/// The writer and the sealer.
#[derive(Debug)]
pub(super) struct Disk {
    writer: JoinHandle<()>,
    sealer: JoinHandle<()>,
    sealer_stop: Arc<SealerStop>,
    stopped: oneshot::Receiver<()>,
}

impl Disk {
    /// Starts both. The receiver hears of it when the store fails.
    pub(super) fn start(parts: &Parts) -> io::Result<(Self, oneshot::Receiver<Error>)> {
        let (tell_failed, failed) = oneshot::channel();
        let (tell_stopped, stopped) = oneshot::channel();
        let writer = {
            let (batcher, store) = (Arc::clone(&parts.batcher), Arc::clone(&parts.store));
            let (ledger, gauges) = (Arc::clone(&parts.ledger), parts.gauges.clone());
            let report = move |commit: &Commit<'_>| {
                for (origin, count) in &commit.origins {
                    ledger.settle(&origin.listener, origin.key.as_deref(), *count, commit.stored);
                }
                gauges.commits.inc();
                gauges.commit_seconds.inc_by(commit.took.as_secs_f64());
            };
            named("writer", move || match run_writer(&batcher, &store, report) {
                Ok(()) => drop(tell_stopped.send(())),
                Err(error) => drop(tell_failed.send(error)),
            })?
        };
        let sealer_stop = Arc::new(SealerStop::default());
        let sealer = {
            let (store, stop) = (Arc::clone(&parts.store), Arc::clone(&sealer_stop));
            named("sealer", move || run_sealer(&store, &stop, now))?
        };
        Ok((Self { writer, sealer, sealer_stop, stopped }, failed))
    }

    /// Lets the writer write what is there, then the sealer seal it.
    pub(super) async fn stop(self, parts: &Parts) -> Result<(), Error> {
        parts.batcher.stop();
        // It ends without a word only when the store failed, which it has logged.
        let _ended = self.stopped.await.is_ok();
        self.sealer_stop.stop();
        let threads = [("writer", self.writer), ("sealer", self.sealer)];
        let joined = tokio::task::spawn_blocking(|| {
            threads.into_iter().for_each(|(name, thread)| {
                if thread.join().is_err() {
                    error!(name, "a thread of the store ended in a panic");
                }
            });
        });
        if joined.await.is_err() {
            error!("cannot wait for the threads of the store");
        }
        Ok(())
    }
}

fn named(
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(body)
}
