//! Puts the chunks of GELF messages together.

use std::collections::VecDeque;
use std::hash::Hash;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::{MAX_CHUNKS, MAX_PENDING, MAX_PENDING_BYTES, MAX_PENDING_OF_ONE, VALIDITY};

/// What a datagram is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk<'d> {
    /// A message by itself.
    Whole(&'d [u8]),
    /// The last chunk that was missing: here is the message.
    Last(Vec<u8>),
    /// A chunk of a message of which others are missing; or one that came before.
    Part,
    /// No chunk that a sender should send.
    Bad {
        /// What was expected, and what was found.
        what: &'static str,
    },
}

/// The messages of senders `P` of which a chunk is missing.
#[derive(Debug)]
pub struct Chunks<P> {
    pending: FxHashMap<Id<P>, Pending>,
    /// Who has how many.
    pub(super) counts: FxHashMap<P, usize>,
    /// Those that are, or were, pending, by the time of their first chunk.
    pub(super) order: VecDeque<(Duration, Id<P>)>,
    /// What `pending` takes.
    bytes: usize,
    given_up: u64,
    given_up_bytes: u64,
}

/// A sender, and the number that it gave its message.
type Id<P> = (P, [u8; 8]);

#[derive(Debug)]
struct Pending {
    /// When its first chunk came.
    since: Duration,
    count: u8,
    /// The chunks that are here, a bit for each.
    seen: u128,
    /// All chunks, as they came.
    data: Vec<u8>,
    /// Where each chunk is in `data`: its number, and where it ends.
    parts: Vec<(u8, usize)>,
}

impl<P> Default for Chunks<P> {
    fn default() -> Self {
        Self {
            pending: FxHashMap::default(),
            counts: FxHashMap::default(),
            order: VecDeque::new(),
            bytes: 0,
            given_up: 0,
            given_up_bytes: 0,
        }
    }
}

impl<P: Copy + Eq + Hash> Chunks<P> {
    /// Takes a datagram of `peer`. `now` is read from a clock that nobody sets, the same at every
    /// call.
    pub fn take<'d>(&mut self, peer: P, datagram: &'d [u8], now: Duration) -> Chunk<'d> {
        let Some(rest) = datagram.strip_prefix(MAGIC) else { return Chunk::Whole(datagram) };
        self.expire(now);
        let Some(([id @ .., number, count], part)) = rest.split_first_chunk::<10>() else {
            return Chunk::Bad { what: "expected a GELF chunk, but found a part of its header" };
        };
        let (number, count) = (*number, *count);
        if count == 0 || count > MAX_CHUNKS {
            let what = "expected 1 to 128 GELF chunks, but found another count";
            return Chunk::Bad { what };
        }
        if number >= count {
            let what = "expected a GELF chunk within its count, but found one behind it";
            return Chunk::Bad { what };
        }
        if count == 1 {
            return Chunk::Whole(part);
        }
        self.add((peer, *id), number, count, part, now)
    }

    /// Gives up what was not complete in time.
    pub fn expire(&mut self, now: Duration) {
        while let Some((since, id)) = self.order.front().copied() {
            let is_here = self.pending.get(&id).is_some_and(|pending| pending.since == since);
            if is_here && now.saturating_sub(since) <= VALIDITY {
                return;
            }
            self.order.pop_front();
            if is_here {
                self.give_up(id);
            }
        }
    }

    /// How many messages were given up since the last call, and the bytes that had come of them.
    pub fn given_up(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.given_up), std::mem::take(&mut self.given_up_bytes))
    }

    /// How many messages wait for a chunk.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The memory that they take, in bytes, as far as it grows with what senders send.
    pub fn held(&self) -> usize {
        self.bytes
    }

    fn add<'d>(
        &mut self,
        id: Id<P>,
        number: u8,
        count: u8,
        part: &[u8],
        now: Duration,
    ) -> Chunk<'d> {
        if !self.pending.contains_key(&id) {
            self.begin(id, count, now);
        }
        let Some(pending) = self.pending.get_mut(&id) else { return Chunk::Part };
        if pending.count != count {
            let what = "expected the count of the GELF chunks before, but found another";
            return Chunk::Bad { what };
        }
        let bit = 1_u128 << number;
        if pending.seen & bit != 0 {
            return Chunk::Part; // networks may double a datagram; the first one counts
        }
        pending.seen |= bit;
        pending.data.extend_from_slice(part);
        pending.parts.push((number, pending.data.len()));
        self.bytes += part.len();
        if pending.seen.count_ones() == u32::from(count) {
            return match self.remove(id) {
                Some(pending) => Chunk::Last(pending.joined()),
                None => Chunk::Part,
            };
        }
        while self.bytes > MAX_PENDING_BYTES && self.give_up_oldest(|_| true) {}
        Chunk::Part
    }

    /// Makes room for a message, and begins it.
    fn begin(&mut self, id: Id<P>, count: u8, now: Duration) {
        let of_one = self.counts.get(&id.0).copied().unwrap_or_default();
        if of_one >= MAX_PENDING_OF_ONE {
            self.give_up_oldest(|(peer, _)| *peer == id.0);
        } else if self.pending.len() >= MAX_PENDING {
            self.give_up_oldest(|_| true);
        }
        if self.order.len() >= 2 * MAX_PENDING {
            let pending = &self.pending;
            self.order
                .retain(|(since, id)| pending.get(id).is_some_and(|here| here.since == *since));
        }
        let (data, parts) = (Vec::new(), Vec::with_capacity(usize::from(count)));
        self.pending.insert(id, Pending { since: now, count, seen: 0, data, parts });
        self.order.push_back((now, id));
        *self.counts.entry(id.0).or_default() += 1;
        self.bytes += Self::overhead(count);
    }

    /// Gives up the oldest of which that holds; false if there is none.
    fn give_up_oldest(&mut self, which: impl Fn(&Id<P>) -> bool) -> bool {
        let pending = &self.pending;
        let found = self.order.iter().position(|(since, id)| {
            which(id) && pending.get(id).is_some_and(|here| here.since == *since)
        });
        let found = found.and_then(|at| self.order.remove(at));
        found.inspect(|(_, id)| self.give_up(*id)).is_some()
    }

    fn give_up(&mut self, id: Id<P>) {
        if let Some(pending) = self.remove(id) {
            self.given_up += 1;
            self.given_up_bytes += pending.data.len() as u64;
        }
    }

    fn remove(&mut self, id: Id<P>) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        self.bytes -= pending.data.len() + Self::overhead(pending.count);
        if let Some(count) = self.counts.get_mut(&id.0) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&id.0);
            }
        }
        Some(pending)
    }

    /// What a message takes beside its bytes.
    fn overhead(count: u8) -> usize {
        size_of::<(Id<P>, Pending)>()
            + size_of::<(Duration, Id<P>)>()
            + usize::from(count) * size_of::<(u8, usize)>()
    }
}

impl Pending {
    /// The chunks in their order.
    fn joined(mut self) -> Vec<u8> {
        let mut start = 0;
        let mut places = [(0, 0); MAX_CHUNKS as usize];
        let is_in_order = self.parts.iter().is_sorted_by_key(|(number, _)| *number);
        if is_in_order {
            return std::mem::take(&mut self.data);
        }
        for (number, end) in &self.parts {
            if let Some(place) = places.get_mut(usize::from(*number)) {
                *place = (start, *end);
            }
            start = *end;
        }
        let mut joined = Vec::with_capacity(self.data.len());
        for (start, end) in places {
            joined.extend_from_slice(self.data.get(start..end).unwrap_or_default());
        }
        joined
    }
}

/// What a chunk begins with.
const MAGIC: &[u8] = &[0x1e, 0x0f];
