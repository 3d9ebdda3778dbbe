//! Damage in the engine's own files: bits that flip, files that go.

use std::fs;
use std::path::{Path, PathBuf};

use super::tests::{all, batch, open, origin};
use super::*;
use crate::db::{ENGINE, TableFile, mark};

/// A store whose files hold all there is, which was closed, and a picture of it to damage.
struct Closed {
    folder: tempfile::TempDir,
    segments: Vec<TableFile>,
    catalog: Vec<TableFile>,
}

impl Closed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("first"));
        for n in 0..3 {
            // More than one block of the engine each, so that not all of a file is lost at once.
            store.stage([&batch(&origin("a"), n * 10_000..(n + 1) * 10_000, 0)]).unwrap();
            store.seal().unwrap();
        }
        let whole = folder.path().join("data");
        store.db.checkpoint(&whole.join(ENGINE)).unwrap(); // which writes the catalog out
        mark(&whole).unwrap();
        let here = |file: TableFile| {
            let path = whole.join(ENGINE).join(file.path.file_name().unwrap());
            TableFile { path, ..file }
        };
        let files = |family| store.db.files(family).unwrap().into_iter().map(here).collect();
        let (mut segments, catalog): (Vec<TableFile>, _) =
            (files(Family::Segments), files(Family::Catalog));
        segments.sort_by(|a, b| a.first.cmp(&b.first));
        Self { folder, segments, catalog }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

/// Flips a bit in a file that may be linked elsewhere too.
fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// How many rows can be read, and how many sources cannot.
fn readable(store: &Store) -> (u64, usize) {
    let (mut rows, mut unreadable) = (0, 0);
    for source in store.sources("a", i64::MIN, i64::MAX) {
        let read = store.view(&source).and_then(|view| view.column("message").map(|_| view.rows()));
        match read {
            Ok(read) => rows += u64::from(read),
            Err(error) => {
                assert!(error.is_damage() || matches!(error, Error::Quarantined { .. }), "{error}");
                unreadable += 1;
            }
        }
    }
    (rows, unreadable)
}

#[test]
fn st_15_a_flipped_bit_costs_its_block_alone() {
    let closed = Closed::new();
    let file = &closed.segments[1].path;
    let middle = fs::read(file).unwrap().len() / 2;
    flip(file, middle);
    let store = open(&closed.data());
    let mut place = ScrubPlace::default();
    while store.scrub(&mut place, |_| true) {}
    let marks = store.quarantined();
    assert!(!marks.is_empty() && marks.iter().all(|mark| mark.segment == 1), "{marks:?}");
    let (rows, unreadable) = readable(&store);
    assert!(rows >= 20_000 && unreadable == marks.len(), "{rows} rows, {marks:?}");
    drop(store);
    let store = open(&closed.data());
    assert_eq!(readable(&store), (rows, unreadable));
    store.stage([&batch(&origin("a"), 0..10, 0)]).unwrap();
    store.seal().unwrap();
    assert_eq!(readable(&store), (rows + 10, unreadable));
}

/// Copies a store that is closed.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// The numbers of the events that can be read; each is what was stored.
fn numbers(store: &Store) -> Vec<i64> {
    let mut found = Vec::new();
    for source in store.sources("a", i64::MIN, i64::MAX) {
        let Ok(view) = store.view(&source) else { continue };
        let (Ok(head), Ok(Some(messages))) = (view.head(), view.column("message")) else {
            continue;
        };
        for row in 0..view.rows() {
            let number = head.time(row).unwrap();
            let message = messages.with(row, |value| value.to_text().into_owned());
            assert_eq!(message, Some(format!("event {number}")));
            found.push(number);
        }
    }
    found.sort_unstable();
    found
}

/// A file of a segment that is gone, cut anywhere, zeroed or flipped in any of its parts: data,
/// index, properties, footer. The store opens, what is in other files is whole, and what is read of
/// this one is what was written.
#[test]
fn st_16_damage_anywhere_in_a_file_costs_that_file_alone() {
    let closed = Closed::new();
    let name = closed.segments[1].path.file_name().unwrap();
    let whole = fs::read(&closed.segments[1].path).unwrap();
    let len = whole.len();
    let cuts = [0, len / 2, len - 1000, len - 53, len - 1];
    let mut damages: Vec<Option<Vec<u8>>> = cuts.map(|len| Some(whole[..len].to_vec())).into();
    damages.push(None);
    for at in [0, len / 2, len - 4096] {
        let mut zeroed = whole.clone();
        zeroed[at..at + 4096].fill(0);
        damages.push(Some(zeroed));
    }
    // The footer has 53 bytes, and index and properties are before it.
    let ends = (1..=53).step_by(13).chain((54..3000).step_by(421)).map(|end| len - end);
    for at in ends.chain((0..len - 3000).step_by(len / 2)) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        damages.push(Some(flipped));
    }
    let mut harmed = 0;
    for (number, damage) in damages.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        copy(&closed.data(), folder.path());
        let file = folder.path().join(ENGINE).join(name);
        match &damage {
            Some(bytes) => fs::write(&file, bytes).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let store = open(folder.path());
        let mut place = ScrubPlace::default();
        while store.scrub(&mut place, |_| true) {}
        let found = numbers(&store);
        let others = found.iter().filter(|n| !(10_000..20_000).contains(*n)).count();
        assert_eq!(others, 20_000, "damage {number}");
        let is_marked = !store.quarantined().is_empty();
        assert!(is_marked || found.len() == 30_000, "damage {number}: {} rows", found.len());
        assert!(store.quarantined().iter().all(|mark| mark.segment == 1), "damage {number}");
        harmed += usize::from(is_marked);
        store.stage([&batch(&origin("a"), 30_000..30_010, 0)]).unwrap();
    }
    assert!(harmed > 10, "only {harmed} of them harmed anything");
}

#[test]
fn st_17_a_segment_that_is_not_there_is_reported() {
    let closed = Closed::new();
    let db = Db::open(&closed.data(), &db::Options::default()).unwrap();
    db.drop_segments(&1_u64.to_be_bytes(), &2_u64.to_be_bytes()).unwrap();
    drop(db);
    let store = open(&closed.data());
    let marks = store.quarantined();
    assert_eq!((marks.len(), marks[0].segment, marks[0].block), (1, 1, None));
    assert_eq!(&*marks[0].reason, "expected its file, but found none");
    assert_eq!(readable(&store).0, 20_000);
}

/// Puts bytes in the place of a bucket of the first segment's token map.
fn damage_tokens(store: &Store) {
    let (id, file) = (0, store.folder().unwrap().join("damage.sst"));
    let key = Segment::key(id, segment::ChunkAt::bucket(0));
    assert!(store.db.get(Family::Segments, &key).unwrap().is_some());
    store.db.ingest(&file, [(key, b"not a bucket")]).unwrap();
}

#[test]
fn a_damaged_token_map_is_made_anew_by_the_next_merge() {
    let token = tokens::Token::of("event");
    // Whoever meets it: the scrubber, or a query.
    for is_scrubbed in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        store.stage([&batch(&origin("a"), 0..100, 0)]).unwrap();
        store.seal().unwrap();
        let merge = |what| store.merge(what, |_| std::ops::ControlFlow::Continue(())).unwrap();
        assert!(!merge(Merge::Small), "nothing is due");
        damage_tokens(&store);
        let segment = || store.state.read().segments.values().next().cloned().unwrap();
        if is_scrubbed {
            let mut place = ScrubPlace::default();
            while store.scrub(&mut place, |_| true) {}
        } else {
            assert!(store.blocks_with(&segment(), token).unwrap_err().is_damage());
        }
        assert_eq!(store.quarantined(), [], "no event is lost with it");
        assert!(!merge(Merge::Pressing) && merge(Merge::Small));
        assert_eq!((segment().id, segment().level), (1, 1));
        assert!(store.blocks_with(&segment(), token).unwrap().iter().eq(0..3));
        assert_eq!(all(&store, "a").len(), 100);
        assert!(!merge(Merge::Small), "once is enough");
    }
}

#[test]
fn a_catalog_that_cannot_be_read_whole_is_no_reason_not_to_start() {
    let closed = Closed::new();
    // Rows are compressed, and all in one block of the engine: none of them can be read.
    flip(&closed.catalog[0].path, 20);
    for round in 0..3 {
        let store = open(&closed.data());
        assert_eq!(store.quarantined().len(), 3);
        assert_eq!(readable(&store), (round * 10, 3));
        for file in &closed.segments {
            assert!(file.path.exists(), "no segment is removed");
        }
        let before = store.last_id();
        assert!(before >= 30_000, "ids are not given twice: {before}");
        store.stage([&batch(&origin("a"), 0..10, 0)]).unwrap();
        if round > 0 {
            store.seal().unwrap();
        }
        assert_eq!(readable(&store), (round * 10 + 10, 3));
    }
    let whole = open(&closed.folder.path().join("first"));
    assert_eq!(all(&whole, "a").len(), 30_000);
}
