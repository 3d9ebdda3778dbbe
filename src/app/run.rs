//! Runs the daemon from a checked configuration to its end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use parking_lot::Mutex;
use sd_notify::NotifyState;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::advise::Watchman;
use super::build::{Parts, build};
use super::disk::Disk;
use super::failure::Failure;
use super::logging::Level;
use super::reload::Reloader;
use super::restart::{Ended, Restart};
use super::scrub::Scrubber;
use super::signals::{Order, Signals};
use super::surroundings::{Given, look_at_rights};
use super::tell::tell;
use super::vital::Vital;
use super::{http, keys, logging, people, senders};
use crate::admin::Readiness;
use crate::api::Reload;
use crate::audit::{Act, Audit, Who};
use crate::batch::Room;
use crate::config::{Changes, Config, Reader};
use crate::ingest::Ingest;
use crate::net::Drops;
use crate::ship::Webhooks;
use crate::store::Store;

/// Runs the daemon until a signal tells it to stop.
///
/// # Errors
///
/// The configuration makes no sense, it could not start, or the store failed.
pub fn run(reader: Reader) -> Result<(), Failure> {
    let restart = Restart::prepare();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let signals = {
        let _inside = runtime.enter();
        Signals::catch()? // before anything else: those that come early are not lost
    };
    let config = reader.read()?;
    let level = logging::begin(&config.log).map_err(|error| Failure::Build(error.into()))?;
    let given = Given::take();
    let result = runtime.block_on(daemon(reader, config, given, level.clone(), signals));
    runtime.shutdown_timeout(Duration::from_secs(1));
    level.flush();
    match result? {
        Ended::Stopped => Ok(()),
        Ended::HandingOver(sockets) => Err(restart?.exec(sockets).into()),
    }
}

async fn daemon(
    reader: Reader,
    config: Config,
    given: Given,
    level: Level,
    mut signals: Signals,
) -> Result<Ended, Failure> {
    let readiness = Readiness::default();
    let starting = readiness.hold("starting");
    let mut running = Running::start(reader, config, given, level, &readiness)?;
    drop(starting);
    notify(&[NotifyState::Ready]);
    let told = running.until_told(&mut signals).await;
    let _stopping = readiness.hold("stopping");
    running.stop(told, &mut signals).await
}

/// The daemon, from its start to its end.
struct Running {
    parts: Parts,
    disk: Disk,
    scrubber: Scrubber,
    keeping: Keeping,
    reloader: Reloader,
    reloads: mpsc::Receiver<Reload>,
    /// What it cannot live without says here that it ended.
    failed: mpsc::Receiver<Failure>,
    /// The sockets of the API and of the admin port, for the next daemon.
    sockets: Vec<OwnedFd>,
}

/// Why it is to end.
enum Told {
    Stop,
    Restart,
    Failed(Failure),
}

impl Running {
    fn start(
        reader: Reader,
        config: Config,
        given: Given,
        level: Level,
        readiness: &Readiness,
    ) -> Result<Self, Failure> {
        let fitted = given.fit(&config);
        fitted.lowered.iter().for_each(|what| warn!(what, "less than the configuration asks for"));
        let mut parts =
            build(&fitted.config).map_err(|error| Failure::Build(with_advice(error)))?;
        look_at_rights(&config);
        let calls = parts.calls.take().expect("they are opened with the parts");
        let copies = calls.each_ref().map(|socket| socket.as_fd().try_clone_to_owned());
        let sockets = copies.into_iter().collect::<io::Result<Vec<_>>>()?;
        let (vital, failed) = Vital::new();
        let disk = Disk::start(&parts, readiness, &vital)?;
        let scrubber = Scrubber::start(&parts)?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let keeping = Keeping { vital, stop, tasks };
        let reloads = http::serve_all(&parts, &fitted.config, calls, readiness, &keeping);
        let places = Arc::new(Semaphore::new(fitted.connections));
        let reloader = Reloader::start(reader, config, &mut parts, level.clone(), places, &keeping);
        keeping.start(&mut parts, level);
        Ok(Self { parts, disk, scrubber, keeping, reloader, reloads, failed, sockets })
    }

    /// Runs until there is a reason to end.
    async fn until_told(&mut self, signals: &mut Signals) -> Told {
        let Self { reloader, reloads, failed, .. } = self;
        let mut second = interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                order = signals.next() => match order {
                    Order::Stop => return Told::Stop,
                    Order::Restart => if reloader.may_restart().await {
                        return Told::Restart;
                    },
                    Order::Reload => {
                        let reloaded = reload(reloader, Who::daemon());
                        if signals.unless_stopped(reloaded).await.is_none() {
                            return Told::Stop;
                        }
                    }
                },
                Some(Reload { who, answer }) = reloads.recv() => {
                    let Some(done) = signals.unless_stopped(reload(reloader, who)).await else {
                        return Told::Stop;
                    };
                    // Who asked may have gone.
                    let _gone = answer.send(done.map(|changes| json!(changes))).is_err();
                }
                Some(failure) = failed.recv() => return Told::Failed(failure),
                _ = second.tick() => if let Some(name) = reloader.ended() {
                    return Told::Failed(Failure::Listener(name));
                },
            }
        }
    }

    /// Ends what it does, and stores what is left.
    async fn stop(self, told: Told, signals: &mut Signals) -> Result<Ended, Failure> {
        let Self { parts, disk, scrubber, keeping, reloader, mut failed, mut sockets, .. } = self;
        let mut is_restart = matches!(told, Told::Restart);
        tell_of_the_end(is_restart);
        if !is_restart {
            reloader.is_last();
        }
        keeping.stop.cancel();
        keeping.tasks.close();
        let grace = reloader.config().shutdown.grace;
        if is_restart {
            // What has arrived is taken first, and there may be no room for it.
            match signals.unless_stopped(reloader.hand_over()).await {
                Some(handed) => sockets.extend(handed),
                None => {
                    is_restart = false;
                    tell_of_the_end(is_restart);
                }
            }
        }
        if !is_restart {
            sockets.clear(); // so that nobody connects any longer
        }
        tokio::select! {
            ended = timeout(grace, keeping.tasks.wait()) => if ended.is_err() {
                let tasks = keeping.tasks.len();
                warn!(tasks, "connections had not ended in time and were cut");
            },
            () = signals.stop() => {
                warn!("told to stop again: connections are cut");
                is_restart = false;
            }
        }
        scrubber.stop().await;
        if let Told::Failed(failure) = told {
            if failure.leaves_the_store() {
                close(&parts, disk).await;
            }
            return Err(failure);
        }
        close(&parts, disk).await;
        // The next program would not hear of a stop that came meanwhile.
        let is_restart = is_restart && signals.stop().now_or_never().is_none();
        let ended = if is_restart { Ended::HandingOver(sockets) } else { Ended::Stopped };
        failed.try_recv().map_or(Ok(ended), Err)
    }
}

/// Says that it stops, or that it will be there again at once.
fn tell_of_the_end(is_restart: bool) {
    match NotifyState::monotonic_usec_now() {
        Ok(at) if is_restart => notify(&[NotifyState::Reloading, at]),
        _ => notify(&[NotifyState::Stopping]),
    }
    info!(is_restart, "stopping");
}

/// Stores what is left, and signs the record of it.
async fn close(parts: &Parts, disk: Disk) {
    if timeout(JOURNAL, parts.ingest.flush_journal()).await.is_err() {
        warn!("the last notes of the journals found no room and are lost");
    }
    if let Err(error) = parts.ingest.gate().close_requests() {
        debug!(%error, "cannot keep what keys spent of their hour");
    }
    keys::flush(Arc::clone(parts.ingest.gate()), false).await;
    senders::keep(Arc::clone(&parts.ingest)).await;
    disk.stop(parts).await;
    sign_last(Arc::clone(&parts.audit)).await;
}

/// Reads the configuration again, and tells the service manager meanwhile.
async fn reload(reloader: &mut Reloader, who: Who) -> Result<Changes, Vec<String>> {
    if let Ok(at) = NotifyState::monotonic_usec_now() {
        notify(&[NotifyState::Reloading, at]);
    }
    let done = reloader.reload(who).await;
    notify(&[NotifyState::Ready]);
    done
}

/// Where what is done again and again is done.
pub(super) struct Keeping {
    pub(super) vital: Vital,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
}

impl Keeping {
    /// Does `work`, which the daemon must not live on without.
    pub(super) fn spawn(
        &self,
        name: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        self.tasks.spawn(self.vital.task(name, work));
    }

    /// Starts it all.
    fn start(&self, parts: &mut Parts, level: Level) {
        let stop = || self.stop.clone();
        let drops = Arc::clone(&parts.watched.drops);
        self.spawn("audit", keep_audit(Arc::clone(&parts.audit), stop()));
        for target in std::mem::take(&mut parts.targets) {
            self.spawn("forward", target.run(stop()));
        }
        self.spawn("webhooks", Arc::clone(&parts.webhooks).run(stop()));
        let follow = Arc::clone(&parts.webhooks).follow(Arc::clone(&parts.audit), stop());
        self.spawn("changes", follow);
        let room = Arc::clone(&parts.room);
        let (ingest, audit) = (Arc::clone(&parts.ingest), Arc::clone(&parts.audit));
        let looked_after =
            look_after(ingest, audit, room, Arc::clone(&parts.store), drops, level, stop());
        self.spawn("every-second", looked_after);
        self.spawn("keys", keys::Keeper::new(parts).run(stop()));
        let everybody = Arc::clone(&parts.people);
        let kept = people::keep(everybody, Arc::clone(&parts.ingest), stop());
        self.spawn("people", kept);
        self.spawn("senders", senders::Keeper::new(parts).run(stop()));
        if let Some(lists) = parts.lists.take() {
            self.spawn("lists", lists.keep(stop()));
        }
        for list in std::mem::take(&mut parts.list_urls) {
            self.spawn("list-url", list.keep(stop()));
        }
        let webhooks = Arc::clone(&parts.webhooks);
        self.spawn("journals", keep_journals(Arc::clone(&parts.ingest), webhooks, stop()));
    }
}

/// Says what can be done about files of the store that are damaged. A part of it that cannot be read
/// whole is not gone on without: who was blocked would be let in.
fn with_advice(
    error: Box<dyn std::error::Error + Send + Sync>,
) -> Box<dyn std::error::Error + Send + Sync> {
    let text = error.to_string();
    if text.contains("Corruption: ") && !text.contains("logtrace restore") {
        return format!("{text}; restore the store from a backup with `logtrace restore`").into();
    }
    error
}

/// What is to be done every second.
async fn look_after(
    ingest: Arc<Ingest>,
    audit: Arc<Audit>,
    room: Arc<Room>,
    store: Arc<Store>,
    drops: Arc<Mutex<Drops>>,
    level: Level,
    stop: CancellationToken,
) {
    let (mut watchman, began) = (Watchman::default(), Instant::now());
    let mut second = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = second.tick() => {}
            () = stop.cancelled() => return,
        }
        let gauges = ingest.gauges();
        drops.lock().publish(&gauges.kernel_dropped);
        gauges.log_lost.inc_by(level.lost().saturating_sub(gauges.log_lost.get()));
        gauges.panics.inc_by(logging::panics().saturating_sub(gauges.panics.get()));
        let of_the_clock = watchman.clock(crate::ingest::now(), began.elapsed());
        let damage = watchman.damage(store.usage().quarantined_segments);
        let advisories = [watchman.disk(room.status()), of_the_clock, damage];
        advisories.into_iter().flatten().for_each(|advisory| ingest.advise(advisory));
        if ingest.is_held() {
            continue; // nothing can be forgotten on a disk without room
        }
        if let Err(error) = ingest.gate().keep_requests() {
            debug!(%error, "cannot keep what keys spent of their hour");
        }
        let (ingest, audit) = (Arc::clone(&ingest), Arc::clone(&audit));
        let looked = tokio::task::spawn_blocking(move || look_after_lists(&ingest, &audit));
        if let Err(error) = looked.await {
            warn!(%error, "cannot look after the lists");
        }
    }
}

/// Blocks whom automatic rules have found, and forgets what has expired.
fn look_after_lists(ingest: &Ingest, audit: &Arc<Audit>) {
    let act = Act::new("blocklist.added", "");
    if let Err(error) = audit.change(Who::daemon(), act, || ingest.punish()) {
        warn!(%error, "cannot block whom an automatic rule has found");
    }
    if let Err(error) = ingest.gate().sweep(crate::ingest::steady()) {
        warn!(%error, "cannot forget list entries that have expired");
    }
}

/// Stores the journals' notes every second, and tells others. Notes wait where there is no room for
/// them.
async fn keep_journals(ingest: Arc<Ingest>, webhooks: Arc<Webhooks>, stop: CancellationToken) {
    let mut second = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = second.tick() => {}
            () = stop.cancelled() => return,
        }
        tokio::select! {
            () = ingest.flush_journal() => tell(&ingest, &webhooks),
            () = stop.cancelled() => return,
        }
    }
}

/// Signs what is recorded, when it is due.
async fn keep_audit(audit: Arc<Audit>, stop: CancellationToken) {
    let mut second = interval(Duration::from_secs(1));
    let mut has_told = false;
    loop {
        tokio::select! {
            _ = second.tick() => {}
            () = stop.cancelled() => return,
        }
        let own = Arc::clone(&audit);
        match tokio::task::spawn_blocking(move || own.tick()).await {
            Ok(Err(error)) if !has_told => {
                has_told = true;
                warn!(%error, "cannot sign a checkpoint of the audit log; it is tried again");
            }
            Ok(Ok(())) => has_told = false,
            _ => {}
        }
    }
}

/// Signs all that is recorded.
async fn sign_last(audit: Arc<Audit>) {
    let signed = tokio::task::spawn_blocking(move || audit.checkpoint()).await;
    if let Ok(Err(error)) = signed {
        warn!(%error, "the last entries of the audit log are signed after the next start");
    }
}

/// How long the last notes of the journals may wait for room.
const JOURNAL: Duration = Duration::from_secs(2);

/// Tells the service manager, where there is one.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, state) {
        debug!(%error, "cannot tell the service manager");
    }
}
