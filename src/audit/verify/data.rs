//! The log in a data folder, and the segments that it tells of.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde_json::Value;

use super::chain::{Chain, Start};
use super::{Fault, Trust, Verified};
use crate::audit::Entry;
use crate::audit::rows;
use crate::audit::tree::{Frontier, Hash, Node};
use crate::db::{self, Db, Family};

/// The segments of the store, as whoever knows them tells.
pub trait Segments {
    /// Those that the catalog names, in order.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    fn ids(&self) -> Result<Vec<u64>, String>;

    /// The hash of one, in hex.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    fn hash(&self, id: u64) -> Result<String, String>;
}

/// The segments that there should be: the entry that says so, and the hash, in hex.
type Expected = BTreeMap<u64, (u64, String)>;

/// Verifies the log of a store, and every segment. `each` hears how many entries, then how many
/// segments were verified.
///
/// # Errors
///
/// What is wrong with it.
pub fn data(
    db: &Db,
    segments: &dyn Segments,
    trust: &Trust,
    mut each: impl FnMut(u64),
) -> Result<Verified, Fault> {
    let unread = |error: db::Error| Fault::new(format!("the log cannot be read: {error}"));
    let origin = db.get(Family::Audit, rows::ORIGIN).map_err(unread)?;
    let origin = origin
        .ok_or_else(|| Fault::new("expected an audit log in the data folder, but found none"))?;
    let origin = String::from_utf8_lossy(&origin).into_owned();
    let mut keys = Vec::new();
    db.scan(Family::Audit, rows::PUBLIC_KEY, |_, key| {
        keys.push(String::from_utf8_lossy(key).into_owned());
    })
    .map_err(unread)?;
    let start = Start { origin, log: Frontier::default(), previous: Hash::default() };
    let mut chain = Chain::new(start, &keys, trust)?;
    let mut notes = Vec::new();
    db.scan(Family::Audit, rows::CHECKPOINT, |key, note| {
        notes.extend(rows::number(key).map(|size| (size, note.to_owned())));
    })
    .map_err(unread)?;
    for (size, note) in notes {
        chain.checkpoint(size, &note)?;
    }
    let (mut expected, mut least) = (Expected::new(), u64::MAX);
    loop {
        let some = entries(db, chain.next()).map_err(unread)?;
        if some.is_empty() {
            break;
        }
        for (bytes, kept) in some {
            if let Some(entry) = chain.entry(&bytes, kept)? {
                least = least.min(follow(&entry, &mut expected));
            }
        }
        each(chain.next());
    }
    let next = chain.next();
    let left =
        db.get(Family::Audit, &rows::node(Node { level: 0, number: next })).map_err(unread)?;
    let mut done = chain.finish(false, None)?;
    if left.is_some() {
        return Err(Fault::at(
            next,
            format!("entry {next} and those behind it were cut off: their hashes are there"),
        ));
    }
    compare(segments, &expected, least, &mut done, each)?;
    Ok(done)
}

/// An entry, and the hash that is kept of it.
type Kept = (Vec<u8>, Option<Hash>);

/// Some entries from number `first` on, with the hashes that are kept of them. One that was taken
/// out of the store leaves the place of the next to whoever comes.
fn entries(db: &Db, first: u64) -> Result<Vec<Kept>, db::Error> {
    let mut found = Vec::new();
    let end = rows::entry(u64::MAX);
    db.scan_range(Family::Audit, &rows::entry(first), &end, |_, bytes| {
        found.push((bytes.to_owned(), None));
        if found.len() < CHUNK { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    for (number, (_, kept)) in (first..).zip(&mut found) {
        let hash = db.get(Family::Audit, &rows::node(Node { level: 0, number }))?;
        *kept = hash.and_then(|hash| <[u8; 32]>::try_from(hash).ok()).map(Hash);
    }
    Ok(found)
}

/// Does to the segments that should be there what an entry says; the least id that it names.
fn follow(entry: &Entry, expected: &mut Expected) -> u64 {
    let mut least = u64::MAX;
    if Entry::is_of_somebody(&entry.event) {
        return least;
    }
    let list = |name| entry.details.get(name).and_then(Value::as_array).into_iter().flatten();
    let id = |value: &Value| {
        let text = value.get("segment").and_then(Value::as_str)?;
        u64::from_str_radix(text, 16).ok()
    };
    for gone in list("old") {
        if let Some(id) = id(gone) {
            expected.remove(&id);
            least = least.min(id);
        }
    }
    for made in list("new") {
        let hash = made.get("hash").and_then(Value::as_str);
        if let Some((id, hash)) = id(made).zip(hash) {
            expected.insert(id, (entry.index, hash.to_owned()));
            least = least.min(id);
        }
    }
    least
}

/// Compares the segments that there are with those that there should be.
fn compare(
    segments: &dyn Segments,
    expected: &Expected,
    least: u64,
    done: &mut Verified,
    mut each: impl FnMut(u64),
) -> Result<(), Fault> {
    let found = segments
        .ids()
        .map_err(|error| Fault::new(format!("the catalog cannot be read: {error}")))?;
    if let Some((id, (entry, _))) = expected.iter().find(|(id, _)| found.binary_search(id).is_err())
    {
        return Err(Fault::at(
            *entry,
            format!("segment {id:016x} of entry {entry} is gone, and no entry says why"),
        ));
    }
    let mut older = 0;
    for id in found {
        let Some((entry, hash)) = expected.get(&id) else {
            if id >= least {
                return Err(Fault::new(format!(
                    "segment {id:016x} is in the store, and no entry says so"
                )));
            }
            older += 1;
            continue;
        };
        let found = segments.hash(id);
        if found.as_ref() != Ok(hash) {
            let found = found.unwrap_or_else(|error| error);
            return Err(Fault::at(
                *entry,
                format!(
                    "segment {id:016x} is not what entry {entry} says: expected {hash}, but found {found}"
                ),
            ));
        }
        done.segments += 1;
        each(done.segments);
    }
    if older > 0 {
        done.notes
            .push(format!("{older} segments are older than the log: nothing is known of them"));
    }
    Ok(())
}

/// Entries that are read together.
const CHUNK: usize = 1024;
