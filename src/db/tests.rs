//! The disk at arm's length, on a real folder.

use super::*;

fn open(path: &Path) -> Result<Db, Error> {
    Db::open(path, &Options::default())
}

#[test]
fn what_was_committed_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path()).unwrap();
    let mut write = Write::default();
    write.put(Family::Stage, b"a".as_slice(), b"1".as_slice());
    write.put(Family::Catalog, b"b".as_slice(), b"2".as_slice());
    write.delete(Family::Stage, b"c".as_slice());
    db.commit(&write).unwrap();
    drop(write);
    drop(db);
    let db = open(folder.path()).unwrap();
    assert_eq!(db.get(Family::Stage, b"a").unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(db.get(Family::Catalog, b"b").unwrap().as_deref(), Some(&b"2"[..]));
    assert_eq!(db.get(Family::Meta, b"a").unwrap(), None);
}

#[test]
fn segments_are_ingested_and_dropped_whole() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path()).unwrap();
    for id in [b'1', b'2'] {
        let file = folder.path().join(format!("{id}.sst"));
        db.ingest(&file, [([id, b'x'], b"v")]).unwrap();
        assert!(!file.exists(), "moved, not copied");
    }
    db.drop_segments(b"1", b"2").unwrap();
    assert_eq!(db.get(Family::Segments, b"1x").unwrap(), None);
    assert_eq!(db.get(Family::Segments, b"2x").unwrap().as_deref(), Some(&b"v"[..]));
}

#[test]
fn what_else_is_in_the_folder_stays_there() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    drop(open(folder.path()).unwrap());
    drop(open(folder.path()).unwrap());
    assert_eq!(std::fs::read_to_string(folder.path().join("letter.txt")).unwrap(), "dear");
}

#[test]
fn a_store_that_lost_its_marker_is_not_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    std::fs::remove_dir_all(folder.path().join("db")).unwrap();
    std::fs::remove_file(folder.path().join("LOGTRACE")).unwrap();
    let refused = open(folder.path()).unwrap_err();
    assert!(
        matches!(&refused, Error::NoMarker(left) if left.ends_with("logtrace.pid")),
        "{refused}"
    );
    for left in ["SYNCED", "ANSWERED", "BALLAST", "audit.key", "restoring", "LOGTRACE-BACKUP"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(left), "").unwrap();
        assert!(matches!(open(folder.path()), Err(Error::NoMarker(_))), "{left}");
    }
}

#[test]
fn a_store_that_lost_its_files_is_not_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    std::fs::remove_dir_all(folder.path().join("db")).unwrap();
    assert!(matches!(open(folder.path()), Err(Error::Missing(_))));
}

#[test]
fn up_02_a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    std::fs::write(folder.path().join("LOGTRACE"), "format 99\n").unwrap();
    assert!(matches!(open(folder.path()), Err(Error::Newer { found: 99, .. })));
}

#[test]
fn the_holder_of_a_store_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let _held = open(folder.path()).unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
}

fn no_room() -> Error {
    Error::File { path: "x".into(), error: std::io::Error::from_raw_os_error(28) }
}

#[test]
fn a_refused_change_of_meta_does_not_show_when_it_is_opened_again() {
    // By the same process, and by the next.
    for is_reopened in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open(folder.path()).unwrap();
        db.meta_put(b"changed", b"before").unwrap();
        db.meta_put(b"deleted", b"before").unwrap();
        let mut write = Write::default();
        write.put(Family::Meta, b"changed".as_slice(), b"after".as_slice());
        write.put(Family::Meta, b"new".as_slice(), b"after".as_slice());
        write.put(Family::Audit, b"new".as_slice(), b"after".as_slice());
        write.delete(Family::Meta, b"deleted".as_slice());
        let mut staged = Write::default();
        staged.put(Family::Stage, b"staged".as_slice(), b"after".as_slice());
        // Refused, and yet they reached the log.
        for write in [&write, &staged] {
            db.refuse(&db.engine().unwrap(), &[write], &no_room());
            db.engine().unwrap().commit(&[write]).unwrap();
        }
        db.latch(Trouble::Full);
        if is_reopened {
            db.reopen().unwrap();
        } else {
            drop(db);
            db = open(folder.path()).unwrap();
        }
        assert_eq!(db.meta_get(b"changed").unwrap().as_deref(), Some(&b"before"[..]));
        assert_eq!(db.meta_get(b"deleted").unwrap().as_deref(), Some(&b"before"[..]));
        assert_eq!(db.meta_get(b"new").unwrap(), None);
        assert_eq!(db.get(Family::Audit, b"new").unwrap(), None);
        assert!(db.get(Family::Stage, b"staged").unwrap().is_some(), "of the store's care");
        // What is done from then on stays.
        db.meta_put(b"changed", b"later").unwrap();
        drop(db);
        let db = open(folder.path()).unwrap();
        assert_eq!(db.meta_get(b"changed").unwrap().as_deref(), Some(&b"later"[..]));
    }
}

#[test]
fn a_change_that_was_done_after_a_refused_one_is_not_undone() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path()).unwrap();
    let mut write = Write::default();
    write.put(Family::Meta, b"a".as_slice(), b"refused".as_slice());
    db.refuse(&db.engine().unwrap(), &[&write], &no_room());
    db.meta_put(b"a", b"done").unwrap();
    drop((db, write));
    let db = open(folder.path()).unwrap();
    assert_eq!(db.meta_get(b"a").unwrap().as_deref(), Some(&b"done"[..]));
}

#[test]
fn what_rides_goes_with_the_next_commit_and_by_itself_if_told() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(folder.path(), &Options::default()).unwrap();
    let kept = |db: &Db| db.meta_get(b"hour").unwrap();
    db.ride(b"hour".to_vec(), b"1".to_vec());
    assert_eq!(kept(&db), None);
    db.meta_put(b"other", b"x").unwrap();
    assert_eq!(kept(&db).as_deref(), Some(&b"1"[..]));
    db.ride(b"hour".to_vec(), b"2".to_vec());
    db.ride(b"hour".to_vec(), b"3".to_vec());
    db.carry().unwrap();
    assert_eq!(kept(&db).as_deref(), Some(&b"3"[..]));
}
