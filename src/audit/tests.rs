//! The log on a real store.

use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use super::note::{PublicKey, SignedNote};
use super::tree::tests::naive;
use super::*;
use crate::db::{self, Db, Family, Options, Remark, Write};
use crate::time::Timestamp;

fn clock() -> Timestamp {
    Timestamp::from_micros(1_000_000)
}

fn open(folder: &TempDir) -> Arc<Audit> {
    let db = Arc::new(Db::open(folder.path(), &Options::default()).unwrap());
    Audit::open(db, Config { checkpoint_entries: 4, ..Config::default() }, clock).unwrap()
}

fn put(audit: &Audit, key: &str, value: &str) -> Result<(), db::Error> {
    audit.db().meta_put(key.as_bytes(), value.as_bytes())
}

fn somebody() -> Who {
    Who { actor: "ada".to_owned(), ..Who::default() }
}

/// Every entry, and that each carries the hash of the one before.
fn entries(audit: &Audit) -> Vec<Entry> {
    let entries = audit.following(0, 10_000).unwrap();
    let mut previous = Hash::default();
    for (index, entry) in (0..).zip(&entries) {
        assert_eq!((entry.index, &entry.previous), (index, &previous.to_string()));
        previous = Hash::of_entry(&audit.entry_bytes(index).unwrap().unwrap());
    }
    entries
}

fn events(audit: &Audit) -> Vec<String> {
    entries(audit).into_iter().map(|entry| entry.event).collect()
}

/// The checkpoint, which is that of the entries that there are.
fn checked(audit: &Audit) -> Checkpoint {
    let note = SignedNote::read(&audit.checkpoint().unwrap()).unwrap();
    let keys: Vec<_> =
        audit.public_keys().unwrap().iter().map(|key| PublicKey::read(key).unwrap()).collect();
    assert_eq!(note.signer(&keys), Some(&audit.public_key()));
    let leaves: Vec<_> = (0..note.checkpoint.size)
        .map(|index| Hash::of_entry(&audit.entry_bytes(index).unwrap().unwrap()))
        .collect();
    assert_eq!(note.checkpoint.root, naive(&leaves));
    note.checkpoint
}

#[test]
fn a_change_and_its_entry_are_there_together() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(&folder);
    put(&audit, "key/a", r#"{"version":1,"record":{"n":1}}"#).unwrap();
    let act = || Act::new("thing.changed", "");
    let changed = audit.change(somebody(), act(), || {
        put(&audit, "key/a", r#"{"version":1,"record":{"n":2,"hash":"x"}}"#).map(|()| 7)
    });
    assert_eq!(changed.unwrap(), 7);
    // What changes nothing has no entry, and nobody records what is done outside.
    audit.change(somebody(), act(), || ());
    put(&audit, "key/a", "{}").unwrap();
    let found = entries(&audit);
    assert_eq!(events(&audit), ["audit.began", "thing.changed"]);
    assert_eq!((&*found[1].actor, &*found[1].resource), ("ada", "key/a"));
    assert_eq!(json!(found[1].details), json!({"old": {"n": 1}, "new": {"n": 2, "hash": "…"}}));
    assert_eq!(checked(&audit).size, 2);
}

#[test]
fn a_change_that_fails_has_no_entry() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(&folder);
    let failed: Result<(), &str> = audit.change(somebody(), Act::new("a.b", "c"), || Err("no"));
    assert_eq!(failed, Err("no"));
    audit.db().latch(db::Trouble::Full);
    audit.db().reopen().unwrap();
    assert_eq!(events(&audit), ["audit.began"]);
    audit.record(somebody(), Act::new("a.b", "c")).unwrap();
    assert_eq!(events(&audit), ["audit.began", "a.b"]);
}

#[test]
fn what_batches_say_of_themselves_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(&folder);
    let mut write = Write::default();
    write.put(Family::Catalog, b"x".as_slice(), b"y".as_slice());
    audit.attend(|| audit.db().commit(&write)).unwrap();
    let new = Some(json!([{"segment": "01"}]));
    let remark = Remark { event: "segment.sealed", resource: "segments".into(), old: None, new };
    write.remark(remark);
    audit.db().commit(&write).unwrap();
    audit.attend(|| audit.db().commit(&write)).unwrap();
    audit.change(somebody(), Act::new("logs.deleted", "p"), || audit.db().commit(&write)).unwrap();
    let found = entries(&audit);
    let said: Vec<_> = found.iter().map(|entry| (&*entry.event, &*entry.actor)).collect();
    let want = [
        ("audit.began", "daemon"),
        ("segment.sealed", "daemon"),
        ("logs.deleted", "ada"),
        ("segment.sealed", "ada"),
    ];
    assert_eq!(said, want);
    let of = |events: &[&str]| {
        let events = events.iter().map(|&event| event.to_owned()).collect();
        let page = audit.page(&Filter { events, ..Filter::default() }, None, 10).unwrap();
        page.entries.iter().map(|entry| entry.index).collect::<Vec<_>>()
    };
    assert_eq!(of(&[]), [2, 0]);
    assert_eq!(of(&["*"]), [3, 2, 1, 0]);
    assert_eq!(of(&["segment.*", "logs.*"]), [3, 2, 1]);
}

#[test]
fn ht_12_changes_at_once_are_in_the_order_in_which_they_were_made() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(&folder);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let audit = &audit;
            scope.spawn(move || {
                for n in 0..25 {
                    let value = json!({"by": thread, "n": n}).to_string();
                    let act = Act::new("thing.changed", "");
                    audit.change(somebody(), act, || put(audit, "thing", &value)).unwrap();
                }
            });
        }
    });
    let found = entries(&audit);
    assert_eq!(found.len(), 101);
    for (before, after) in found.iter().skip(1).zip(found.iter().skip(2)) {
        assert_eq!(before.details["new"], after.details["old"]);
    }
    let last = audit.db().meta_get(b"thing").unwrap().unwrap();
    assert_eq!(found[100].details["new"].to_string().as_bytes(), last);
    assert_eq!(checked(&audit).size, 101);
}

#[test]
fn a_log_goes_on_after_a_restart_and_signs_what_a_crash_left_unsigned() {
    let folder = tempfile::tempdir().unwrap();
    let mut sizes = vec![];
    for round in 0_u64..4 {
        let audit = open(&folder);
        let before = audit.db().get(Family::Audit, &rows::checkpoint(round * 3)).unwrap();
        for _ in 0..if round == 0 { 2 } else { 3 } {
            audit.record(somebody(), Act::new("a.b", "c")).unwrap();
        }
        // Signed in the batch that brought the fourth since, or here.
        assert_eq!(before.is_some(), round > 0);
        sizes.push(checked(&audit).size);
    }
    assert_eq!(sizes, [3, 6, 9, 12]);
    let audit = open(&folder);
    for old in 0..=12 {
        let proof = audit.consistency(old, 12).unwrap();
        let leaves: Vec<_> = (0..12)
            .map(|index| Hash::of_entry(&audit.entry_bytes(index).unwrap().unwrap()))
            .collect();
        let (begin, _) = leaves.split_at(usize::try_from(old).unwrap());
        assert!(is_consistent((old, naive(begin)), (12, naive(&leaves)), &proof));
    }
    let proof = audit.inclusion(5, 12).unwrap();
    let leaf = Hash::of_entry(&audit.entry_bytes(5).unwrap().unwrap());
    assert_eq!(root_by_inclusion(leaf, 5, 12, &proof), Some(checked(&audit).root));
    assert!(audit.consistency(0, 13).is_err() && audit.inclusion(12, 12).is_err());
}

#[test]
fn a_batch_of_entries_brings_a_checkpoint_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(&folder);
    let signed = |size| audit.db().get(Family::Audit, &rows::checkpoint(size)).unwrap().is_some();
    for size in 2..=9 {
        audit.record(somebody(), Act::new("a.b", "c")).unwrap();
        assert_eq!(signed(size), size % 4 == 0, "{size}");
    }
    audit.tick().unwrap();
    assert!(!signed(9), "not due");
}

#[test]
fn another_key_is_said_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(&folder).public_key();
    std::fs::remove_file(folder.path().join("audit.key")).unwrap();
    let audit = open(&folder);
    assert_ne!(audit.public_key(), first);
    assert_eq!(events(&audit), ["audit.began", "audit.key_replaced"]);
    let said = json!(entries(&audit)[1].details);
    let want = json!({
        "old": {"public": first.to_string()},
        "new": {"public": audit.public_key().to_string()},
    });
    assert_eq!(said, want);
    checked(&audit);
    let other = tempfile::tempdir().unwrap();
    drop(open(&other));
    drop(audit);
    std::fs::copy(other.path().join("audit.key"), folder.path().join("audit.key")).unwrap();
    let db = Arc::new(Db::open(folder.path(), &Options::default()).unwrap());
    assert!(matches!(Audit::open(db, Config::default(), clock), Err(AuditError::Damaged { .. })));
}

#[test]
fn hashes_that_are_lost_are_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(&folder);
    for _ in 0..6 {
        audit.record(somebody(), Act::new("a.b", "c")).unwrap();
    }
    let mut write = Write::default();
    write.delete(Family::Audit, rows::node(tree::Node { level: 2, number: 0 }));
    write.delete(Family::Audit, rows::node(tree::Node { level: 0, number: 6 }));
    audit.db().commit(&write).unwrap();
    drop(audit);
    let audit = open(&folder);
    audit.record(somebody(), Act::new("a.b", "c")).unwrap();
    assert_eq!((events(&audit).len(), checked(&audit).size), (8, 8));
}

#[test]
fn entries_are_found_by_all_that_they_hold() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(&folder);
    let who = |actor: &str, operator: &str, address: &str| Who {
        actor: actor.to_owned(),
        operator: Some(operator.to_owned()),
        address: Some(address.parse().unwrap()),
    };
    for n in 0..1200 {
        let who = who(["ada", "bob"][n % 2], "key_1", ["192.0.2.1", "2001:db8::1"][n % 2]);
        audit
            .record(who, Act::new(["api_key.created", "list.added"][n % 2], format!("r/{n}")))
            .unwrap();
    }
    let found = |filter: Filter| {
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let page = audit.page(&filter, before, 100).unwrap();
            all.extend(page.entries.iter().map(|entry| entry.index));
            before = page.next;
            if before.is_none() {
                return all;
            }
        }
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(found(Filter::default()), (0..=1200).rev().collect::<Vec<_>>());
    assert_eq!(found(Filter { actor: some("ada"), ..Filter::default() }).len(), 600);
    assert_eq!(found(Filter { actor: some("key_*"), ..Filter::default() }).len(), 1200);
    let events = vec!["api_key.*".to_owned()];
    assert_eq!(found(Filter { events, ..Filter::default() }).len(), 600);
    assert_eq!(found(Filter { resource: some("r/7"), ..Filter::default() }), [8]);
    let address = Some("2001:db8::/32".parse().unwrap());
    assert_eq!(found(Filter { address, ..Filter::default() }).len(), 600);
    let later = Some(clock().plus(1));
    assert_eq!(found(Filter { from: later, ..Filter::default() }).len(), 0);
    assert_eq!(found(Filter { to: Some(clock().plus(-1)), ..Filter::default() }).len(), 0);
    assert_eq!(found(Filter { from: Some(clock()), to: later, ..Filter::default() }).len(), 1201);
}
