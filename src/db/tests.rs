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
fn a_folder_of_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    assert!(matches!(open(folder.path()), Err(Error::NotAStore(_))));
    assert!(folder.path().join("letter.txt").exists());
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
