//! The log: entries in, checkpoints out.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tracing::{error, warn};

use super::AuditError;
use super::config::Config;
use super::details::{of_write, safe};
use super::entry::{Act, Entry, Who};
use super::note::{Checkpoint, PrivateKey, PublicKey};
use super::proof::Nodes;
use super::tree::{Frontier, Hash, Node};
use super::{keyfile, proof, rows};
use crate::db::{self, Db, Family, Recorder, Trouble, Write};
use crate::failpoint;
use crate::time::Timestamp;

/// The record of changes. Shared by all threads.
#[derive(Debug)]
pub struct Audit {
    db: Arc<Db>,
    config: Config,
    clock: fn() -> Timestamp,
    key: PrivateKey,
    /// Held while entries are written: they are in the order in which their changes are.
    state: Mutex<State>,
}

/// Where the log ends.
#[derive(Clone, Debug, Default)]
struct State {
    /// How often the engine had been opened when this was read; `None` if it is to be read.
    opened: Option<u64>,
    log: Frontier,
    /// The hash of the last entry.
    previous: Hash,
    /// Entries under the last checkpoint.
    signed: u64,
    /// Since when there are entries under none.
    unsigned_since: Option<Instant>,
    /// Keys that ever signed; the log says so of each.
    keys: Vec<String>,
}

/// An entry to be.
struct Draft {
    who: Who,
    act: Act,
}

/// Records what is committed while it is in force.
struct Change {
    audit: Arc<Audit>,
    who: Who,
    /// What is done; only what the batch says of itself where there is none.
    act: Option<Act>,
}

impl Audit {
    /// The log of the store in `db`, begun where there is none; makes the private key where there
    /// is none. `clock` tells the time of entries.
    ///
    /// # Errors
    ///
    /// The file of the key cannot be used, or is that of another log.
    pub fn open(
        db: Arc<Db>,
        config: Config,
        clock: fn() -> Timestamp,
    ) -> Result<Arc<Self>, AuditError> {
        let origin = db.get(Family::Audit, rows::ORIGIN)?;
        let origin = origin.map(|origin| String::from_utf8_lossy(&origin).into_owned());
        let key = match keyfile::read(db.path())? {
            Some(key) => key,
            None => {
                let key = draw(origin.clone())?;
                keyfile::write(db.path(), &key)?;
                key
            }
        };
        if let Some(origin) = origin.filter(|origin| origin != key.name()) {
            return Err(AuditError::damaged(
                format!("the key of {origin}"),
                format!("that of {}", key.name()),
            ));
        }
        let audit = Self { db, config, clock, key, state: Mutex::default() };
        audit.begin()?;
        Ok(Arc::new(audit))
    }

    /// Says in the log that it begins, or that its key is another, where it does not say so yet.
    fn begin(&self) -> Result<(), AuditError> {
        match self.append(Vec::new(), None) {
            Ok(_) => Ok(()),
            Err(AuditError::Db(error))
                if error.trouble() == Trouble::Fatal && !error.is_damage() =>
            {
                Err(error.into())
            }
            Err(error) => {
                error!(%error, "the audit log cannot be written: until it can, changes are refused");
                Ok(())
            }
        }
    }

    /// Writes an entry of something that was done, or is about to be. It is durable, and has this
    /// number, when this returns.
    ///
    /// # Errors
    ///
    /// It could not be written: what it tells of is not to be answered.
    pub fn record(&self, who: Who, act: Act) -> Result<u64, AuditError> {
        let act = Act { old: act.old.map(safe), new: act.new.map(safe), ..act };
        Ok(self.append(vec![Draft { who, act }], None)?.start)
    }

    /// An entry of another time.
    #[cfg(test)]
    pub(super) fn record_at(&self, who: Who, act: Act, time: Timestamp) -> Result<(), AuditError> {
        let state = &mut *self.state.lock();
        self.load(state)?;
        let mut write = Write::default();
        state.add(&who, act, time, &mut write);
        Ok(self.db.commit(&write)?)
    }

    /// Makes a change: what `change` commits on this thread and changes `meta`, or has something
    /// said of it, is recorded in the same batch. Old and new values that `act` does not name are
    /// those that are written. A change that commits nothing changed nothing, and has no entry.
    ///
    /// # Errors
    ///
    /// Those of `change`: a change that cannot be recorded fails as one that cannot be written.
    pub fn change<T>(self: &Arc<Self>, who: Who, act: Act, change: impl FnOnce() -> T) -> T {
        Db::recorded(Rc::new(Change { audit: Arc::clone(self), who, act: Some(act) }), change)
    }

    /// Runs what the daemon does of itself, and records what the batches that are committed
    /// meanwhile say of themselves. It is not held up by a log that cannot be written.
    pub fn attend<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        let who = Who::daemon();
        Db::recorded(Rc::new(Change { audit: Arc::clone(self), who, act: None }), work)
    }

    /// Signs a checkpoint if one is due. Called every second or so.
    ///
    /// # Errors
    ///
    /// It could not be written.
    pub fn tick(&self) -> Result<(), AuditError> {
        let due = self.state.lock().unsigned_since;
        if due.is_some_and(|since| since.elapsed() >= self.config.checkpoint_interval) {
            self.checkpoint()?;
        }
        Ok(())
    }

    /// The checkpoint of all entries: signed now, if it was not.
    ///
    /// # Errors
    ///
    /// It could not be read or written.
    pub fn checkpoint(&self) -> Result<String, AuditError> {
        let state = &mut *self.state.lock();
        self.load(state)?;
        let size = state.log.size();
        if size == state.signed
            && let Some(note) = self.db.get(Family::Audit, &rows::checkpoint(size))?
        {
            return Ok(String::from_utf8_lossy(&note).into_owned());
        }
        let note = self.sign(&state.log);
        let mut write = Write::default();
        write.put(Family::Audit, rows::checkpoint(size), note.clone().into_bytes());
        let opened = state.opened.unwrap_or_default();
        let written = self.db.commit_together(opened, &[&write]);
        written.inspect_err(|_| state.opened = None)?;
        (state.signed, state.unsigned_since) = (size, None);
        Ok(note)
    }

    /// Entries.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn size(&self) -> Result<u64, AuditError> {
        let state = &mut *self.state.lock();
        self.load(state)?;
        Ok(state.log.size())
    }

    /// What proves that the log of `old` entries is the beginning of that of `size` entries, no
    /// fewer: see [`is_consistent`](super::is_consistent).
    ///
    /// # Errors
    ///
    /// The log has not so many, or cannot be read.
    pub fn consistency(&self, old: u64, size: u64) -> Result<Vec<Hash>, AuditError> {
        self.expect(size)?;
        self.expect_in(old, size)?;
        proof::consistency(old, size, &mut self.nodes())
    }

    /// What proves that entry `index` is in the log of `size` entries: see
    /// [`root_by_inclusion`](super::root_by_inclusion).
    ///
    /// # Errors
    ///
    /// The log has not so many, or cannot be read.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, AuditError> {
        self.expect(size)?;
        self.expect_in(index + 1, size)?;
        proof::inclusion(index, size, &mut self.nodes())
    }

    fn expect(&self, size: u64) -> Result<(), AuditError> {
        self.expect_in(size, self.size()?)
    }

    fn expect_in(&self, count: u64, size: u64) -> Result<(), AuditError> {
        if count <= size {
            Ok(())
        } else {
            Err(AuditError::damaged(format!("{count} entries"), size))
        }
    }

    /// The public key that checkpoints are signed with.
    pub fn public_key(&self) -> PublicKey {
        self.key.public()
    }

    /// The name of this log.
    pub fn origin(&self) -> &str {
        self.key.name()
    }

    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    fn sign(&self, log: &Frontier) -> String {
        let origin = self.key.name().to_owned();
        self.key.sign(&Checkpoint { origin, size: log.size(), root: log.root() })
    }

    /// Writes entries, in one batch with `with`.
    fn append(
        &self,
        drafts: Vec<Draft>,
        with: Option<&Write<'_>>,
    ) -> Result<Range<u64>, AuditError> {
        let state = &mut *self.state.lock();
        self.append_to(state, &|_| Ok(()), drafts, with)
    }

    fn append_to(
        &self,
        state: &mut State,
        look: &dyn Fn(&mut Vec<Draft>) -> Result<(), db::Error>,
        drafts: Vec<Draft>,
        with: Option<&Write<'_>>,
    ) -> Result<Range<u64>, AuditError> {
        let mut drafts = drafts;
        look(&mut drafts)?;
        self.load(state)?;
        let mut next = state.clone();
        let mut write = Write::default();
        self.say_keys(&mut next, &mut write);
        let begin = next.log.size();
        for Draft { who, act } in drafts {
            next.add(&who, act, (self.clock)(), &mut write);
        }
        let end = next.log.size();
        if end - next.signed >= self.config.checkpoint_entries {
            let note = self.sign(&next.log);
            write.put(Family::Audit, rows::checkpoint(end), note.into_bytes());
            (next.signed, next.unsigned_since) = (end, None);
        }
        let writes: Vec<_> = with.into_iter().chain([&write]).collect();
        if writes.iter().all(|write| write.is_empty()) {
            return Ok(begin..end);
        }
        let opened = next.opened.unwrap_or_default();
        match self.db.commit_together(opened, &writes) {
            Ok(()) => {
                failpoint::reached("audit-committed");
                *state = next;
                Ok(begin..end)
            }
            // It may turn up all the same: what is there is read before more is written.
            Err(error) => {
                state.opened = None;
                Err(error.into())
            }
        }
    }

    /// Adds the key to those that sign, and says so, where the log does not have it.
    fn say_keys(&self, state: &mut State, write: &mut Write<'_>) {
        let key = self.key.public().to_string();
        if state.keys.contains(&key) {
            return;
        }
        write.put(
            Family::Audit,
            rows::public_key(state.keys.len() as u64),
            key.clone().into_bytes(),
        );
        let event = if state.keys.is_empty() { "audit.began" } else { "audit.key_replaced" };
        let mut act = Act::new(event, format!("audit/{}", self.key.name()));
        act.old = state.keys.last().map(|key| json!({"public": key}));
        act.new = Some(json!({"public": key}));
        if state.keys.is_empty() {
            write.put(Family::Audit, rows::ORIGIN, self.key.name().as_bytes().to_owned());
        }
        state.keys.push(key);
        state.add(&Who::daemon(), act, (self.clock)(), write);
    }

    /// Reads where the log ends, unless that is known.
    fn load(&self, state: &mut State) -> Result<(), AuditError> {
        let opened = self.db.opened();
        if state.opened == Some(opened) {
            return Ok(());
        }
        let size = self.last(rows::ENTRY)?.map_or(0, |last| last + 1);
        let log = proof::frontier(size, &mut self.nodes());
        let log = log.or_else(|_: AuditError| self.rebuilt(size))?;
        let previous = match size.checked_sub(1) {
            None => Hash::default(),
            Some(last) => match self.node(Node { level: 0, number: last }) {
                Ok(hash) => hash,
                Err(_) => Hash::of_entry(&self.entry_bytes(last)?.unwrap_or_default()),
            },
        };
        let signed = self.last(rows::CHECKPOINT)?.unwrap_or(0).min(size);
        let unsigned_since = (size > signed).then(Instant::now);
        let keys = self.public_keys()?;
        *state = State { opened: Some(opened), log, previous, signed, unsigned_since, keys };
        Ok(())
    }

    /// The log of its entries alone, where nodes are lost.
    fn rebuilt(&self, size: u64) -> Result<Frontier, AuditError> {
        warn!(
            entries = size,
            "hashes of the audit log cannot be read: they are made anew of its entries"
        );
        let mut log = Frontier::default();
        self.db.scan(Family::Audit, rows::ENTRY, |_, entry| {
            log.push(Hash::of_entry(entry), |_, _| {});
        })?;
        match log.size() == size {
            true => Ok(log),
            false => Err(AuditError::damaged(format!("{size} entries"), log.size())),
        }
    }

    /// The number in the last key that begins so.
    fn last(&self, prefix: &[u8]) -> Result<Option<u64>, db::Error> {
        let mut last = None;
        let end = [prefix, &u64::MAX.to_be_bytes()].concat();
        self.db.scan_back(Family::Audit, prefix, &end, |key, _| {
            last = rows::number(key);
            std::ops::ControlFlow::Break(())
        })?;
        Ok(last)
    }

    pub(super) fn entry_bytes(&self, index: u64) -> Result<Option<Vec<u8>>, db::Error> {
        self.db.get(Family::Audit, &rows::entry(index))
    }

    /// Every public key that ever signed, the first first.
    pub fn public_keys(&self) -> Result<Vec<String>, db::Error> {
        let mut keys = Vec::new();
        self.db.scan(Family::Audit, rows::PUBLIC_KEY, |_, key| {
            keys.push(String::from_utf8_lossy(key).into_owned());
        })?;
        Ok(keys)
    }

    /// The hash of a node that is whole.
    pub(super) fn node(&self, node: Node) -> Result<Hash, AuditError> {
        let found = self.db.get(Family::Audit, &rows::node(node))?.unwrap_or_default();
        let what = || {
            AuditError::damaged(
                format!("a hash of level {} at {}", node.level, node.number),
                format!("{} bytes", found.len()),
            )
        };
        <[u8; 32]>::try_from(&*found).map(Hash).map_err(|_| what())
    }

    pub(super) fn nodes(&self) -> Box<Nodes<'_, AuditError>> {
        Box::new(|node| self.node(node))
    }
}

impl State {
    fn add(&mut self, who: &Who, act: Act, now: Timestamp, write: &mut Write<'_>) {
        let index = self.log.size();
        let entry = Entry::new(index, self.previous, now, who, act);
        let bytes = entry.to_bytes();
        let leaf = Hash::of_entry(&bytes);
        write.put(Family::Audit, rows::entry(index), bytes);
        if Entry::is_of_somebody(&entry.event) {
            write.put(Family::Audit, rows::of_somebody(index), Vec::new());
        }
        self.log.push(leaf, |node, hash| {
            write.put(Family::Audit, rows::node(node), hash.0.to_vec());
        });
        self.previous = leaf;
        self.unsigned_since.get_or_insert_with(Instant::now);
    }
}

impl Change {
    /// What is to be said of a batch.
    fn drafts(&self, db: &Db, write: &Write<'_>) -> Result<Vec<Draft>, db::Error> {
        let remarks = write.remarks();
        let told = of_write(db, write)?;
        let mut drafts = Vec::new();
        let mut draft = |act| drafts.push(Draft { who: self.who.clone(), act });
        if let Some(act) = self.act.as_ref().filter(|_| told.is_some() || !remarks.is_empty()) {
            let told = told.unwrap_or_default();
            let named = |named: &Option<Value>, told| named.clone().map(safe).or(told);
            draft(Act {
                event: act.event.clone(),
                resource: if act.resource.is_empty() {
                    told.resource
                } else {
                    act.resource.clone()
                },
                old: named(&act.old, told.old),
                new: named(&act.new, told.new),
            });
        }
        for remark in remarks.iter().cloned() {
            let (event, resource) = (remark.event.to_owned(), remark.resource);
            draft(Act { event, resource, old: remark.old, new: remark.new });
        }
        Ok(drafts)
    }
}

impl Recorder for Change {
    fn commit(&self, db: &Db, write: &Write<'_>) -> Result<(), db::Error> {
        let plain = || db.commit(write);
        let is_silent =
            write.remarks().is_empty() && (self.act.is_none() || write.meta().next().is_none());
        if is_silent || !std::ptr::eq(db, &raw const *self.audit.db) {
            return plain();
        }
        let state = &mut *self.audit.state.lock();
        let look = |drafts: &mut Vec<Draft>| {
            *drafts = self.drafts(db, write)?;
            Ok(())
        };
        let mut tries =
            (0..TRIES).map(|_| self.audit.append_to(state, &look, Vec::new(), Some(write)));
        let is_final = |done: &Result<_, AuditError>| {
            !matches!(done, Err(AuditError::Db(db::Error::Reopened)))
        };
        match tries.find(is_final).unwrap_or(Err(db::Error::Reopened.into())) {
            Ok(_) => Ok(()),
            Err(AuditError::Db(error)) if !error.is_damage() => Err(error),
            // The store goes on; that something is missing here shows.
            Err(error) if self.act.is_none() => {
                error!(%error, "the audit log cannot be read: what the store does is not recorded");
                plain()
            }
            Err(error) => Err(db::Error::Unrecorded(error.to_string())),
        }
    }
}

/// A new key; of this log where one is named.
fn draw(origin: Option<String>) -> Result<PrivateKey, AuditError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let origin = match origin {
        Some(origin) => origin,
        None => format!("logtrace/{:016x}", getrandom::u64()?),
    };
    Ok(PrivateKey::new(&origin, seed))
}

/// How often a batch is tried that met a store that was just opened again.
const TRIES: usize = 3;
