//! ST-29: a disk that refuses this and that, in any order with all else, loses nothing that was
//! acknowledged, doubles nothing, and brings back nothing that was deleted.
//!
//! A case that fails is made as small as it can be. `PROPTEST_CASES` makes them more. What the store does
//! without faults is held to its model much more often, in `store/model.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::faults::{EDQUOT, EIO, EMFILE, ENOSPC, EROFS, Faults};
use super::full::wait_until_free;
use super::sender::messages;
use crate::support::Daemon;

/// What is done to a daemon.
#[derive(Clone, Debug)]
enum Operation {
    /// A call with so many logs.
    Send { logs: usize },
    /// What a call brought is deleted, whether it was acknowledged or not.
    Delete { call: prop::sample::Index },
    /// The disk refuses one of [`PASSING`] from now on.
    Refuse(usize),
    /// It refuses one of [`FATAL`] once: the daemon ends, and is started again.
    Fail(usize),
    /// It does as it is told, and the daemon has seen that.
    Heal,
    /// It is told to stop, and started again on a disk that does as it is told.
    Restart,
    /// It is killed, and started again on such a disk.
    Crash,
}

/// What may be said of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It was acknowledged.
    Stored,
    /// It was not, or its deletion was not: it may be there, once.
    Unknown,
    /// It was acknowledged, and so was its deletion.
    Deleted,
}

struct House {
    daemon: Option<Daemon>,
    faults: Faults,
    folder: TempDir,
    /// By call.
    model: Vec<BTreeMap<String, Fate>>,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let faults = Faults::new(folder.path());
        let daemon = Some(faults.start(folder.path(), CONFIG));
        Self { daemon, faults, folder, model: Vec::new() }
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("it runs between operations")
    }

    fn start(&mut self) {
        self.faults.clear();
        self.daemon = Some(self.faults.start(self.folder.path(), CONFIG));
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Send { logs } => self.send(*logs),
            Operation::Delete { .. } if self.model.is_empty() => {}
            Operation::Delete { call } => self.delete(call.index(self.model.len())),
            Operation::Refuse(number) => {
                let (call, error, path) = PASSING[*number];
                self.faults.set(call, error, path);
            }
            Operation::Fail(number) => {
                // As it is after a start: nothing is wrong that the daemon has not found out.
                self.apply(&Operation::Crash);
                let (call, error, path) = FATAL[*number];
                self.faults.once(call, error, path);
                self.send(1);
                let ended = self.daemon.take().unwrap().ended();
                assert_eq!(ended.code(), Some(1), "{}", said(self.folder.path()));
                self.start();
            }
            Operation::Heal => self.heal(),
            Operation::Restart => {
                self.daemon.take().unwrap().stop();
                self.start();
            }
            Operation::Crash => {
                self.daemon.take().unwrap().kill();
                self.start();
            }
        }
    }

    fn heal(&self) {
        self.faults.clear();
        wait_until_free(self.daemon());
    }

    fn send(&mut self, logs: usize) {
        let call = self.model.len();
        let texts: Vec<String> = (0..logs).map(|log| format!("call{call} log{log}")).collect();
        let body: Vec<_> = texts.iter().map(|text| json!({"message": text})).collect();
        let is_stored = self.is_done("ingest", 202, &json!({"logs": body}));
        let fate = if is_stored { Fate::Stored } else { Fate::Unknown };
        self.model.push(texts.into_iter().map(|text| (text, fate)).collect());
    }

    fn delete(&mut self, call: usize) {
        let which = json!({"filter": format!("message:call{call}"), "from": "-1h", "to": "now+1h"});
        let is_done = self.is_done("delete", 200, &which);
        for fate in self.model[call].values_mut() {
            *fate = match *fate {
                Fate::Stored | Fate::Deleted if is_done => Fate::Deleted,
                Fate::Deleted => Fate::Deleted,
                Fate::Stored | Fate::Unknown => Fate::Unknown,
            };
        }
    }

    /// Whether a call is answered as it is when it is done, soon. One that is not may be done later.
    fn is_done(&self, what: &str, status: u16, body: &serde_json::Value) -> bool {
        let url = format!("http://{}/v1/logs/{what}", self.daemon().address("api"));
        let agent = ureq::Agent::config_builder().http_status_as_error(false);
        let agent: ureq::Agent = agent.timeout_global(Some(SOON)).build().into();
        agent.post(url).send_json(body).is_ok_and(|answer| answer.status() == status)
    }

    fn check(&self) {
        let found = messages(self.daemon());
        let once: BTreeSet<&String> = found.iter().collect();
        assert_eq!(once.len(), found.len(), "an event is stored twice");
        let fates: BTreeMap<&String, Fate> =
            self.model.iter().flatten().map(|(text, fate)| (text, *fate)).collect();
        for (text, fate) in &fates {
            let is_there = once.contains(text);
            assert!(is_there || *fate != Fate::Stored, "acknowledged and lost: {text}");
            assert!(!is_there || *fate != Fate::Deleted, "deleted, and there again: {text}");
        }
        assert!(once.iter().all(|text| fates.contains_key(text)), "nobody sent it: {once:?}");
    }
}

fn said(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("daemon.log")).unwrap()
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => (1..50_usize).prop_map(|logs| Operation::Send { logs }),
        2 => any::<prop::sample::Index>().prop_map(|call| Operation::Delete { call }),
        4 => (0..PASSING.len()).prop_map(Operation::Refuse),
        1 => (0..FATAL.len()).prop_map(Operation::Fail),
        2 => Just(Operation::Heal),
        1 => Just(Operation::Restart),
        1 => Just(Operation::Crash),
    ]
}

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    // A case takes seconds: one that fails is not made smaller for hours.
    ProptestConfig {
        cases: cases.unwrap_or(3),
        max_shrink_iters: 20,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn st_29_faults_in_any_order_lose_nothing_acknowledged(
        operations in prop::collection::vec(operation(), 4..16),
    ) {
        let mut house = House::new();
        for operation in operations {
            house.apply(&operation);
            house.check();
        }
        house.heal();
        house.check();
        house.apply(&Operation::Crash);
        house.check();
    }
}

/// Much is sealed meanwhile; and a stop does not wait long for a disk that refuses.
const CONFIG: &str = "[store]\nseal_after = \"100ms\"\n[shutdown]\ngrace = \"1s\"\n";

/// Call, error and a part of the path: what a daemon waits for to be over.
const PASSING: [(&str, i32, &str); 9] = [
    ("write", ENOSPC, "/data/"),
    ("write", EROFS, "/data/"),
    ("write", EDQUOT, ".log"),
    ("write", ENOSPC, ".sst"),
    ("write", ENOSPC, "MANIFEST"),
    ("sync", ENOSPC, "/data/"),
    ("sync", ENOSPC, ".sst"),
    ("open", EMFILE, "/data/"),
    ("open", ENOSPC, "/data/tmp/"),
];

/// What nobody knows the state of the disk after.
const FATAL: [(&str, i32, &str); 2] = [("sync", EIO, "/data/db/0"), ("write", EIO, "/data/db/0")];

/// How long a call is waited for.
const SOON: Duration = Duration::from_millis(700);
