//! Makes the parts.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use tokio::net::TcpListener;

use super::list_urls::ListUrl;
use super::listening::Listening;
use super::lists::ListFiles;
use crate::audit::{Act, Audit, Who};
use crate::batch::{Batcher, Room};
use crate::config::Config;
use crate::db::{self, Db, Space};
use crate::gate::{Gate, LIMIT_RULES, Reason};
use crate::ingest::{Format, Ingest, Listener, now};
use crate::journal::{Journal, Which};
use crate::memory::{Budget, By};
use crate::metrics::{Gauges, Ledger, Page};
use crate::net::{self, Door, Drops, Inherited, Listen, ListenerConfig, Transport};
use crate::people::People;
use crate::query::CursorKey;
use crate::senders::Senders;
use crate::ship::{ForwardConfig, Outbound, Target, Webhooks};
use crate::store::{Answered, Store};

/// The parts, ready to run.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) store: Arc<Store>,
    pub(super) audit: Arc<Audit>,
    pub(super) people: Arc<People>,
    pub(super) batcher: Arc<Batcher>,
    pub(super) room: Arc<Room>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) ingest: Arc<Ingest>,
    pub(super) lists: Option<ListFiles>,
    pub(super) list_urls: Vec<ListUrl>,
    pub(super) page: Page,
    pub(super) gauges: Gauges,
    pub(super) doors: Vec<Door>,
    /// Sockets of the daemon before at addresses that are no longer listened at.
    pub(super) leaving: Vec<Door>,
    pub(super) watched: Watched,
    /// The sockets of the API and of the admin port.
    pub(super) calls: Option<[TcpListener; 2]>,
    /// The listener that calls of `POST /v1/logs/ingest` are booked under.
    pub(super) http: Arc<Listener>,
    /// What cursors of queries are signed with.
    pub(super) cursor_key: CursorKey,
    pub(super) webhooks: Arc<Webhooks>,
    /// Where journals are forwarded to.
    pub(super) targets: Vec<Target>,
}

/// Opens the store and the sockets of senders; must be called inside a tokio runtime.
///
/// # Errors
///
/// The text says which part, and why.
pub(super) fn build(config: &Config) -> Result<Parts, Box<dyn std::error::Error + Send + Sync>> {
    let db = Arc::new(open(config)?);
    let store = Arc::new(Store::open(Arc::clone(&db), config.store.clone())?);
    let cursor_key = cursor_key(&db)?;
    let audit = Audit::open(Arc::clone(&db), config.audit.clone(), now)?;
    let journal = Arc::new(Journal::open(Arc::clone(&db))?);
    let gate = Arc::new(Gate::open(&config.gate, Arc::clone(&db), now())?);
    let people = Arc::new(People::open(config.people.clone(), Arc::clone(&db), now())?);
    let senders = Arc::new(Senders::open(db, config.senders.clone(), seed()?)?);
    let mut lists = read_lists(config, &gate);
    print_bootstrap_key(&gate, &audit, &config.data_dir)?;
    let ledger = Arc::new(Ledger::new(&REASONS, config.metrics.max_keys));
    let (page, gauges) = Page::new(Arc::clone(&ledger))?;
    start_limits(&gauges);
    let outbound = outbound(config)?;
    let list_urls = lists.urls(&outbound);
    let webhooks = webhooks(config, outbound, &store, &gauges)?;
    let targets = targets(config, &store, &audit, &gauges)?;
    let batcher = Arc::new(Batcher::new(&config.batch));
    let room = Arc::new(Room::new(&config.data_dir, &config.store.disk));
    let ingest = Ingest::new(
        Arc::clone(&gate),
        Arc::clone(&batcher),
        Arc::clone(&ledger),
        journal,
        gauges.clone(),
    );
    let Opened { doors, leaving, watched, calls } = bind_all(config, &ledger, &gauges)?;
    for journal in Which::ALL {
        gauges.journal_noted.with_label_values(&[journal.as_str()]).reset();
    }
    let http = Arc::new(of_calls(config, &ledger));
    ingest.remember(&store.identities()?);
    expect_again(&store, &ingest);
    let ingest = Arc::new(ingest.heard_by(senders).within(memory(config, &gauges)));
    Ok(Parts {
        store,
        audit,
        people,
        batcher,
        room,
        ledger,
        ingest,
        lists: Some(lists),
        list_urls,
        page,
        gauges,
        doors,
        leaving,
        watched,
        calls: Some(calls),
        http,
        cursor_key,
        webhooks,
        targets,
    })
}

/// Lets it be known what was stored and may come again; without it, it would come twice.
fn expect_again(store: &Store, ingest: &Ingest) {
    let known = store.receipt_seed().and_then(|seed| Ok((seed, store.receipts()?)));
    match known {
        Ok((seed, lefts)) => {
            let answered = Answered::open(store.db().path());
            let answered = answered.inspect_err(|error| {
                tracing::warn!(%error, "it is not written down how much was answered");
            });
            ingest.expect_again(seed, lefts, answered.ok());
        }
        Err(error) => tracing::warn!(%error, "what senders send again is stored twice"),
    }
}

/// What is kept of open sockets: where they are, and what the kernel drops of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched {
    pub(super) addresses: BTreeMap<String, Listen>,
    pub(super) drops: Arc<Mutex<Drops>>,
}

impl Watched {
    /// Begins with a socket, and its series.
    pub(super) fn door(&mut self, gauges: &Gauges, door: &Door) {
        if let Ok(address) = door.address() {
            self.addresses.insert(door.name().to_owned(), address);
        }
        start_series(gauges, door);
        if let Some(inode) = door.datagram_inode() {
            self.drops.lock().watch(inode, door.name());
        }
    }

    /// Goes on with a socket under the name of `new`.
    pub(super) fn rename(&mut self, old: &str, new: &ListenerConfig) {
        if old != new.name
            && let Some(address) = self.addresses.remove(old)
        {
            self.addresses.insert(new.name.clone(), address);
            self.drops.lock().rename(old, &new.name);
        }
    }

    /// Forgets a socket that was not taken over by a listener of the same name.
    pub(super) fn forget(&mut self, name: &str, left: &[ListenerConfig]) {
        if left.iter().all(|listener| listener.name != name) {
            self.addresses.remove(name);
            self.drops.lock().forget(name);
        }
    }
}

/// All sockets.
struct Opened {
    doors: Vec<Door>,
    leaving: Vec<Door>,
    watched: Watched,
    calls: [TcpListener; 2],
}

/// Opens the sockets, or says of all of them why not.
fn bind_all(
    config: &Config,
    ledger: &Ledger,
    gauges: &Gauges,
) -> Result<Opened, Box<dyn std::error::Error + Send + Sync>> {
    let (mut doors, mut watched) = (Vec::new(), Watched::default());
    let mut inherited = Inherited::take()?;
    let mut problems = Vec::new();
    for listener in &config.listener {
        let described = Arc::new(described(listener, ledger));
        let own = inherited.addresses();
        match net::bind(Arc::new(listener.clone()), described, &mut inherited, &own) {
            Ok(door) => {
                watched.door(gauges, &door);
                doors.push(door);
            }
            Err(error) => problems.push(error.to_string()),
        }
    }
    let mut of_calls = Vec::new();
    for (name, at) in [("api", config.api.listen), ("admin", config.admin.listen)] {
        match net::bind_calls(name, at, &mut inherited) {
            Ok(socket) => {
                watched.addresses.insert(name.to_owned(), socket.local_addr()?.into());
                of_calls.push(socket);
            }
            Err(error) => problems.push(error.to_string()),
        }
    }
    let leaving = doors.iter().filter_map(|door| door.leaving(&mut inherited)).collect();
    inherited.warn_of_unused();
    match <[TcpListener; 2]>::try_from(of_calls) {
        Ok(calls) if problems.is_empty() => Ok(Opened { doors, leaving, watched, calls }),
        _ => Err(problems.join("\n").into()), // all of them at once
    }
}

/// Tells the gate which proxies are trusted, and which projects listeners name.
pub(super) fn trust(gate: &Gate, config: &Config) {
    let proxies = config.listener.iter().filter_map(|listener| listener.proxy.as_ref());
    let proxies = proxies.flat_map(|proxy| &proxy.trusted);
    let of_http = config.listener.iter().flat_map(|listener| &listener.trusted_proxies);
    gate.trust(proxies.chain(of_http).chain(&config.api.trusted_proxies).copied());
    gate.name_projects(config.listener.iter().map(|listener| listener.project.as_str()), now());
}

/// Tells the gate what is not in its own section, and in its files.
fn read_lists(config: &Config, gate: &Arc<Gate>) -> ListFiles {
    trust(gate, config);
    ListFiles::read(Arc::clone(gate), &config.gate, &config.data_dir)
}

/// Opens the store in the data folder; makes one only where that is wanted.
fn open(config: &Config) -> Result<Db, db::Error> {
    if !config.store.create && !Db::is_there(&config.data_dir) {
        return Err(db::Error::NotThere(config.data_dir.clone()));
    }
    let db = Db::open(&config.data_dir, &config.store.engine)?;
    Listening::forget(&config.data_dir);
    if db.is_new() {
        tracing::info!(folder = %config.data_dir.display(), "a new store");
    }
    for doubt in Space::doubts(&config.data_dir) {
        tracing::warn!("{doubt}");
    }
    Ok(db)
}

/// Limits that nobody was over yet begin at zero, as all series do.
fn start_limits(gauges: &Gauges) {
    for rule in LIMIT_RULES {
        for action in ["drop", "pace", "queue", "sample", "would"] {
            gauges.limited.with_label_values(&[rule, action]).reset();
        }
    }
}

/// What senders and readers share of the memory.
fn memory(config: &Config, gauges: &Gauges) -> Arc<Budget> {
    let (shared, metrics) = (config.shared_memory(), gauges.memory.clone());
    let as_i64 = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
    metrics.limit.set(as_i64(config.memory.limit.as_u64()));
    metrics.shared.set(as_i64(shared));
    for by in By::ALL.map(By::as_str) {
        metrics.reserved.with_label_values(&[by]).set(0);
        for counter in [&metrics.waits, &metrics.refused, &metrics.closed] {
            counter.with_label_values(&[by]).reset();
        }
    }
    Arc::new(Budget::new(usize::try_from(shared).unwrap_or(usize::MAX / 2), metrics))
}

/// Where journals are forwarded to.
fn targets(
    config: &Config,
    store: &Arc<Store>,
    audit: &Arc<Audit>,
    gauges: &Gauges,
) -> Result<Vec<Target>, String> {
    let target = |forward: &ForwardConfig| {
        let (store, audit) = (Arc::clone(store), Arc::clone(audit));
        Target::new(forward.clone(), &config.ship, store, audit, gauges.ship.clone())
    };
    config.forward.iter().map(target).collect()
}

/// Who calls others.
fn outbound(config: &Config) -> Result<Outbound, String> {
    Outbound::new(&config.ship).map_err(|error| format!("[ship] ca: {error}"))
}

/// Receivers that are told of events.
fn webhooks(
    config: &Config,
    outbound: Outbound,
    store: &Arc<Store>,
    gauges: &Gauges,
) -> Result<Arc<Webhooks>, Box<dyn std::error::Error + Send + Sync>> {
    let (calls, counts) = (config.ship.webhooks.clone(), gauges.ship.clone());
    Ok(Arc::new(Webhooks::open(Arc::clone(store), outbound, calls, counts)?))
}

/// The listener that calls over HTTP are booked under.
fn of_calls(config: &Config, ledger: &Ledger) -> Listener {
    Listener {
        name: "http".into(),
        protocol: "http/tcp".to_owned(),
        format: Format::Json,
        project: "default".into(),
        environment: config.api.environment,
        // Who calls through a proxy is not on this machine.
        require_key: config.api.requires_key() || !config.api.trusted_proxies.is_empty(),
        takes_pages: config.api.allow_anonymous,
        key: None,
        zone_offset: 0,
        keep_original: false,
        datagrams: false,
        account: ledger.listener("http"),
    }
}

pub(super) fn described(config: &ListenerConfig, ledger: &Ledger) -> Listener {
    let protocol = config.protocol.name();
    let transport = match (config.transport, &config.tls) {
        (Transport::Unix, _) => "unix",
        (Transport::Unixgram, _) => "unixgram",
        (Transport::Udp, _) => "udp",
        (Transport::Tcp, None) => "tcp",
        (Transport::Tcp, Some(_)) => "tls",
    };
    Listener {
        name: config.name.as_str().into(),
        protocol: format!("{protocol}/{transport}"),
        format: config.format(),
        project: config.project.as_str().into(),
        environment: config.environment,
        require_key: config.requires_key(),
        takes_pages: config.allow_anonymous,
        key: config.key.clone(),
        zone_offset: config.zone_offset().unwrap_or(0),
        keep_original: config.keep_original,
        datagrams: config.transport.is_datagrams(),
        account: ledger.listener(&config.name),
    }
}

/// A rate over a series that is not there alerts nobody: all begin at zero.
fn start_series(gauges: &Gauges, door: &Door) {
    let (name, config) = (door.name(), door.config());
    if let Some(granted) = door.receive_buffer() {
        let granted_i64 = i64::try_from(granted).unwrap_or(i64::MAX);
        gauges.receive_buffer.with_label_values(&[name]).set(granted_i64);
        gauges.kernel_dropped.with_label_values(&[name]).reset();
        // Linux doubles what it is asked for, and reports that.
        if (granted as u64) < config.receive_buffer.as_u64() {
            tracing::warn!(
                listener = name,
                granted,
                wanted = config.receive_buffer.as_u64(),
                "the receive buffer is smaller than wanted: raise net.core.rmem_max, or allow CAP_NET_ADMIN"
            );
        }
    } else {
        gauges.connections.with_label_values(&[name]).set(0);
        for (reason, _) in crate::frame::FrameErrors::default().iter() {
            gauges.framing_errors.with_label_values(&[name, reason]).reset();
        }
    }
    if config.tls.is_some() {
        gauges.tls_failures.with_label_values(&[name]).reset();
        gauges.certificate_failures.with_label_values(&[name]).reset();
    }
    gauges.senders.sequence_gaps.with_label_values(&[name]).reset();
    gauges.senders.sequence_missing.with_label_values(&[name]).reset();
    for tag in crate::event::Tag::ALL.into_iter().filter(|tag| tag.is_of_the_message()) {
        gauges.parse_failures.with_label_values(&[name, tag.as_str()]).reset();
    }
}

/// What nobody outside can guess.
fn seed() -> Result<u64, getrandom::Error> {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed)?;
    Ok(u64::from_ne_bytes(seed))
}

/// The secret of this store's cursors; made at the first start, so that they outlive a restart.
fn cursor_key(db: &Db) -> Result<CursorKey, Box<dyn std::error::Error + Send + Sync>> {
    if let Some(Ok(kept)) = db.meta_get(CURSOR_KEY)?.map(<[u8; 32]>::try_from) {
        return Ok(CursorKey(kept));
    }
    let mut new = [0; 32];
    getrandom::fill(&mut new)?;
    db.meta_put(CURSOR_KEY, &new)?;
    Ok(CursorKey(new))
}

/// On a store that has no key yet, makes one for the operator and shows it once.
fn print_bootstrap_key(
    gate: &Gate,
    audit: &Arc<Audit>,
    data_dir: &Path,
) -> Result<(), crate::gate::GateError> {
    let act = Act::new("api_key.created", "");
    if let Some(secret) = audit.change(Who::daemon(), act, || gate.bootstrap(now()))? {
        // A secret belongs on the terminal, and in no log. Where there is none, `logtrace keys create`
        // makes another.
        let shown = writeln!(
            io::stderr(),
            "logtrace: a new store in {}. Its first key, with all rights, is shown only now:\n\n    {}\n",
            data_dir.display(),
            secret.reveal(),
        );
        if let Err(error) = shown {
            tracing::warn!(%error, "the first key of the new store could not be shown");
        }
    }
    Ok(())
}

/// Where the secret of cursors is kept.
const CURSOR_KEY: &[u8] = b"query/cursor_key";

/// Every reason code of the gate.
static REASONS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| Reason::ALL.iter().map(|reason| reason.as_str()).collect());
