//! Backups of a store, by the file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::db::{Db, ENGINE};
use crate::event::{Event, Known, Value};
use crate::store::{Config, Origin, Rows, Store};
use crate::time::Timestamp;

/// A store, and a folder for its backups.
struct Scene {
    folder: tempfile::TempDir,
    store: Store,
}

fn open(path: &Path) -> Store {
    let db = Db::open(path, &crate::db::Options::default()).unwrap();
    Store::open(Arc::new(db), Config::default()).unwrap()
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("data"));
        Self { folder, store }
    }

    fn stage(&self, message: &str) {
        let (project, listener) = ("p".into(), "tcp".into());
        let origin = Arc::new(Origin { project, listener, peer: None, key: None, auth: None });
        let mut rows = Rows::default();
        rows.begin(&origin, 0);
        let mut event = Event::default();
        event.set(Known::Message, Value::Text(message.into()));
        rows.push(&event);
        self.store.stage([&rows]).unwrap();
    }

    fn backups(&self) -> PathBuf {
        self.folder.path().join("backups")
    }

    fn backup(&self, second: i64, options: Options) -> Done {
        let made = self.store.checkpoint().unwrap();
        let now = Timestamp::from_micros(second * 1_000_000);
        let done = backup(&made.path, &self.backups(), options, now, |_| {}).unwrap();
        assert!(self.store.drop_checkpoint(&made.id));
        assert!(!made.path.exists());
        done
    }

    /// The messages of a backup, restored into a new folder.
    fn restored(&self, id: Option<&str>) -> Result<Vec<String>, BackupError> {
        let to = self.folder.path().join("restored");
        let _before = fs::remove_dir_all(&to).is_ok();
        restore(&self.backups(), id, &to, |_| {})?;
        Ok(messages(&open(&to)))
    }
}

fn messages(store: &Store) -> Vec<String> {
    let mut messages = Vec::new();
    for source in store.sources("p", i64::MIN, i64::MAX) {
        let column = store.view(&source).unwrap().column("message").unwrap().unwrap();
        column.for_each(|_, value| messages.push(value.to_text().into_owned()));
    }
    messages.sort();
    messages
}

/// Where the bytes of a segment of the last backup lie.
fn segment_file(folder: &Path) -> (PathBuf, String) {
    let manifest = list(folder).unwrap().pop().unwrap();
    let file = manifest.files.into_iter().find(|file| file.name.ends_with(".sst")).unwrap();
    (folder.join("files").join(file.blake3), file.name)
}

#[test]
fn st_26_a_restored_store_holds_what_was_there() {
    let scene = Scene::new();
    scene.stage("sealed");
    scene.store.seal().unwrap();
    scene.stage("staged");
    scene.backup(0, Options::default());
    scene.stage("later");
    assert_eq!(scene.restored(None).unwrap(), ["sealed", "staged"]);
}

#[test]
fn st_26_a_second_backup_copies_what_is_new_and_the_first_stays() {
    let scene = Scene::new();
    scene.stage("one");
    scene.store.seal().unwrap();
    let first = scene.backup(0, Options::default());
    assert_eq!((first.id.as_str(), first.copied_files), ("19700101T000000Z", first.files));
    scene.stage("two");
    scene.store.seal().unwrap();
    let mut seen = Vec::new();
    let made = scene.store.checkpoint().unwrap();
    let now = Timestamp::from_micros(0);
    let second =
        backup(&made.path, &scene.backups(), Options::default(), now, |p| seen.push(p.clone()));
    let second = second.unwrap();
    scene.store.drop_checkpoint(&made.id);
    assert_eq!(second.id, "19700101T000000Z-2");
    assert!(second.copied_files < second.files, "{second:?}");
    let last = seen.pop().unwrap();
    assert_eq!((last.files, last.bytes), (last.all_files, last.all_bytes));
    assert!(last.copied_bytes < last.bytes);
    let again = scene.backup(1, Options { full: true, ..Options::default() });
    assert!(again.copied_files < again.files, "equal bytes are kept once: {again:?}");
    assert_eq!(scene.restored(Some(&first.id)).unwrap(), ["one"]);
    assert_eq!(scene.restored(Some(&second.id)).unwrap(), ["one", "two"]);
    assert_eq!(list(&scene.backups()).unwrap().len(), 3);
    scene.backup(2, Options { keep: Some(2), ..Options::default() });
    let left: Vec<_> = list(&scene.backups()).unwrap().into_iter().map(|m| m.id).collect();
    assert_eq!(left, ["19700101T000001Z", "19700101T000002Z"]);
    for id in &left {
        assert_eq!(scene.restored(Some(id)).unwrap(), ["one", "two"]);
    }
    assert!(matches!(scene.restored(Some(&first.id)), Err(BackupError::NoBackup { .. })));
}

#[test]
fn st_26_a_damaged_or_missing_file_is_named_and_nothing_is_restored() {
    let scene = Scene::new();
    scene.stage("one");
    scene.store.seal().unwrap();
    scene.backup(0, Options::default());
    let (path, name) = segment_file(&scene.backups());
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let cut = whole[..whole.len() - 1].to_vec();
    for bytes in [Some(flipped), Some(cut), None] {
        match &bytes {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        for error in
            [scene.restored(None).unwrap_err(), check(&scene.backups(), None, |_| {}).unwrap_err()]
        {
            let named = error.to_string();
            assert!(named.contains(&name) && named.contains(path.to_str().unwrap()), "{named}");
            assert_eq!(matches!(error, BackupError::Missing { .. }), bytes.is_none());
        }
        assert!(!scene.folder.path().join("restored").exists(), "not even half");
    }
    fs::write(&path, whole).unwrap();
    check(&scene.backups(), None, |_| {}).unwrap();
    assert_eq!(scene.restored(None).unwrap(), ["one"]);
}

#[test]
fn st_26_every_file_is_missed_by_its_name() {
    let scene = Scene::new();
    scene.stage("sealed");
    scene.store.seal().unwrap();
    scene.stage("staged");
    scene.backup(0, Options::default());
    let manifest = list(&scene.backups()).unwrap().pop().unwrap();
    assert!(manifest.files.len() > 4, "{:?}", manifest.files);
    for file in &manifest.files {
        let path = scene.backups().join("files").join(&file.blake3);
        // Two that are equal are kept once: one of them is named.
        let names: Vec<_> =
            manifest.files.iter().filter(|other| other.blake3 == file.blake3).collect();
        let whole = fs::read(&path).unwrap();
        let damaged = [&whole[..], b"x"].concat();
        for bytes in [None, Some(damaged)] {
            match &bytes {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let error = scene.restored(None).unwrap_err().to_string();
            assert!(names.iter().any(|file| error.contains(&file.name)), "{}: {error}", file.name);
            assert!(!scene.folder.path().join("restored").exists(), "not even half");
        }
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(scene.restored(None).unwrap(), ["sealed", "staged"]);
}

#[test]
fn a_damaged_manifest_is_no_backup() {
    let scene = Scene::new();
    scene.stage("one");
    scene.backup(0, Options::default());
    let path = scene.backups().join("19700101T000000Z.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"size\": ", "\"size\": 1", 1)).unwrap();
    assert!(matches!(scene.restored(None), Err(BackupError::Manifest(_))));
    assert_eq!(list(&scene.backups()).unwrap(), []);
    fs::write(&path, text.replacen("\"format\": 1", "\"format\": 99", 1)).unwrap();
    assert!(matches!(scene.restored(None), Err(BackupError::Newer { found: 99, .. })));
    fs::remove_file(&path).unwrap();
    assert!(matches!(scene.restored(None), Err(BackupError::NoBackup { .. })));
    // Its files are of use to the next.
    let next = scene.backup(1, Options { full: true, ..Options::default() });
    assert!(next.copied_files < next.files);
}

#[test]
fn a_manifest_cannot_name_what_is_elsewhere() {
    let scene = Scene::new();
    scene.stage("one");
    scene.backup(0, Options::default());
    let mut manifest = list(&scene.backups()).unwrap().pop().unwrap();
    for name in ["../evil", "db/../../evil", "/etc/evil", "db", "evil", "db/a/b"] {
        name.clone_into(&mut manifest.files[0].name);
        let text = manifest.to_text();
        let read = Manifest::parse(Path::new("x"), text.as_bytes());
        assert!(matches!(read, Err(BackupError::Manifest(_))), "{name}");
    }
}

#[test]
fn folders_of_something_else_are_refused() {
    let scene = Scene::new();
    scene.stage("one");
    let made = scene.store.checkpoint().unwrap();
    assert!(scene.store.checkpoint().is_err(), "one at a time");
    assert!(scene.store.keep_checkpoint(&made.id) && !scene.store.keep_checkpoint("other"));
    let full = scene.folder.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("letter.txt"), "dear").unwrap();
    let now = Timestamp::from_micros(0);
    let refused = backup(&made.path, &full, Options::default(), now, |_| {});
    assert!(matches!(refused, Err(BackupError::Foreign(_))));
    backup(&made.path, &scene.backups(), Options::default(), now, |_| {}).unwrap();
    let refused = restore(&scene.backups(), None, &full, |_| {});
    assert!(matches!(refused, Err(BackupError::NotEmpty(_))));
    assert_eq!(fs::read_dir(&full).unwrap().count(), 1);
    assert!(matches!(restore(&full, None, &full, |_| {}), Err(BackupError::NoFolder(_))));
}

#[test]
fn only_the_owner_reads_backups_and_what_was_restored() {
    let scene = Scene::new();
    scene.stage("one");
    scene.store.seal().unwrap();
    scene.backup(0, Options::default());
    scene.restored(None).unwrap();
    let data = scene.folder.path().join("restored");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (file, _) = segment_file(&scene.backups());
    assert_eq!((mode(&scene.backups()), mode(&file)), (0o700, 0o600));
    assert_eq!((mode(&data), mode(&data.join(ENGINE))), (0o700, 0o700));
}

#[test]
fn what_a_restore_left_that_was_cut_short_is_no_obstacle() {
    let scene = Scene::new();
    scene.stage("one");
    scene.backup(0, Options::default());
    let to = scene.folder.path().join("cut");
    fs::create_dir_all(to.join("restoring/db")).unwrap();
    fs::write(to.join("restoring/db/000001.sst"), "half").unwrap();
    assert!(Db::open(&to, &crate::db::Options::default()).is_err(), "no store is made of it");
    restore(&scene.backups(), None, &to, |_| {}).unwrap();
    assert_eq!(messages(&open(&to)), ["one"]);
}
