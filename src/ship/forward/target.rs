//! One target: reads on, sends, and remembers what was taken.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::call::CallSink;
use super::config::ForwardConfig;
use super::position::{self, Positions};
use super::source::{Batch, Library, Source};
use super::stream::StreamSink;
use crate::metrics::Shipping;
use crate::ship::backoff::Backoff;
use crate::ship::clock::now;
use crate::time::{SECOND, Timestamp};

/// A target that journals are forwarded to.
#[derive(Debug)]
pub struct Target {
    pub(super) config: ForwardConfig,
    pub(super) library: Library,
    pub(super) sink: Sink,
    pub(super) metrics: Shipping,
    /// What it has taken.
    pub(super) taken: Positions,
    /// Attempts that failed since it last took something.
    pub(super) failures: u32,
    /// The time of the oldest entry that was read and not taken.
    pub(super) oldest: Option<Timestamp>,
    /// Entries that are sent at once.
    pub(super) limit: usize,
}

/// What takes entries.
#[derive(Debug)]
pub(super) enum Sink {
    Stream(Box<StreamSink>),
    Call(CallSink),
}

/// What was sent and not yet taken.
#[derive(Debug, Default)]
struct Unconfirmed {
    since: Option<Instant>,
    /// By journal.
    entries: BTreeMap<&'static str, u64>,
}

/// Why a session ended.
#[derive(Debug)]
struct Broken {
    why: String,
    retry_after: Option<Duration>,
}

impl Target {
    /// Forwards until `stop`. What was not taken by then is sent after the next start.
    pub async fn run(mut self, stop: CancellationToken) {
        if let Err(error) = self.remember().await {
            warn!(target = self.config.name, error, "cannot tell what was forwarded before");
        }
        while !stop.is_cancelled() {
            let session = self.session(&stop);
            let Err(broken) = session.await else { return };
            self.failures = self.failures.saturating_add(1);
            let (target, error) = (&self.config.name, &broken.why);
            self.metrics.forward_failures.with_label_values(&[target]).inc();
            match self.failures {
                1 => warn!(target, error, "cannot forward; it is tried again"),
                _ => debug!(target, error, "cannot forward; it is tried again"),
            }
            self.show_lag();
            let wait = BACKOFF.after(self.failures).max(broken.retry_after.unwrap_or_default());
            tokio::select! {
                () = sleep(wait) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Sends what comes, until `stop` or until something breaks: then all that was not taken is
    /// sent again by the next session.
    async fn session(&mut self, stop: &CancellationToken) -> Result<(), Broken> {
        self.sink.reset();
        let mut sources = self.open().await?;
        let mut unconfirmed = Unconfirmed::default();
        let mut sent = self.taken.clone();
        loop {
            let is_last = stop.is_cancelled();
            let (batches, back) = self.read(sources).await?;
            sources = back;
            let mut has_more = false;
            for batch in batches {
                has_more |= batch.has_more;
                self.send(&batch, &mut unconfirmed, stop).await?;
                *sent.entry(batch.journal.to_owned()).or_default() = batch.position;
            }
            if unconfirmed.is_due(&self.sink) || is_last {
                self.confirm(&mut unconfirmed, &sent).await?;
            } else if unconfirmed.since.is_some() && self.sink.is_gone() {
                return Err("the receiver closed the connection".to_owned().into());
            }
            self.show_lag();
            if is_last {
                return Ok(());
            }
            if !has_more {
                tokio::select! {
                    () = sleep(INTERVAL) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }

    async fn send(
        &mut self,
        batch: &Batch,
        unconfirmed: &mut Unconfirmed,
        stop: &CancellationToken,
    ) -> Result<(), Broken> {
        let Some(first) = batch.entries.first() else { return Ok(()) };
        self.oldest = self.oldest.or_else(|| first.time());
        // A receiver that takes nothing does not hold up the end.
        let in_time = async {
            stop.cancelled().await;
            sleep(LAST).await;
        };
        tokio::select! {
            sent = self.sink.send(&batch.entries, &mut self.limit) => sent?,
            () = in_time => return Err("the daemon is stopping".to_owned().into()),
        }
        unconfirmed.since.get_or_insert_with(Instant::now);
        *unconfirmed.entries.entry(batch.journal).or_default() += batch.entries.len() as u64;
        Ok(())
    }

    /// Makes sure that what was sent was taken, and writes that down.
    async fn confirm(
        &mut self,
        unconfirmed: &mut Unconfirmed,
        sent: &Positions,
    ) -> Result<(), Broken> {
        if unconfirmed.since.is_none() {
            return Ok(());
        }
        self.sink.confirm().await?;
        let Unconfirmed { entries, .. } = std::mem::take(unconfirmed);
        for (journal, count) in entries {
            let labels = [self.config.name.as_str(), journal];
            self.metrics.forwarded.with_label_values(&labels).inc_by(count);
        }
        self.oldest = None;
        self.limit = AT_ONCE;
        if std::mem::take(&mut self.failures) > 0 {
            info!(target = self.config.name, "forwarding goes on");
        }
        self.taken.clone_from(sent);
        self.write_down().await;
        Ok(())
    }

    /// Writes down what was taken. On a disk without room it is written with what comes next; until
    /// then a restart would send it again.
    async fn write_down(&self) {
        let (store, name) = (self.library.store.clone(), self.config.name.clone());
        let taken = self.taken.clone();
        let save = spawn_blocking(move || position::save(&store, &name, &taken)).await;
        if let Ok(Err(error)) = save {
            let target = &self.config.name;
            warn!(target, %error, "cannot write down what was forwarded");
        }
    }

    /// Reads what was taken before this start; a journal that is new begins where the
    /// configuration says, and that is written down, so that a restart begins there as well.
    async fn remember(&mut self) -> Result<(), String> {
        let (store, name) = (self.library.store.clone(), self.config.name.clone());
        let loaded = spawn_blocking(move || position::load(&store, &name)).await;
        let loaded = loaded.map_err(|error| error.to_string())?;
        self.taken = loaded.map_err(|error| error.to_string())?;
        self.taken.retain(|journal, _| self.config.journals.contains(journal));
        let sources = self.open().await.map_err(|broken| broken.why)?;
        for (journal, source) in self.config.journals.iter().zip(&sources) {
            self.taken.entry(journal.clone()).or_insert_with(|| source.position());
        }
        self.write_down().await;
        Ok(())
    }

    /// The journals, from where they were taken to; in the order of the configuration.
    async fn open(&self) -> Result<Vec<Source>, Broken> {
        let (library, journals) = (self.library.clone(), self.config.journals.clone());
        let (taken, begin, limit) = (self.taken.clone(), self.config.from, self.limit);
        let open = move || {
            let open = |journal: &String| {
                Source::open(&library, journal, taken.get(journal).copied(), begin, limit)
            };
            journals.iter().map(open).collect::<Result<Vec<_>, _>>()
        };
        let opened = spawn_blocking(open).await.map_err(|error| error.to_string())?;
        Ok(opened?)
    }

    /// What came since, of each.
    async fn read(&self, mut sources: Vec<Source>) -> Result<(Vec<Batch>, Vec<Source>), Broken> {
        let library = self.library.clone();
        let read = move || {
            let batches: Result<Vec<_>, _> =
                sources.iter_mut().map(|source| source.read(&library)).collect();
            batches.map(|batches| (batches, sources))
        };
        let read = spawn_blocking(read).await.map_err(|error| error.to_string())?;
        Ok(read?)
    }

    fn show_lag(&self) {
        let age = self.oldest.map_or(0, |oldest| now().as_micros() - oldest.as_micros());
        let lag = self.metrics.forward_lag.with_label_values(&[&self.config.name]);
        lag.set(age.max(0) / SECOND);
    }

    /// Series that have nothing to say are there all the same, from the start.
    pub(super) fn start_series(&self) {
        let name = self.config.name.as_str();
        self.metrics.forward_failures.with_label_values(&[name]).inc_by(0);
        for journal in &self.config.journals {
            self.metrics.forwarded.with_label_values(&[name, journal]).inc_by(0);
        }
        self.show_lag();
    }
}

impl Sink {
    /// Sends entries; where they are too many at once, fewer are sent the next time.
    async fn send(
        &mut self,
        entries: &[super::entry::Entry],
        limit: &mut usize,
    ) -> Result<(), Broken> {
        match self {
            Self::Stream(sink) => Ok(sink.send(entries).await?),
            Self::Call(sink) => sink.send(entries).await.map_err(|refused| {
                if refused.is_too_large {
                    *limit = (entries.len() / 2).max(1);
                }
                Broken { why: refused.why, retry_after: refused.retry_after }
            }),
        }
    }

    async fn confirm(&mut self) -> Result<(), Broken> {
        match self {
            Self::Stream(sink) => Ok(sink.confirm().await?),
            Self::Call(_) => Ok(()),
        }
    }

    fn is_gone(&mut self) -> bool {
        match self {
            Self::Stream(sink) => sink.is_gone(),
            Self::Call(_) => false,
        }
    }

    fn reset(&mut self) {
        if let Self::Stream(sink) = self {
            sink.reset();
        }
    }
}

impl Unconfirmed {
    /// Whether it is time to make sure that it was taken. An answer to a call has said so already.
    fn is_due(&self, sink: &Sink) -> bool {
        let Some(since) = self.since else { return false };
        let count: u64 = self.entries.values().sum();
        matches!(sink, Sink::Call(_)) || since.elapsed() >= CONFIRM || count >= MAX_UNCONFIRMED
    }
}

impl From<String> for Broken {
    fn from(why: String) -> Self {
        Self { why, retry_after: None }
    }
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        error.to_string().into()
    }
}

/// Entries of a journal that are sent at once.
pub(super) const AT_ONCE: usize = 500;

/// How often is looked whether there is something new.
const INTERVAL: Duration = Duration::from_millis(500);

/// How long what was sent over a stream may go without making sure that it was taken.
const CONFIRM: Duration = Duration::from_secs(2);

/// How many entries may go without; as many may be sent again after a failure.
const MAX_UNCONFIRMED: u64 = 20_000;

/// How long a receiver may take once the daemon stops.
const LAST: Duration = Duration::from_secs(2);

/// The waits after failures.
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(60) };
