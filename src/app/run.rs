//! Runs the daemon from a checked configuration to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};
use sd_notify::NotifyState;
use serde_json::json;
use tokio::net::TcpListener;
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
use super::tell::tell;
use super::{http, keys, logging, senders};
use crate::admin::Readiness;
use crate::api::Reload;
use crate::audit::{Act, Audit, Who};
use crate::batch::Room;
use crate::config::{Changes, Config, Reader};
use crate::ingest::Ingest;
use crate::net::Drops;
use crate::ship::Webhooks;

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
    raise_descriptors();
    forbid_dumps();
    let result = runtime.block_on(daemon(reader, config, level, signals));
    runtime.shutdown_timeout(Duration::from_secs(1));
    match result? {
        Ended::Stopped => Ok(()),
        Ended::HandingOver(sockets) => Err(restart?.exec(sockets).into()),
    }
}

async fn daemon(
    reader: Reader,
    config: Config,
    level: Level,
    mut signals: Signals,
) -> Result<Ended, Failure> {
    let readiness = Readiness::default();
    let starting = readiness.hold("starting");
    let mut parts = build(&config).map_err(Failure::Build)?;
    let sockets = http_sockets(&config, &mut parts).await?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let (disk, mut failed) = Disk::start(&parts, &readiness)?;
    let scrubber = Scrubber::start(&parts)?;
    let mut reloads = http::serve_all(&parts, &config, sockets, &readiness, &stop, &tasks);
    let mut reloader = Reloader::start(reader, config, &mut parts, level, &stop, &tasks);
    start_keeping(&mut parts, &stop, &tasks);
    drop(starting);
    notify(&[NotifyState::Ready]);
    let mut is_restart = false;
    let failure = loop {
        tokio::select! {
            order = signals.next() => match order {
                Order::Stop => break None,
                Order::Restart => if reloader.may_restart().await {
                    is_restart = true;
                    break None;
                },
                Order::Reload => drop(reload(&mut reloader, Who::daemon()).await),
            },
            Some(Reload { who, answer }) = reloads.recv() => {
                let done = reload(&mut reloader, who).await;
                // Who asked may have gone.
                let _gone = answer.send(done.map(|changes| json!(changes))).is_err();
            }
            failure = failed.recv() => break failure,
        }
    };
    let _stopping = readiness.hold("stopping");
    tell_of_the_end(is_restart);
    stop.cancel();
    tasks.close();
    let grace = reloader.config().shutdown.grace;
    let sockets = if is_restart { reloader.hand_over().await } else { Vec::new() };
    tokio::select! {
        ended = timeout(grace, tasks.wait()) => if ended.is_err() {
            warn!(tasks = tasks.len(), "connections had not ended in time and were cut");
        },
        () = signals.stop() => warn!("told to stop again: connections are cut"),
    }
    scrubber.stop().await;
    match failure {
        None => {
            close(&parts, disk).await;
            let ended = if is_restart { Ended::HandingOver(sockets) } else { Ended::Stopped };
            failed.try_recv().map_or(Ok(ended), Err)
        }
        Some(failure) => Err(failure),
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

/// Starts what is done again and again.
fn start_keeping(parts: &mut Parts, stop: &CancellationToken, tasks: &TaskTracker) {
    let drops = Arc::clone(&parts.watched.drops);
    tasks.spawn(keep_audit(Arc::clone(&parts.audit), stop.clone()));
    for target in std::mem::take(&mut parts.targets) {
        tasks.spawn(target.run(stop.clone()));
    }
    tasks.spawn(Arc::clone(&parts.webhooks).run(stop.clone()));
    tasks.spawn(Arc::clone(&parts.webhooks).follow(Arc::clone(&parts.audit), stop.clone()));
    let room = Arc::clone(&parts.room);
    let (ingest, audit) = (Arc::clone(&parts.ingest), Arc::clone(&parts.audit));
    tasks.spawn(look_after(ingest, audit, room, drops, stop.clone()));
    tasks.spawn(keys::Keeper::new(parts).run(stop.clone()));
    tasks.spawn(senders::Keeper::new(parts).run(stop.clone()));
    if let Some(lists) = parts.lists.take() {
        tasks.spawn(lists.keep(stop.clone()));
    }
    for list in std::mem::take(&mut parts.list_urls) {
        tasks.spawn(list.keep(stop.clone()));
    }
    let webhooks = Arc::clone(&parts.webhooks);
    tasks.spawn(keep_journals(Arc::clone(&parts.ingest), webhooks, stop.clone()));
}

/// Takes as many descriptors as the system allows: connections are not to take those of the store.
fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    if let Err(error) = raised {
        debug!(%error, "cannot raise the number of descriptors");
    }
}

/// Keeps what is in memory, the keys of connected senders among it, out of core dumps, and from other
/// processes of the same user.
fn forbid_dumps() {
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        warn!(%error, "core dumps of this process may hold keys");
    }
}

/// Opens the sockets of the API and of the admin port.
async fn http_sockets(config: &Config, parts: &mut Parts) -> Result<[TcpListener; 2], Failure> {
    let mut bind = async |name: &str, at| {
        let failed = |error| Failure::Build(format!("[{name}] listen: {at}: {error}").into());
        let socket = TcpListener::bind(at).await.map_err(failed)?;
        parts.watched.addresses.insert(name.to_owned(), socket.local_addr()?.into());
        Ok::<_, Failure>(socket)
    };
    Ok([bind("api", config.api.listen).await?, bind("admin", config.admin.listen).await?])
}

/// What is to be done every second.
async fn look_after(
    ingest: Arc<Ingest>,
    audit: Arc<Audit>,
    room: Arc<Room>,
    drops: Arc<Mutex<Drops>>,
    stop: CancellationToken,
) {
    let (mut watchman, began) = (Watchman::default(), Instant::now());
    let mut second = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = second.tick() => {}
            () = stop.cancelled() => return,
        }
        drops.lock().publish(&ingest.gauges().kernel_dropped);
        let of_the_clock = watchman.clock(crate::ingest::now(), began.elapsed());
        let advisories = [watchman.disk(room.status()), of_the_clock];
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
