//! Reads the configuration again, and makes of the daemon what it says: all of it or nothing.
//!
//! ```text
//!  read ─▶ check ─▶ bind what is new ─▶ record ─▶ swap ─▶ tell
//!  └────────────── any reason not to ──────────┘
//! ```
//!
//! Up to the record nothing has changed but that some sockets are open which nobody reads. A
//! listener whose settings change keeps its socket where its address is the same; one that is as it
//! was is not touched.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::build::{Parts, Watched, described, trust};
use super::certificates::{Watch, keep};
use super::listening::Listening;
use super::logging::Level;
use super::run::Keeping;
use crate::audit::{Act, Audit, Who};
use crate::config::{Changes, Config, Connections, Reader};
use crate::ingest::{Ingest, now};
use crate::net::{self, Door, Inherited, ListenerConfig, Next, Serving, Where};

/// The configuration as it is in force, and what of it can be changed.
pub(super) struct Reloader {
    reader: Reader,
    config: Config,
    served: Vec<Serving>,
    watched: Watched,
    level: Level,
    listening: Option<Listening>,
    certificates: Watch,
    ingest: Arc<Ingest>,
    audit: Arc<Audit>,
    serving: Where,
}

/// What a listener is to be, and from which of those that are served.
enum Step {
    Keep(usize),
    Change(usize, Next),
    Open(Box<Door>),
}

impl Reloader {
    /// Serves the listeners of `config`, which is in force.
    pub(super) fn start(
        reader: Reader,
        config: Config,
        parts: &mut Parts,
        level: Level,
        places: Arc<Semaphore>,
        keeping: &Keeping,
    ) -> Self {
        let (stop, tasks) = (keeping.stop.clone(), keeping.tasks.clone());
        let (ingest, last) = (Arc::clone(&parts.ingest), CancellationToken::new());
        let serving = Where { ingest, places, last, stop, tasks };
        let doors = std::mem::take(&mut parts.doors).into_iter();
        let served = doors.map(|door| door.serve(&serving)).collect();
        for door in std::mem::take(&mut parts.leaving) {
            keeping.tasks.spawn(door.leave(serving.clone(), LEAVING));
        }
        let listening = Listening::write(&config.data_dir, &parts.watched.addresses)
            .inspect_err(|error| warn!(%error, "cannot say in the data folder where it listens"));
        for (name, address) in &parts.watched.addresses {
            info!(%name, %address, "listening");
        }
        let gauges = parts.ingest.gauges();
        gauges.config_successful.set(1);
        gauges.config_success_at.set(now().as_micros() / 1_000_000);
        let reloader = Self {
            certificates: Arc::default(),
            reader,
            config,
            served,
            watched: parts.watched.clone(),
            level,
            listening: listening.ok(),
            ingest: Arc::clone(&parts.ingest),
            audit: Arc::clone(&parts.audit),
            serving,
        };
        reloader.watch_certificates();
        let kept = keep(reloader.certificates.clone(), gauges.clone(), keeping.stop.clone());
        keeping.spawn("certificates", kept);
        reloader
    }

    /// Ends the reading of all sockets, and keeps these open.
    pub(super) async fn hand_over(self) -> Vec<OwnedFd> {
        let handed = self.served.into_iter().map(Serving::hand_over);
        futures_util::future::join_all(handed).await.into_iter().flatten().collect()
    }

    /// Says that nobody reads the sockets afterwards: when it ends, who waits there is taken.
    pub(super) fn is_last(&self) {
        self.serving.last.cancel();
    }

    /// A listener whose socket nobody reads any longer, though nobody told it to end.
    pub(super) fn ended(&self) -> Option<String> {
        let ended = self.served.iter().find(|serving| serving.has_ended())?;
        Some(ended.config().name.clone())
    }

    fn watch_certificates(&self) {
        *self.certificates.lock() = self.served.iter().filter_map(Serving::certificates).collect();
    }

    /// The configuration that is in force.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Reads the configuration again, because `who` wants it.
    ///
    /// # Errors
    ///
    /// Every reason why nothing was changed.
    pub(super) async fn reload(&mut self, who: Who) -> Result<Changes, Vec<String>> {
        let done = self.attempt(who).await;
        let gauges = self.ingest.gauges();
        gauges.config_successful.set(done.is_ok().into());
        match &done {
            Ok(changes) => {
                gauges.config_success_at.set(now().as_micros() / 1_000_000);
                tell(changes);
            }
            Err(reasons) => {
                for reason in reasons {
                    warn!(%reason, "the configuration cannot be taken: nothing is changed");
                }
            }
        }
        done
    }

    /// Whether another start would find a configuration that makes sense; says why not.
    pub(super) async fn may_restart(&self) -> bool {
        let reasons = self.read().await.err().unwrap_or_default();
        for reason in &reasons {
            warn!(%reason, "the configuration cannot be started with: it goes on as it is");
        }
        reasons.is_empty()
    }

    /// The configuration as it is on disk.
    async fn read(&self) -> Result<Config, Vec<String>> {
        let reader = self.reader.clone();
        let read = spawn_blocking(move || reader.read()).await.map_err(one)?;
        read.map_err(|errors| errors.problems().map(ToString::to_string).collect())
    }

    async fn attempt(&mut self, who: Who) -> Result<Changes, Vec<String>> {
        let new = self.read().await?;
        let changes = Changes::between(&self.config, &new);
        let steps = self.plan(&new).await?;
        if changes.is_idle() {
            return Ok(changes);
        }
        let (audit, told) = (Arc::clone(&self.audit), json!(changes));
        let act = Act::new("config.reloaded", "configuration").new_value(told);
        let recorded = spawn_blocking(move || audit.record(who, act)).await.map_err(one)?;
        recorded.map_err(|error| vec![format!("cannot be recorded: {error}")])?;
        self.take(new, steps).await;
        Ok(changes)
    }

    /// What each listener is to be; opens the sockets of those that are new.
    async fn plan(&self, new: &Config) -> Result<Vec<Step>, Vec<String>> {
        // The budget is as it was at the start: who asks for more than all of it would wait for ever.
        let mut reasons = new.larger_than(self.ingest.memory().size() as u64);
        let (ingest, gate) = (Arc::clone(&self.ingest), new.gate.clone());
        let tried = spawn_blocking(move || ingest.gate().try_config(&gate)).await;
        if let Err(error) = tried.map_err(one)? {
            reasons.push(error.to_string());
        }
        let mut steps = Vec::new();
        let own: Vec<_> = self.served.iter().filter_map(Serving::address).cloned().collect();
        for (listener, from) in new.listener.iter().zip(self.sources(&new.listener)) {
            let config = Arc::new(listener.clone());
            let known = from.and_then(|at| self.served.get(at));
            if let Some((at, old)) = from.zip(known).filter(|(_, old)| *old.config() == *config) {
                let checked = old.certificates().map_or(Ok(()), |files| files.check());
                match checked {
                    Ok(()) => steps.push(Step::Keep(at)),
                    Err(error) => reasons.push(error.to_string()),
                }
                continue;
            }
            let described = Arc::new(described(listener, self.ingest.ledger()));
            let step = match from {
                Some(at) => Next::new(config, described).map(|next| Step::Change(at, next)),
                None => net::bind(config, described, &mut Inherited::default(), &own)
                    .map(|door| Step::Open(Box::new(door))),
            };
            match step {
                Ok(step) => steps.push(step),
                Err(error) => reasons.push(error.to_string()),
            }
        }
        if reasons.is_empty() { Ok(steps) } else { Err(reasons) }
    }

    /// Whose socket each listener takes over, by its place among those that are served: that of the
    /// listener of its name, or else of one that gives up the same address.
    fn sources(&self, listeners: &[ListenerConfig]) -> Vec<Option<usize>> {
        let fits = |listener: &ListenerConfig, by_name: bool, taken: &BTreeSet<usize>| {
            self.served.iter().enumerate().position(|(at, old)| {
                let same = match by_name {
                    true => old.config().name == listener.name,
                    false => listener.has_fixed_address(),
                };
                same && old.fits(listener) && !taken.contains(&at)
            })
        };
        let mut taken = BTreeSet::new();
        let mut from: Vec<_> = Vec::new();
        for by_name in [true, false] {
            for (number, listener) in listeners.iter().enumerate() {
                let known = from.get(number).copied().flatten();
                let found = known.or_else(|| fits(listener, by_name, &taken));
                taken.extend(found);
                match from.get_mut(number) {
                    Some(slot) => *slot = found,
                    None => from.push(found),
                }
            }
        }
        from
    }

    /// Makes it so. What can fail has been tried.
    async fn take(&mut self, new: Config, steps: Vec<Step>) {
        let mut old: Vec<_> = std::mem::take(&mut self.served).into_iter().map(Some).collect();
        let mut of = |at: usize| old.get_mut(at).and_then(Option::take);
        let ingest = &self.ingest;
        for (step, config) in steps.into_iter().zip(&new.listener) {
            let serving = match step {
                Step::Keep(at) => of(at),
                Step::Open(door) => {
                    self.watched.door(ingest.gauges(), &door);
                    Some(door.serve(&self.serving))
                }
                Step::Change(at, next) => match of(at) {
                    None => None,
                    Some(serving) => {
                        self.watched.rename(&serving.config().name, config);
                        let next = serving.become_next(next, &self.serving).await;
                        next.inspect_err(|error| {
                            error!(name = %config.name, %error, "a listener had ended in a panic");
                        })
                        .ok()
                        .flatten()
                    }
                },
            };
            self.served.extend(serving);
        }
        for gone in old.into_iter().flatten() {
            self.watched.forget(&gone.config().name, &new.listener);
            gone.end().await;
        }
        trust(ingest.gate(), &new);
        let (ingest, gate) = (Arc::clone(ingest), new.gate.clone());
        let taken = spawn_blocking(move || ingest.gate().take_config(&gate, now())).await;
        if let Ok(Err(error)) = taken {
            error!(%error, "the gate goes on with the configuration that it had");
        }
        if let Err(error) = self.level.set(&new.log.level) {
            error!(%error, "the level of the log stays");
        }
        let before = self.config.connections_within_memory();
        self.config.take_live(new);
        tell_of_fewer(before, self.config.connections_within_memory());
        self.watch_certificates();
        if let Some(listening) = &self.listening
            && let Err(error) = listening.again(&self.watched.addresses)
        {
            warn!(%error, "cannot say in the data folder where it listens");
        }
    }
}

fn tell(changes: &Changes) {
    let Changes { listeners, settings, needs_restart } = changes;
    let changed: Vec<_> = listeners.changed.keys().collect();
    info!(
        added = ?listeners.added,
        removed = ?listeners.removed,
        ?changed,
        ?settings,
        "the configuration was read again"
    );
    if !needs_restart.is_empty() {
        warn!(?needs_restart, "what these settings say counts after a restart");
    }
}

/// Says where there is memory for fewer connections than were let in at the start.
fn tell_of_fewer(before: Option<Connections>, then: Option<Connections>) {
    let fewer = |then: &Connections| before.is_none_or(|before| then.senders < before.senders);
    if let Some(Connections { senders, .. }) = then.filter(fewer) {
        warn!(senders, "there is memory for so many connections, and no more after a restart");
    }
}

/// How long a socket is read whose listener is elsewhere by now: what waits there is there at once.
const LEAVING: Duration = Duration::from_millis(200);

fn one(error: impl ToString) -> Vec<String> {
    vec![error.to_string()]
}
