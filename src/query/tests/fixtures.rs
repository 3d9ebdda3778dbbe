//! A store in a folder of its own, and requests to it.

use std::ops::Deref;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::db::{Db, Family, Options, Write};
use crate::event::{AuthMethod, Event, Known, Value as FieldValue};
use crate::kql::{Syntax, parse};
use crate::query::{CursorKey, Page, Request, Workers, run};
use crate::store::{Config, Origin, Rows, Store};
use crate::time::Timestamp;

/// A store that is gone with its folder.
pub(super) struct TestStore {
    store: Store,
    db: Arc<Db>,
    _folder: tempfile::TempDir,
}

impl TestStore {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Arc::new(Db::open(folder.path(), &Options::default()).unwrap());
        Self { store: open(&db), db, _folder: folder }
    }

    pub(super) fn reopen(&mut self) {
        self.store = open(&self.db);
    }

    /// The chunk of the first block of a segment.
    pub(super) fn chunk(&self, segment: u64, column: u16) -> Option<Vec<u8>> {
        let key = [&segment.to_be_bytes()[..], &column.to_be_bytes(), &[0; 4]].concat();
        self.db.get(Family::Segments, &key).unwrap()
    }

    /// Changes a row of the catalog: one of the segments, or one that is kept beside them.
    pub(super) fn change_catalog(&self, prefix: &str, change: impl Fn(&[u8]) -> Option<Vec<u8>>) {
        let mut write = Write::default();
        self.db
            .scan(Family::Catalog, prefix.as_bytes(), |key, row| match change(row) {
                Some(row) => write.put(Family::Catalog, key.to_vec(), row),
                None => write.delete(Family::Catalog, key.to_vec()),
            })
            .unwrap();
        self.db.commit(&write).unwrap();
    }

    /// How many rows of the catalog begin so.
    pub(super) fn rows_in_catalog(&self, prefix: &str) -> usize {
        let mut rows = 0;
        self.db.scan(Family::Catalog, prefix.as_bytes(), |_, _| rows += 1).unwrap();
        rows
    }

    /// The first key of the segments from `segment` on.
    pub(super) fn first_segment(&self, segment: u64) -> Option<u64> {
        let key = self.db.first_key(Family::Segments, &segment.to_be_bytes()).unwrap()?;
        key.first_chunk().map(|id| u64::from_be_bytes(*id))
    }

    /// Writes `chunk`, or nothing, where a chunk of the first block of a segment was; column 0 is
    /// the head of the block.
    pub(super) fn damage(&self, segment: u64, column: u16, chunk: Option<&[u8]>) {
        let key = [&segment.to_be_bytes()[..], &column.to_be_bytes(), &[0; 4]].concat();
        let mut write = Write::default();
        match chunk {
            Some(chunk) => write.put(Family::Segments, key, chunk),
            None => write.delete(Family::Segments, key),
        }
        self.db.commit(&write).unwrap();
    }

    /// Stages simple events of one project: each a time and a message.
    pub(super) fn stage_messages(&self, project: &str, events: &[(i64, &str)]) {
        self.stage_at(NOW, project, events);
    }

    /// The same, received at some other time.
    pub(super) fn stage_at(&self, received: Timestamp, project: &str, events: &[(i64, &str)]) {
        let mut rows = Rows::default();
        rows.begin(&origin(project), received.as_micros());
        for (time, message) in events {
            let timestamp = Some(Timestamp::from_micros(*time));
            let mut event = Event { timestamp, ..Event::default() };
            event.set(Known::Message, FieldValue::Text((*message).into()));
            rows.push(&event);
        }
        self.stage([&rows]).unwrap();
    }
}

impl Deref for TestStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

fn open(db: &Arc<Db>) -> Store {
    Store::open(Arc::clone(db), Config::default()).unwrap()
}

pub(super) fn origin(project: &str) -> Arc<Origin> {
    Arc::new(Origin {
        project: project.into(),
        listener: "syslog-tcp".into(),
        peer: Some("192.0.2.7".parse().unwrap()),
        key: Some("key_1".into()),
        auth: Some(AuthMethod::Prefix),
    })
}

/// A request for the events of project `p`, answered with the help of a thread.
pub(super) fn request(filter: &str) -> Request {
    let filter = parse(filter, Syntax::Lenient).unwrap().query;
    let mut request = Request::new("p".into(), filter, CursorKey([1; 32]), NOW);
    request.budget.workers = Arc::new(Workers::new(1));
    request
}

/// What `request` finds, all of it.
pub(super) fn answer(store: &Store, request: &Request) -> Page {
    let page = run(store, request).unwrap();
    assert!(!page.meta.partial, "{:?}", page.meta.partial_reasons);
    assert_eq!(page.meta.count, page.logs.len() as u64);
    page
}

/// Follows the cursors of `request` to the end; calls `between` after each page.
pub(super) fn pages(
    store: &Store,
    request: &Request,
    mut between: impl FnMut(usize),
) -> Vec<Map<String, Value>> {
    let (mut request, mut logs) = (request.clone(), Vec::new());
    for number in 0..1_000 {
        let page = answer(store, &request);
        logs.extend(page.logs);
        request.cursor = page.meta.next_cursor;
        if request.cursor.is_none() {
            return logs;
        }
        between(number);
    }
    panic!("the pages have no end");
}

/// One field of each event, as text.
pub(super) fn texts(logs: &[Map<String, Value>], name: &str) -> Vec<String> {
    let text = |log: &Map<String, Value>| match log.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "-".to_owned(),
    };
    logs.iter().map(text).collect()
}

/// What orders events.
pub(super) fn time_and_id(log: &Map<String, Value>) -> (Timestamp, String) {
    let text = |name: &str| log[name].as_str().unwrap().to_owned();
    (Timestamp::parse_rfc3339(text("@timestamp").as_bytes()).unwrap(), text("_id"))
}

/// 2026-06-15T12:00:00Z.
pub(super) const NOW: Timestamp = Timestamp::from_micros(1_781_524_800_000_000);
