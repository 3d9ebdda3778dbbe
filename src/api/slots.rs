//! Bounds on what runs at the same time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::config::Config;
use super::held::Turns;
use super::problem::Problem;
use crate::metrics::Queries;

/// Places for queries, live tails and the checking of passwords.
#[derive(Debug)]
pub(super) struct Slots {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    tails: Arc<Semaphore>,
    checks: Arc<Semaphore>,
    waiting_checks: Arc<Semaphore>,
    patience: Duration,
    /// Bytes that a query takes at once.
    at_once: usize,
    metrics: Queries,
}

/// A place among the queries that run. It counts as one that does until it is dropped: whoever works
/// keeps it.
#[derive(Debug)]
pub(super) struct Running {
    _place: OwnedSemaphorePermit,
    began: Instant,
    metrics: Queries,
}

impl Slots {
    /// Places for queries that share so many bytes with senders.
    pub(super) fn new(
        config: &Config,
        max_checks: usize,
        shared: usize,
        metrics: &Queries,
    ) -> Self {
        let Turns { count, at_once } = Turns::of(config.max_concurrent_queries, shared);
        Self {
            metrics: metrics.clone(),
            at_once,
            running: Arc::new(Semaphore::new(count)),
            waiting: Arc::new(Semaphore::new(WAITING * config.max_concurrent_queries)),
            tails: Arc::new(Semaphore::new(config.max_tails)),
            checks: Arc::new(Semaphore::new(max_checks)),
            waiting_checks: Arc::new(Semaphore::new(WAITING_CHECKS * max_checks)),
            patience: config.query_timeout,
        }
    }

    /// Waits for a place among those that run, if there is one among those that wait.
    pub(super) async fn query(&self) -> Result<Running, Problem> {
        let busy = || self.refuse("queries");
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let place = timeout(self.patience, Arc::clone(&self.running).acquire_owned()).await;
        let place = place.map_err(|_| busy())?.map_err(|_| busy())?;
        Ok(Running::begin(place, &self.metrics))
    }

    /// What a query takes at once, in bytes.
    pub(super) const fn at_once(&self) -> usize {
        self.at_once
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
        Arc::clone(&self.tails).try_acquire_owned().map_err(|_| self.refuse("live tails"))
    }

    /// A turn of a tail, which has its place already.
    pub(super) async fn turn(&self) -> Option<Running> {
        let place = Arc::clone(&self.running).acquire_owned().await.ok()?;
        Some(Running::begin(place, &self.metrics))
    }

    fn refuse(&self, what: &str) -> Problem {
        self.metrics.refused.inc();
        Problem::busy(what)
    }
}

impl Running {
    fn begin(place: OwnedSemaphorePermit, metrics: &Queries) -> Self {
        metrics.running.inc();
        Self { _place: place, began: Instant::now(), metrics: metrics.clone() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.metrics.seconds.inc_by(self.began.elapsed().as_secs_f64());
        self.metrics.running.dec();
    }
}

/// For each password that may be checked, how many may wait: less than a second's worth.
const WAITING_CHECKS: usize = 16;

/// For each query that may run, how many may wait.
const WAITING: usize = 4;
