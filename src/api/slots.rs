//! Bounds on what runs at the same time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::config::Config;
use super::problem::Problem;

/// Places for queries, live tails and the checking of passwords.
#[derive(Debug)]
pub(super) struct Slots {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    tails: Arc<Semaphore>,
    checks: Arc<Semaphore>,
    waiting_checks: Arc<Semaphore>,
    patience: Duration,
}

impl Slots {
    pub(super) fn new(config: &Config, max_checks: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(config.max_concurrent_queries)),
            waiting: Arc::new(Semaphore::new(WAITING * config.max_concurrent_queries)),
            tails: Arc::new(Semaphore::new(config.max_tails)),
            checks: Arc::new(Semaphore::new(max_checks)),
            waiting_checks: Arc::new(Semaphore::new(WAITING_CHECKS * max_checks)),
            patience: config.query_timeout,
        }
    }

    /// Waits for a place among those that run, if there is one among those that wait.
    pub(super) async fn query(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let busy = || Problem::busy("queries");
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let place = timeout(self.patience, Arc::clone(&self.running).acquire_owned()).await;
        place.map_err(|_| busy())?.map_err(|_| busy())
    }

    /// Waits for a place to check or hash a password, if there is one among those that wait.
    pub(super) async fn check(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let busy = || Problem::busy("sign-ins");
        let _waiting = self.waiting_checks.try_acquire().map_err(|_| busy())?;
        let place = timeout(self.patience, Arc::clone(&self.checks).acquire_owned()).await;
        place.map_err(|_| busy())?.map_err(|_| busy())
    }

    /// A place for a tail, for as long as it lasts.
    pub(super) fn tail(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.tails).try_acquire_owned().map_err(|_| Problem::busy("live tails"))
    }

    /// A turn of a tail, which has its place already.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.running).acquire_owned().await.ok()
    }
}

/// For each password that may be checked, how many may wait: less than a second's worth.
const WAITING_CHECKS: usize = 16;

/// For each query that may run, how many may wait.
const WAITING: usize = 4;
