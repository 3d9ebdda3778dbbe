//! What the tests of every door begin with: a gate, a ledger and a store behind it.

use std::sync::{Arc, LazyLock};
use std::thread::JoinHandle;

use bytesize::ByteSize;
use tempfile::TempDir;

use super::{Format, Ingest, Listener, now};
use crate::audit::{self, Audit};
use crate::batch::{self, Batcher, Commit, Room, Writing, run_writer};
use crate::db::{self, Db};
use crate::gate::{self, Gate, KeyInfo, NewKey, Reason, Secret};
use crate::journal::Journal;
use crate::metrics::{Ledger, Page};
use crate::people::{self, People};
use crate::store::{self, Store};

/// All that is behind a door, in a folder of its own.
pub(crate) struct Yard {
    pub(crate) ingest: Arc<Ingest>,
    pub(crate) store: Arc<Store>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) people: Arc<People>,
    /// The one that logs come in by over HTTP.
    pub(crate) listener: Arc<Listener>,
    batcher: Arc<Batcher>,
    writer: Option<JoinHandle<()>>,
    _folder: TempDir,
}

impl Yard {
    /// A yard with this configuration of the gate, in JSON. Nothing is written as yet.
    pub(crate) fn new(gate: &str, require_key: bool) -> Self {
        static REASONS: LazyLock<Vec<&str>> =
            LazyLock::new(|| Reason::ALL.iter().map(|reason| reason.as_str()).collect());
        let folder = tempfile::tempdir().unwrap();
        let db = Arc::new(Db::open(folder.path(), &db::Options::default()).unwrap());
        let store = Arc::new(Store::open(Arc::clone(&db), store::Config::default()).unwrap());
        let audit = Audit::open(Arc::clone(&db), audit::Config::default(), now).unwrap();
        let gate: gate::Config = serde_json::from_str(gate).unwrap();
        let journal = Arc::new(Journal::open(Arc::clone(&db)).unwrap());
        let people = People::open(people::Config::default(), Arc::clone(&db), now()).unwrap();
        let people = Arc::new(people);
        let gate = Arc::new(Gate::open(&gate, db, now()).unwrap());
        let ledger = Arc::new(Ledger::new(&REASONS, 10));
        let (_, gauges) = Page::new(Arc::clone(&ledger)).unwrap();
        let batcher = Arc::new(Batcher::new(&batch::Config::default()));
        let listener = Arc::new(Listener {
            name: "http".into(),
            protocol: "http/tcp".to_owned(),
            format: Format::Json,
            project: "default".into(),
            environment: None,
            require_key,
            takes_pages: false,
            key: None,
            zone_offset: 0,
            keep_original: false,
            datagrams: false,
            account: ledger.listener("http"),
        });
        let ingest = Ingest::new(Arc::clone(&gate), Arc::clone(&batcher), ledger, journal, gauges);
        let ingest = Arc::new(ingest);
        Self {
            ingest,
            store,
            gate,
            audit,
            people,
            listener,
            batcher,
            writer: None,
            _folder: folder,
        }
    }

    /// Lets what is accepted be written from now on.
    pub(crate) fn write(mut self) -> Self {
        let (batcher, store) = (Arc::clone(&self.batcher), Arc::clone(&self.store));
        let ledger = Arc::clone(self.ingest.ledger());
        let report = move |commit: &Commit<'_>| {
            for (origin, count) in &commit.origins {
                ledger.settle(&origin.listener, origin.key.as_deref(), *count, commit.stored);
            }
        };
        let any =
            db::DiskConfig { min_free: ByteSize(0), min_free_percent: 0, ballast: ByteSize(0) };
        let room = Room::new(store.db().path(), &any);
        let gate = Arc::clone(&self.gate);
        let run = move || {
            let begin = || gate.ride_usage().unwrap();
            let writing = Writing { batcher: &batcher, store: &store, room: &room };
            run_writer(writing, begin, report, drop).unwrap();
        };
        self.writer = Some(std::thread::spawn(run));
        self
    }

    /// A new key of these properties, in JSON.
    pub(crate) fn key(&self, properties: &str) -> (KeyInfo, Secret) {
        let mut new: NewKey = serde_json::from_str(properties).unwrap();
        "test".clone_into(&mut new.name);
        self.gate.create_key(new, now()).unwrap()
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        self.batcher.stop();
        if let Some(writer) = self.writer.take() {
            writer.join().unwrap();
        }
    }
}
