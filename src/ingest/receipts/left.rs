//! What broken connections left: messages that are stored, whose senders may send them again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::search::Search;
use crate::batch::Ticket;
use crate::store::{HOLE, Left, Slot};
use crate::time::Timestamp;

/// All that was left, by sender.
#[derive(Debug, Default)]
pub(super) struct Lefts {
    sources: FxHashMap<u64, Vec<Waiting>>,
    /// The sources in the order in which something was left by them, the oldest first.
    order: BTreeMap<u64, u64>,
    next: u64,
    /// Messages in all.
    total: usize,
}

/// What one connection left.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) connection: u64,
    pub(super) source: u64,
    /// When it did.
    pub(super) at: Timestamp,
    /// The number of the first of its messages.
    pub(super) first: u64,
    /// What its messages are known by, [`HOLE`] for what is not to be known, or has come again.
    pub(super) messages: Vec<u64>,
    /// How many of them may be known to be stored: their answers were written.
    pub(super) answered: usize,
    /// Where that is written down, and the same of connections whose messages came again on it.
    pub(super) slots: Vec<Arc<Slot>>,
    /// What tells when those are durable that are not.
    pub(super) tickets: Vec<Ticket>,
    /// Connections before it whose messages are among its own.
    pub(super) before: Vec<u64>,
    pub(super) order: u64,
}

/// A message came again.
#[derive(Debug)]
pub(super) struct Again {
    /// What tells when it is durable, where it is not.
    pub(super) tickets: Vec<Ticket>,
}

impl Waiting {
    /// What was read back; `answered` says how many messages of the connection were answered, where
    /// that is known.
    pub(super) fn of(left: Left, answered: Option<(u64, Slot)>) -> Self {
        let Left { connection, source, at, first, messages } = left;
        let (answered, slot) = answered.unzip();
        let answered = answered.map_or(u64::MAX, |answered| answered.saturating_sub(first));
        Self {
            connection,
            source,
            at: Timestamp::from_micros(at),
            first,
            answered: usize::try_from(answered).unwrap_or(usize::MAX).min(messages.len()),
            slots: slot.into_iter().map(Arc::new).collect(),
            messages,
            tickets: Vec::new(),
            before: Vec::new(),
            order: 0,
        }
    }

    /// Whether its sender has taken too long, or a clock has jumped.
    fn is_late(&self, now: Timestamp) -> bool {
        let age = now.as_micros().saturating_sub(self.at.as_micros());
        u128::from(age.unsigned_abs()) > MAX_AGE.as_micros()
    }

    fn ids(&self) -> impl Iterator<Item = u64> {
        self.before.iter().copied().chain([self.connection])
    }

    /// Whether its sender, who goes on with `is_next` where another list ended, cannot but begin with
    /// the message at this place: it is the first that was not answered.
    fn must_begin_at(&self, place: usize, is_next: bool) -> bool {
        let before = self.messages.get(self.answered..place);
        before.is_some_and(|before| before.iter().all(|other| is_next && *other == HOLE))
    }

    fn holes(&self) -> usize {
        self.messages.iter().filter(|message| **message == HOLE).count()
    }
}

impl Lefts {
    /// Adds what a connection left. Returns the connections that are forgotten for it.
    pub(super) fn add(&mut self, mut waiting: Waiting) -> Vec<u64> {
        waiting.order = self.next;
        self.order.insert(self.next, waiting.source);
        self.next += 1;
        self.total += waiting.messages.len();
        let source = waiting.source;
        let of = self.sources.entry(source).or_default();
        of.push(waiting);
        let mut forgotten = Vec::new();
        let own: usize = of.iter().map(|waiting| waiting.messages.len()).sum();
        if of.len() > MAX_OF_ONE || (own > MAX_MESSAGES_OF_ONE && of.len() > 1) {
            self.drop_where(source, &mut forgotten, |place, _| place == 0);
        }
        while self.total > MAX_LEFT || self.order.len() > MAX_LEFTS {
            let Some((&order, &source)) = self.order.first_key_value() else { break };
            self.order.remove(&order);
            self.drop_where(source, &mut forgotten, |_, waiting| waiting.order == order);
        }
        forgotten
    }

    /// Forgets what was left too long ago to be compared. Returns the connections that left it.
    pub(super) fn forget_late(&mut self, now: Timestamp) -> Vec<u64> {
        let mut forgotten = Vec::new();
        while let Some((&order, &source)) = self.order.first_key_value() {
            let of = self.sources.get(&source).into_iter().flatten();
            let mut oldest = of.filter(|waiting| waiting.order == order);
            if oldest.any(|waiting| !waiting.is_late(now)) {
                break; // those behind it were left later
            }
            self.order.remove(&order);
            self.drop_where(source, &mut forgotten, |_, waiting| waiting.order == order);
        }
        forgotten
    }

    /// Notes that so many messages of a connection of a sender were answered after all.
    pub(super) fn answered(&mut self, source: u64, connection: u64, messages: u64) {
        let of = self.sources.get_mut(&source).into_iter().flatten();
        for waiting in of.filter(|waiting| waiting.connection == connection) {
            let answered = usize::try_from(messages.saturating_sub(waiting.first));
            waiting.answered = answered.unwrap_or(usize::MAX).min(waiting.messages.len());
            // It was said of copies as well, and of what they are copies of.
            waiting.slots.drain(..).for_each(|slot| slot.void());
        }
    }

    /// Forgets what these connections of a sender left.
    pub(super) fn remove(&mut self, source: u64, connections: &[u64]) {
        let is_one = |waiting: &Waiting| connections.contains(&waiting.connection);
        self.drop_where(source, &mut Vec::new(), |_, waiting| is_one(waiting));
    }

    /// Whether a message is the copy of one that was left, on the connection that `search` is of.
    pub(super) fn look(
        &mut self,
        search: &mut Search,
        message: u64,
        has_time: bool,
        now: Timestamp,
    ) -> Option<Again> {
        let source = search.source;
        let Some(of) = self.sources.get_mut(&source) else {
            search.is_over = true;
            return None;
        };
        let Some((index, place)) = find(of, search, message, now) else {
            pass(of, search);
            return None;
        };
        let waiting = of.get_mut(index)?;
        let is_copy = has_time || search.is_sure || waiting.must_begin_at(place, search.is_next);
        if is_copy && let Some(message) = waiting.messages.get_mut(place) {
            *message = HOLE;
        }
        if is_copy {
            search.touch(waiting.connection, &waiting.slots);
        }
        (search.is_sure, search.is_next) = (is_copy, false);
        search.at = Some((waiting.connection, place + 1));
        let pending = || waiting.tickets.iter().filter(|ticket| !ticket.is_durable()).cloned();
        let again = is_copy.then(|| Again { tickets: pending().collect() });
        if place + 1 == waiting.messages.len() {
            (search.at, search.is_sure, search.is_next) = (None, false, is_copy);
            search.done.extend(waiting.ids());
            if waiting.messages.iter().all(|message| *message == HOLE) {
                self.drop_where(source, &mut Vec::new(), |place, _| place == index);
            }
        }
        again
    }

    /// Drops what `which` says of a source, by its place and itself; adds its ids to `forgotten`.
    fn drop_where(
        &mut self,
        source: u64,
        forgotten: &mut Vec<u64>,
        which: impl Fn(usize, &Waiting) -> bool,
    ) {
        let Some(of) = self.sources.get_mut(&source) else { return };
        let mut place = 0;
        of.retain(|waiting| {
            let drop = which(place, waiting);
            place += 1;
            if drop {
                self.total -= waiting.messages.len();
                self.order.remove(&waiting.order);
                forgotten.extend(waiting.ids());
            }
            !drop
        });
        if of.is_empty() {
            self.sources.remove(&source);
        }
    }
}

/// Where a message is: first of all where it is expected.
fn find(
    of: &[Waiting],
    search: &mut Search,
    message: u64,
    now: Timestamp,
) -> Option<(usize, usize)> {
    if let Some((connection, place)) = search.at {
        let index = of.iter().position(|waiting| waiting.connection == connection)?;
        if of.get(index)?.messages.get(place) == Some(&message) {
            return Some((index, place));
        }
    }
    let in_time = of.iter().enumerate().filter(|(_, waiting)| !waiting.is_late(now));
    let found = if search.scans > 0 {
        search.scans -= 1;
        in_time.into_iter().find_map(|(index, waiting)| {
            let place = |list: &[u64]| list.iter().position(|other| *other == message);
            // What repeats itself is a copy of what was surely not answered, if of any.
            let (answered, others) = waiting.messages.split_at_checked(waiting.answered)?;
            let other = |place| place + answered.len();
            Some((index, place(others).map(other).or_else(|| place(answered))?))
        })
    } else {
        in_time.into_iter().find_map(|(index, waiting)| {
            let first = waiting.messages.iter().position(|other| *other != HOLE)?;
            (waiting.messages.get(first) == Some(&message)).then_some((index, first))
        })
    };
    if found.is_some() {
        search.is_sure = false;
    }
    found
}

/// Passes over a message that was not found: it may be one of those that are not stored.
fn pass(of: &[Waiting], search: &mut Search) {
    let Some((connection, place)) = search.at else {
        let missing = search
            .missing
            .get_or_insert_with(|| of.iter().map(Waiting::holes).max().unwrap_or_default());
        match missing.checked_sub(1) {
            Some(left) => *missing = left,
            None => search.is_over = true,
        }
        return;
    };
    let waiting = of.iter().find(|waiting| waiting.connection == connection);
    match waiting.map(|waiting| (waiting.messages.get(place), waiting.messages.len())) {
        Some((Some(&HOLE), len)) if place + 1 < len => {
            search.at = Some((connection, place + 1));
        }
        Some((Some(&HOLE), _)) => (search.at, search.is_sure) = (None, false),
        _ => search.is_over = true,
    }
}

/// Connections of one sender that left something, the latest.
const MAX_OF_ONE: usize = 64;

/// Messages that are left by one sender: two of Beats' largest windows.
const MAX_MESSAGES_OF_ONE: usize = 131_072;

/// Messages that are left by all: 8 MiB of what they are known by.
const MAX_LEFT: usize = 1 << 20;

/// Connections that left something.
const MAX_LEFTS: usize = 16_384;

/// How long a sender may take to send again.
const MAX_AGE: Duration = Duration::from_secs(7 * 86_400);
