//! Reads segments to see whether they still are what was written: a disk that forgets says nothing
//! until somebody asks, and what is old is seldom asked for.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use super::chunk::check;
use super::segment::{ChunkAt, Segment};
use super::tokens::TokenMap;
use super::{Error, Store};
use crate::db::Family;

/// What a look at a whole segment found.
#[derive(Debug, Default)]
pub(super) struct Verified {
    /// The blocks that are damaged, each once, and how.
    pub(super) damage: Vec<(u32, Error)>,
    /// What is wrong with the token map.
    pub(super) tokens: Option<Error>,
    /// Whether all of it was read.
    pub(super) is_done: bool,
}

/// How far a scrubber is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrubPlace(Option<u64>);

impl Store {
    /// Reads the next segment behind `place`, and sets aside what is damaged. `pace` is told of
    /// bytes that were read, may wait, and says whether to go on.
    ///
    /// Returns whether there was one that was read to its end; without one the round is over, and
    /// `place` is at the beginning again.
    pub fn scrub(&self, place: &mut ScrubPlace, pace: impl FnMut(u64) -> bool) -> bool {
        let from = place.0.map_or(Bound::Unbounded, Bound::Excluded);
        let state = self.state.read();
        let next = state.segments.range((from, Bound::Unbounded)).next();
        let next = next.map(|(_, segment)| Arc::clone(segment));
        drop(state);
        let Some(segment) = next else {
            place.0 = None;
            return false;
        };
        let found = self.verify(&segment, pace);
        for (block, error) in &found.damage {
            self.report_damage(segment.id, Some(*block), error);
        }
        if let Some(error) = &found.tokens {
            self.mend_tokens(segment.id, error);
        }
        if found.is_done {
            place.0 = Some(segment.id);
        }
        found.is_done
    }

    /// Reads all of a segment, past the cache, and compares it with its checksums and with what the
    /// catalog says is there.
    pub(super) fn verify(&self, segment: &Segment, mut pace: impl FnMut(u64) -> bool) -> Verified {
        let mut verified = Verified::default();
        let mut left: BTreeSet<ChunkAt> = segment.chunks().chain(segment.buckets()).collect();
        let (start, end) = (segment.id.to_be_bytes(), (segment.id + 1).to_be_bytes());
        let mut from = start.to_vec();
        loop {
            let mut bytes = 0;
            let read = self.db.read_through(Family::Segments, &from, &end, STRIDE, |key, chunk| {
                bytes += (key.len() + chunk.len()) as u64;
                // Keys that are not of chunks are covered by the engine's checksums.
                if let Some(at) = ChunkAt::of_key(key).filter(|at| left.remove(at)) {
                    verified.note(at, whole(at, chunk));
                }
            });
            if !pace(bytes) {
                return verified;
            }
            match read {
                Ok(Some(next)) => from = next,
                Ok(None) => break,
                // An iteration cannot go on behind damage; the rest is asked for one by one.
                Err(error) if error.is_damage() => break,
                Err(_) => return verified, // of the system: another time
            }
        }
        for at in left {
            let chunk = self.db.read(Family::Segments, &Segment::key(segment.id, at));
            let bytes = chunk.as_ref().ok().and_then(Option::as_ref).map_or(0, Vec::len);
            let missing = Error::ChunkMissing { segment: segment.id };
            let chunk = chunk.map_err(Error::from).and_then(|chunk| chunk.ok_or(missing));
            verified.note(at, chunk.and_then(|chunk| whole(at, &chunk)));
            if !pace(bytes as u64) {
                return verified;
            }
        }
        verified.is_done = true;
        verified
    }
}

impl Verified {
    fn note(&mut self, at: ChunkAt, read: Result<(), Error>) {
        let Err(error) = read else { return };
        let block = at.block();
        if at.bucket_number().is_some() {
            self.tokens = Some(error).filter(Error::is_damage).or(self.tokens.take());
        } else if error.is_damage() && self.damage.iter().all(|(known, _)| *known != block) {
            self.damage.push((block, error));
        }
    }
}

/// Says whether a chunk, or a bucket of the token map, is what was written.
fn whole(at: ChunkAt, chunk: &[u8]) -> Result<(), Error> {
    match at.bucket_number() {
        Some(number) => Ok(TokenMap::check(chunk, number)?),
        None => Ok(check(chunk).map(|_| ())?),
    }
}

/// What is read without a pause, in bytes.
const STRIDE: usize = 1 << 20;
