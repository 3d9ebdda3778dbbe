//! Damage is set aside, said, and taken back when it is mended.

use super::fixtures::{NOW, TestStore, answer, request, texts};
use crate::query::{Histogram, Page, delete, histogram, run};
use crate::store::ScrubPlace;
use crate::time::{DAY, Timestamp};

/// Three segments of two events each, and one of another project.
fn segments() -> TestStore {
    let store = TestStore::new();
    for n in 0..3 {
        store.stage_messages("p", &[(n * 10, "a one"), (n * 10 + 1, "a two")]);
        store.seal().unwrap();
    }
    store.stage_messages("other", &[(0, "a")]);
    store.seal().unwrap();
    store
}

fn partial(store: &TestStore) -> (usize, Vec<String>) {
    let Page { logs, meta } = run(store, &request("a")).unwrap();
    assert_eq!(meta.partial, !meta.partial_reasons.is_empty());
    (logs.len(), meta.partial_reasons)
}

/// Reads everything once.
fn scrub(store: &TestStore) -> u64 {
    let (mut place, mut bytes) = (ScrubPlace::default(), 0);
    while store.scrub(&mut place, |read| {
        bytes += read;
        true
    }) {}
    assert_eq!(place, ScrubPlace::default());
    bytes
}

const DAMAGE: Option<&[u8]> = Some(b"not a chunk, but long enough");

#[test]
fn st_15_damage_is_remembered_and_can_be_mended() {
    let mut store = segments();
    let whole = store.chunk(1, 0).unwrap();
    assert!(store.lift(1).is_err(), "nothing is in quarantine");
    store.damage(1, 0, DAMAGE);
    let (found, first) = partial(&store);
    assert_eq!((found, first.len(), store.usage().quarantined_segments), (4, 1, 1));
    for _ in 0..2 {
        let reason = "segment 0000000000000001, block 0: in quarantine: \
                      expected the checksum of a chunk, but found damaged bytes";
        assert_eq!(partial(&store), (4, vec![reason.to_owned()]));
        store.reopen();
    }
    let left = store.lift(1).unwrap();
    assert_eq!((left.len(), left[0].block, left[0].project.as_deref()), (1, Some(0), Some("p")));
    assert_eq!(partial(&store).0, 4);
    store.damage(1, 0, Some(&whole));
    assert_eq!(partial(&store).0, 4, "it is not read before it is lifted");
    assert_eq!(store.lift(1).unwrap(), []);
    assert_eq!(partial(&store), (6, Vec::new()));
    store.reopen();
    assert_eq!((partial(&store).0, store.rows_in_catalog("quarantine/")), (6, 0));
}

#[test]
fn st_28_the_scrubber_finds_what_nobody_asked_for() {
    let store = segments();
    let bytes = scrub(&store);
    assert!(bytes > 100 && store.quarantined().is_empty());
    store.damage(0, 1, DAMAGE);
    store.damage(2, 1, None);
    scrub(&store);
    let found: Vec<_> = store.quarantined().iter().map(|mark| mark.segment).collect();
    assert_eq!(found, [0, 2]);
    assert!(store.quarantined()[0].reason.contains("checksum"));
    assert!(store.quarantined()[1].reason.contains("but found none"));
    assert_eq!(partial(&store).0, 2);
    // A pace that says stop is asked again from the same segment on.
    let mut place = ScrubPlace::default();
    assert!(!store.scrub(&mut place, |_| false));
    assert_eq!(place, ScrubPlace::default());
}

#[test]
fn st_17_a_damaged_row_of_the_catalog_costs_its_segment_alone() {
    for row in [&b""[..], b"\x01", b"\x63nonsense", b"\x01nonsense that is somewhat longer"] {
        let mut store = segments();
        let change = |found: &[u8]| {
            let is_second = found.get(1) == Some(&1);
            Some(if is_second { row.to_vec() } else { found.to_vec() })
        };
        store.change_catalog("segment/", change);
        for _ in 0..2 {
            store.reopen();
            let (found, reasons) = partial(&store);
            let reason = "segment 0000000000000001, block 0: in quarantine: \
                          expected its row in the catalog, but found damaged bytes";
            assert_eq!((found, reasons), (4, vec![reason.to_owned()]));
            assert_eq!(store.first_segment(1), Some(1), "its data is left alone");
        }
        // Its number is not given to another.
        store.stage_messages("p", &[(50, "a three")]);
        store.seal().unwrap();
        assert_eq!(partial(&store).0, 5);
        assert_eq!(store.lift(1).unwrap().len(), 1, "it comes back with its row");
        scrub(&store);
        store.expire(NOW.plus(400 * DAY)).unwrap();
    }
}

#[test]
fn st_17_two_rows_for_one_segment() {
    let mut store = segments();
    let first = std::cell::RefCell::new(Vec::new());
    store.change_catalog("segment/", |row| {
        let mut first = first.borrow_mut();
        if first.is_empty() {
            *first = row.to_vec();
        }
        let is_second = row.get(1) == Some(&1);
        Some(if is_second { first.clone() } else { row.to_vec() })
    });
    store.reopen();
    let (found, reasons) = partial(&store);
    assert_eq!((found, reasons.len()), (4, 1), "each event once, and the other is missed");
}

#[test]
fn the_catalog_does_not_count_what_is_in_quarantine() {
    let mut store = segments();
    let counted = |store: &TestStore| {
        let asked = Histogram { which: request("*").into(), interval: None, by: None, limit: 1 };
        let meta = histogram(store, &asked).unwrap().meta;
        (meta.count, meta.partial)
    };
    assert_eq!(counted(&store), (6, false));
    delete(&store, &request("one")).unwrap();
    assert_eq!(counted(&store), (3, false));
    store.change_catalog("tombstone/", |_| Some(b"nonsense".to_vec()));
    store.reopen();
    assert_eq!(counted(&store), (0, true), "nobody knows which of its rows were deleted");
}

#[test]
fn what_the_damage_of_others_does_not_touch_is_whole() {
    let store = segments();
    store.damage(1, 0, DAMAGE);
    partial(&store);
    let mut other = request("a");
    other.project = "other".into();
    assert_eq!(answer(&store, &other).logs.len(), 1);
    let mut late = request("a");
    late.from = Timestamp::from_micros(20);
    assert_eq!(texts(&answer(&store, &late).logs, "message").len(), 2);
}
