//! Good logs, and logs that somebody laid hands on (ST-25), by both verifiers: ours, and the one in
//! `tests/verify`, which shares no line with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::audit::tree::Node;
use crate::audit::{Act, Audit, Config, Extent, Who, rows};
use crate::db::{Db, Family, Options, Write};
use crate::time::Timestamp;

/// A log of so many entries, signed every fourth.
fn log(folder: &TempDir, entries: u64) -> Arc<Audit> {
    log_signed_every(4, folder, entries)
}

fn log_signed_every(checkpoint_entries: u64, folder: &TempDir, entries: u64) -> Arc<Audit> {
    let db = Arc::new(Db::open(folder.path(), &Options::default()).unwrap());
    let config = Config { checkpoint_entries, ..Config::default() };
    let audit = Audit::open(db, config, || Timestamp::from_micros(1_000_000)).unwrap();
    for n in audit.size().unwrap()..entries {
        let who = Who { actor: format!("ada \"{n}\" größe"), ..Who::default() };
        audit
            .record(who, Act::new("thing.changed", format!("thing/{n}")).new_value(json!({"n": n})))
            .unwrap();
    }
    audit
}

type Files = Vec<(String, Vec<u8>)>;

fn bundled(audit: &Audit, extent: &Extent) -> Files {
    let mut bytes = Vec::new();
    audit.bundle(extent, &mut bytes, Timestamp::from_micros(0)).unwrap();
    let mut archive = tar::Archive::new(&*bytes);
    let entries = archive.entries().unwrap();
    let read = entries.map(|entry| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        (name, content)
    });
    read.collect()
}

fn tarred(files: &Files) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, &**content).unwrap();
    }
    tar.into_inner().unwrap()
}

fn verified(files: &Files, trust: &Trust) -> Result<Verified, Fault> {
    bundle(&*tarred(files), trust, |_| {})
}

/// What the verifier in Python says: whether it is good, the first bad entry, and the sentence.
fn by_python(folder: &Path, tar: &[u8], anchor: Option<&str>) -> (bool, Option<u64>, String) {
    let path = folder.join("bundle.tar");
    fs::write(&path, tar).unwrap();
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/verify/verify.py");
    let mut command = Command::new("python3");
    command.arg(script).arg("--json").arg(&path);
    if let Some(anchor) = anchor {
        let path = folder.join("anchor.ckpt");
        fs::write(&path, anchor).unwrap();
        command.arg("--anchor").arg(path);
    }
    let done = command.output().expect("python3 is there");
    let said: serde_json::Value = serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&done.stderr)));
    assert_eq!(done.status.code(), Some(if said["good"] == true { 0 } else { 1 }));
    (said["good"] == true, said["entry"].as_u64(), said["what"].to_string())
}

/// Verifies with both; they agree. The first bad entry, `Err` where it is something else.
fn both(files: &Files, anchor: Option<&str>) -> Result<Option<u64>, Option<u64>> {
    both_of(&tarred(files), anchor)
}

fn both_of(tar: &[u8], anchor: Option<&str>) -> Result<Option<u64>, Option<u64>> {
    let folder = tempfile::tempdir().unwrap();
    let anchor_read = anchor.and_then(SignedNote::read);
    let ours = bundle(tar, &Trust { anchor: anchor_read, ..Trust::default() }, |_| {});
    let (good, entry, what) = by_python(folder.path(), tar, anchor);
    assert_eq!(ours.is_ok(), good, "{ours:?} and {what}");
    if let Err(fault) = &ours {
        assert_eq!(fault.entry, entry, "{fault:?} and {what}");
    }
    ours.map(|_| None).map_err(|fault| fault.entry)
}

fn file<'f>(files: &'f mut Files, name: &str) -> &'f mut Vec<u8> {
    &mut files.iter_mut().find(|(other, _)| other.starts_with(name)).unwrap().1
}

fn lines(files: &mut Files, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let content = file(files, "entries/");
    let mut lines: Vec<_> = content.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    lines.pop();
    change(&mut lines);
    *content = lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
}

#[test]
fn good_bundles_are_good_whole_and_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let audit = log(&folder, 11);
    let anchor = audit.checkpoint().unwrap();
    log_more(&audit, 30);
    let whole = bundled(&audit, &Extent::default());
    let done = verified(&whole, &Trust::default()).unwrap();
    assert_eq!((done.from, done.to, done.signed), (0, 41, 41));
    assert_eq!(both(&whole, None), Ok(None));
    assert_eq!(both(&whole, Some(&anchor)), Ok(None));
    let from = Some(Timestamp::from_micros(2_000_000));
    let part = bundled(&audit, &Extent { from, anchor: Some(11), ..Extent::default() });
    let done = verified(&part, &Trust::default()).unwrap();
    assert_eq!((done.from, done.to), (21, 41));
    assert_eq!(both(&part, Some(&anchor)), Ok(None));
    // Without the proof nothing is known of what was before.
    let none = bundled(&audit, &Extent { from, ..Extent::default() });
    assert_eq!(both(&none, None), Ok(None));
    assert_eq!(both(&none, Some(&anchor)), Err(None));
    let key = audit.public_key();
    let own = |keys| verified(&whole, &Trust { keys, anchor: None });
    assert_eq!(own(vec![key.clone()]).unwrap().keys, [key.to_string()]);
    let other = tempfile::tempdir().unwrap();
    let stranger = log(&other, 5);
    assert!(own(vec![stranger.public_key()]).is_err());
    let note = stranger.checkpoint().unwrap();
    assert_eq!(both(&whole, Some(&note)), Err(None));
}

/// Ten entries at one time, the others a second later.
fn log_more(audit: &Audit, entries: u64) {
    for n in 0..entries {
        let act = Act::new("thing.changed", format!("more/{n}"));
        let later = 1_000_000 + if n >= 10 { 1_000_000 } else { 0 };
        audit.record_at(Who::default(), act, Timestamp::from_micros(later)).unwrap();
    }
}

#[test]
fn st_25_the_first_entry_that_was_changed_dropped_or_moved_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let audit = log(&folder, 23);
    let good = bundled(&audit, &Extent::default());
    let with = |change: &dyn Fn(&mut Files)| {
        let mut files = good.clone();
        change(&mut files);
        both(&files, None)
    };
    for k in [0, 5, 12, 22_usize] {
        let first = Err(Some(k as u64));
        let other = |line: &[u8]| {
            let line = String::from_utf8_lossy(line).replace("thing", "thong");
            line.replace("audit.began", "audit.begun").into_bytes()
        };
        let edit = |change: &dyn Fn(&mut Vec<Vec<u8>>)| with(&|files| lines(files, change));
        assert_eq!(edit(&|all| all[k] = other(&all[k])), first, "changed {k}");
        assert_eq!(edit(&|all| drop(all.remove(k))), first, "dropped {k}");
        assert_eq!(edit(&|all| all[k] = b"{}".to_vec()), first, "emptied {k}");
        assert_eq!(edit(&|all| all.insert(k, all[3].clone())), first, "put in {k}");
        if k < 22 {
            assert_eq!(edit(&|all| all.swap(k, k + 1)), first, "moved {k}");
        }
        let flip = |files: &mut Files| {
            if let Some(byte) = file(files, "hashes/").get_mut(k * 32 + 7) {
                *byte ^= 1;
            }
        };
        assert_eq!(with(&flip), first, "hash of {k}");
    }
}

#[test]
fn st_25_what_was_cut_off_or_written_anew_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let audit = log(&folder, 23);
    let good = bundled(&audit, &Extent::default());
    let anchor = audit.checkpoint().unwrap();
    let with = |change: &dyn Fn(&mut Files)| {
        let mut files = good.clone();
        change(&mut files);
        both(&files, None)
    };
    assert_eq!(with(&|files| lines(files, |all| all.truncate(20))), Err(Some(20)));
    assert_eq!(with(&|files| file(files, "hashes/").truncate(20 * 32)), Err(Some(20)));
    assert_eq!(
        with(&|files| files.retain(|(name, _)| !name.starts_with("entries/"))),
        Err(Some(0))
    );
    assert_eq!(with(&|files| file(files, "checkpoints/")[30] ^= 1), Err(None));
    assert_eq!(with(&|files| file(files, "keys").clear()), Err(None));
    // Who has no key cannot write it all anew either: the next root tells.
    let anew = with(&|files| {
        let (mut changed, mut hashes) = (Vec::new(), Vec::new());
        lines(files, |all| {
            let mut previous = "0".repeat(64);
            for line in &mut *all {
                let mut entry: serde_json::Value = serde_json::from_slice(line).unwrap();
                if entry["index"] == 9 {
                    entry["actor"] = "eve".into();
                }
                entry["previous"] = previous.as_str().into();
                *line = entry.to_string().into_bytes();
                let hash = crate::audit::Hash::of_entry(line);
                previous = hash.to_string();
                hashes.extend(hash.0);
            }
            changed = all.clone();
        });
        *file(files, "hashes/") = hashes;
    });
    assert_eq!(anew, Err(Some(8)), "signed are 4, 8, 12 and so on");
    // An end that was cut off together with its checkpoints is whole, but for the anchor.
    let cut = |files: &mut Files| {
        lines(files, |all| all.truncate(20));
        file(files, "hashes/").truncate(20 * 32);
        files.retain(|(name, _)| !name.ends_with("23"));
        let head = file(files, "bundle.json");
        *head = String::from_utf8_lossy(head).replace("\"to\":23", "\"to\":20").into_bytes();
    };
    let mut files = good.clone();
    cut(&mut files);
    assert_eq!(both(&files, None), Ok(None));
    assert_eq!(both(&files, Some(&anchor)), Err(Some(20)));
}

#[test]
fn st_25_files_that_were_moved_and_octets_between_them_show() {
    let folder = tempfile::tempdir().unwrap();
    let audit = log_signed_every(2000, &folder, 11);
    audit.checkpoint().unwrap();
    // More than one file of entries, and of hashes.
    log_more(&audit, 1030);
    let good = bundled(&audit, &Extent::default());
    assert_eq!(both(&good, None), Ok(None));
    let place = |name: &str| good.iter().position(|(other, _)| other.starts_with(name)).unwrap();
    let second = good.len() - 2;
    assert!(good[second].0.starts_with("entries/"));
    let swap = |one: usize, other: usize| {
        let mut files = good.clone();
        files.swap(one, other);
        both(&files, None)
    };
    assert_eq!(swap(place("bundle.json"), place("keys")), Err(None));
    assert_eq!(swap(place("checkpoints/"), place("checkpoints/") + 1), Err(None));
    assert_eq!(swap(place("keys"), place("checkpoints/")), Err(None));
    assert_eq!(swap(place("entries/"), second), Err(Some(0)));
    assert_eq!(swap(place("entries/"), place("hashes/")), Err(Some(0)));
    assert!(swap(place("checkpoints/"), second).is_err());
    let with = |change: &dyn Fn(&mut Files)| {
        let mut files = good.clone();
        change(&mut files);
        both(&files, None)
    };
    assert_eq!(with(&|files| files.push(files[second].clone())), Err(Some(1041)));
    assert_eq!(with(&|files| files.insert(1, ("more".to_owned(), vec![1]))), Err(None));
    assert_eq!(with(&|files| files.insert(1, files[0].clone())), Err(None));
    assert_eq!(with(&|files| files[second].0 = "entries/1024.ndjson".to_owned()), Err(Some(1024)));
    assert_eq!(with(&|files| drop(files.drain(second..))), Err(Some(1024)));
    assert_eq!(with(&|files| files[second + 1].1.extend([0; 32])), Err(Some(1041)));
    let tar = tarred(&good);
    let head = good[0].1.len();
    let content = 512..512 + head;
    let padding = content.end..content.end.next_multiple_of(512);
    for at in [padding.start, padding.end - 1, tar.len() - 1, tar.len() - 1024, 0, 120, 156, 300] {
        let mut tar = tar.clone();
        tar[at] ^= 1;
        assert_eq!(both_of(&tar, None), Err(None), "{at}");
    }
    assert_eq!(both_of(&[&*tar, &[0; 512][..]].concat(), None), Err(None));
    assert_eq!(both_of(&tar[..tar.len() - 512], None), Err(None));
    assert_eq!(both_of(b"", None), Err(None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// One log for all cases: only what is made of it is changed.
    #[test]
    fn st_25_every_flipped_bit_of_a_bundle_shows(which: prop::sample::Index, at: prop::sample::Index, bit in 0_u8..8) {
        static GOOD: std::sync::LazyLock<Files> = std::sync::LazyLock::new(|| {
            let folder = tempfile::tempdir().unwrap();
            bundled(&log(&folder, 14), &Extent::default())
        });
        let mut files = GOOD.clone();
        let which = which.index(files.len());
        let (name, content) = &mut files[which];
        // White space at the end of keys and notes of the head says nothing.
        let at = at.index(content.len());
        content[at] ^= 1 << bit;
        let before: BTreeMap<_, _> = GOOD.iter().cloned().collect();
        let says_nothing = *name == "keys" || *name == "bundle.json"
            || content.trim_ascii() == before[name].trim_ascii();
        let ours = verified(&files, &Trust::default());
        prop_assert!(ours.is_err() || says_nothing, "{ours:?}");
    }
}

/// A store without segments.
struct Empty;

impl Segments for Empty {
    fn ids(&self) -> Result<Vec<u64>, String> {
        Ok(vec![])
    }

    fn hash(&self, _: u64) -> Result<String, String> {
        Err("there are none".to_owned())
    }
}

#[test]
fn st_25_a_data_folder_tells_what_was_done_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let audit = log(&folder, 14);
    let anchor = SignedNote::read(&audit.checkpoint().unwrap());
    audit.record(Who::default(), Act::new("a.b", "c")).unwrap();
    let db = audit.db();
    let check = |anchor: Option<SignedNote>| {
        data(db, &Empty, &Trust { anchor, ..Trust::default() }, |_| {})
    };
    let done = check(anchor.clone()).unwrap();
    assert_eq!((done.to, done.signed), (15, 14));
    assert!(done.notes.iter().any(|note| note.starts_with("1 entries from 14 on")), "{done:?}");

    let put = |key: Vec<u8>, value: Option<Vec<u8>>| {
        let mut write = Write::default();
        match value {
            Some(value) => write.put(Family::Audit, key, value),
            None => write.delete(Family::Audit, key),
        }
        db.commit(&write).unwrap();
    };
    let first_bad = |key: Vec<u8>, value: Option<Vec<u8>>| {
        let before = db.get(Family::Audit, &key).unwrap();
        put(key.clone(), value);
        let found = check(anchor.clone());
        put(key, before);
        found.map_err(|fault| fault.entry)
    };
    let other = audit.entry_bytes(7).unwrap();
    assert_eq!(first_bad(rows::entry(9), other), Err(Some(9)));
    assert_eq!(first_bad(rows::entry(9), None), Err(Some(9)));
    assert_eq!(
        first_bad(rows::node(Node { level: 0, number: 3 }), Some(vec![0; 32])),
        Err(Some(3))
    );
    assert_eq!(first_bad(rows::checkpoint(8), Some(b"x".to_vec())), Err(None));
    assert_eq!(first_bad(rows::entry(14), None).map(|done| done.to), Err(Some(14)));
    check(anchor.clone()).unwrap();
    for n in 12..15 {
        put(rows::entry(n), None);
        put(rows::node(Node { level: 0, number: n }), None);
    }
    put(rows::checkpoint(14), None);
    assert!(check(None).is_ok(), "a cut tail is whole by itself");
    assert_eq!(check(anchor).unwrap_err().entry, Some(12));
}
