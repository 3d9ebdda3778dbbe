//! What is kept of an open connection.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::left::{Again, Waiting};
use super::search::Search;
use crate::batch::Ticket;
use crate::store::{HOLE, Origin, Receipt, Rows, Slot};
use crate::time::Timestamp;

/// The messages of a connection whose sender may not know that they are stored. They are numbered
/// from 0 on.
#[derive(Debug)]
pub(in crate::ingest) struct Own {
    connection: u64,
    /// The number of the next message.
    next: u64,
    /// What the last ones are known by.
    messages: VecDeque<u64>,
    /// How many of `messages` there were when they were last counted.
    counted: usize,
    /// The number of the first message that is not in a batch.
    unwritten: u64,
    /// The number of the first one whose answer is not written, and what it was before the last
    /// answer.
    unanswered: u64,
    unanswered_before: u64,
    /// When the last answer was written.
    answered_at: Duration,
    /// Answers that were written, oldest first: their sender may not have read them.
    marks: VecDeque<Mark>,
    /// Where that is written down.
    slot: Option<Arc<Slot>>,
    /// The numbers of messages that are not in a batch because they are copies.
    copies: VecDeque<u64>,
    /// What tells when its messages are durable, of those that may not be.
    tickets: Vec<Ticket>,
    search: Search,
    /// Connections whose messages came again on this one, before the message of that number.
    before: Vec<(u64, u64)>,
    /// The last origin, and what it puts into what messages are known by.
    origin: Option<(Arc<Origin>, u64)>,
    message: Message,
}

/// The message that is being taken.
#[derive(Debug, Default)]
struct Message {
    id: u64,
    /// Events in it, and those that are stored.
    events: u32,
    stored: u32,
    again: Option<Again>,
}

/// Answers were written to all messages before `answered`, when those before `next` had come.
#[derive(Clone, Copy, Debug)]
struct Mark {
    answered: u64,
    next: u64,
    at: Duration,
}

impl Own {
    pub(super) fn new(connection: u64, source: u64, slot: Option<Slot>) -> Self {
        Self {
            connection,
            slot: slot.map(Arc::new),
            copies: VecDeque::new(),
            next: 0,
            messages: VecDeque::new(),
            counted: 0,
            unwritten: 0,
            unanswered: 0,
            unanswered_before: 0,
            answered_at: Duration::ZERO,
            marks: VecDeque::new(),
            tickets: Vec::new(),
            search: Search::new(source),
            before: Vec::new(),
            origin: None,
            message: Message::default(),
        }
    }

    /// Who sends.
    pub(super) fn source(&self) -> u64 {
        self.search.source
    }

    /// How many messages came.
    pub(in crate::ingest) fn came(&self) -> u64 {
        self.next
    }

    /// Notes what tells when the messages of a read are durable.
    pub(in crate::ingest) fn waits(&mut self, ticket: &Ticket) {
        self.tickets.retain(|other| !other.is_durable() && !other.is_same(ticket));
        self.tickets.push(ticket.clone());
    }

    /// Notes an event of the message, whatever becomes of it.
    pub(in crate::ingest) fn event(&mut self) {
        self.message.events += 1;
    }

    /// Notes that it is stored.
    pub(in crate::ingest) fn stored(&mut self) {
        self.message.stored += 1;
    }

    /// Ends a message.
    pub(in crate::ingest) fn end_message(&mut self) {
        let Message { id, events, stored, again } = std::mem::take(&mut self.message);
        if again.is_some() {
            self.copies.push_back(self.next);
        }
        self.messages.push_back(if events > 0 && events == stored { id } else { HOLE });
        self.next += 1;
    }

    /// Notes whose an event is, by `of_origin`, and what its message is known by, by `id`; says
    /// whether it is the first and it should be looked whether it is a copy.
    pub(super) fn begin_event(
        &mut self,
        origin: &Arc<Origin>,
        of_origin: impl Fn(&Origin) -> u64,
        id: impl Fn(u64) -> u64,
    ) -> bool {
        let is_same = self.origin.as_ref().is_some_and(|(last, _)| Arc::ptr_eq(last, origin));
        let is_first = self.message.events == 1;
        if !is_same {
            self.origin = Some((Arc::clone(origin), of_origin(origin)));
            if !is_first {
                self.message.stored = u32::MAX / 2; // of two origins: it is not known again
            }
        }
        if is_first && let Some((_, seed)) = &self.origin {
            self.message.id = id(*seed);
        }
        is_first && !self.search.is_over
    }

    /// Looks by `look` whether the message is a copy.
    pub(super) fn look(&mut self, look: impl Fn(u64, &mut Search) -> Option<Again>) {
        self.message.again = look(self.message.id, &mut self.search);
        for done in self.search.done.drain(..) {
            self.before.push((done, self.next + 1));
        }
        let surplus = self.before.len().saturating_sub(MAX_BEFORE);
        self.before.drain(..surplus);
    }

    /// Whether it is.
    pub(super) fn is_copy(&self) -> bool {
        self.message.again.is_some()
    }

    /// What tells when the message is durable that it is a copy of.
    pub(super) fn waits_for(&self) -> impl Iterator<Item = Ticket> {
        self.message.again.iter().flat_map(|again| again.tickets.iter().cloned())
    }

    /// Messages that are kept.
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// How many more there are since the last call, or since some were dropped.
    pub(super) fn grown(&mut self) -> usize {
        let grown = self.messages.len().saturating_sub(self.counted);
        self.counted = self.messages.len();
        grown
    }

    /// Whether all messages were answered.
    pub(super) fn is_answered(&self) -> bool {
        self.unanswered == self.next
    }

    /// Its own id.
    pub(super) fn connection(&self) -> u64 {
        self.connection
    }

    /// Its own id, and those of connections whose messages came again on it.
    pub(super) fn ids(&self) -> Vec<u64> {
        self.before.iter().map(|(id, _)| *id).chain([self.connection]).collect()
    }

    /// Notes that the answers to so many messages were written by `at`.
    pub(super) fn answered(&mut self, messages: u64, at: Duration) {
        if messages <= self.unanswered {
            return;
        }
        self.unanswered_before = std::mem::replace(&mut self.unanswered, messages);
        self.answered_at = at;
        self.slot.iter().for_each(|slot| slot.note(messages));
        self.search.answered();
        let mark = Mark { answered: messages, next: self.next, at };
        self.marks.truncate(MAX_MARKS - 1); // the last is known no sooner than this one
        self.marks.push_back(mark);
    }

    /// Whether its sender may not have read an answer by `now`.
    pub(super) fn is_just_answered(&self, now: Duration) -> bool {
        self.unanswered > 0 && now.saturating_sub(self.answered_at) < JUST
    }

    /// Notes that the last answer came to nobody.
    pub(super) fn unheard(&mut self) {
        self.unanswered = self.unanswered_before;
        self.slot.iter().for_each(|slot| slot.note(self.unanswered));
    }

    /// The connections that it touched, since it was answered.
    #[cfg(test)]
    pub(super) fn touched(&self) -> impl Iterator<Item = u64> {
        self.search.touched.iter().map(|(connection, _)| *connection)
    }

    /// Drops the messages whose sender has shown that it knows their answers: it sent much, or
    /// anything a while after it was told. Returns the connections of which nothing need be known
    /// any longer.
    pub(super) fn confirm(&mut self, now: Duration) -> Vec<u64> {
        let mut known = None;
        while let Some(Mark { answered, next, at }) = self.marks.front().copied() {
            let since = self.next - next;
            if since < MAX_IN_FLIGHT && (since == 0 || now.saturating_sub(at) < MAX_TRAVEL) {
                break;
            }
            known = Some(answered);
            self.marks.pop_front();
        }
        let Some(known) = known else { return Vec::new() };
        let unknown = usize::try_from(self.next - known.min(self.next)).unwrap_or(usize::MAX);
        self.keep(unknown);
        let mut ids = Vec::new();
        self.before.retain(|(id, number)| {
            let is_known = *number <= known;
            ids.extend(is_known.then_some(*id));
            !is_known
        });
        ids
    }

    /// Drops all but the last so many messages.
    pub(super) fn keep(&mut self, most: usize) {
        let surplus = self.messages.len().saturating_sub(most);
        if surplus > 0 {
            self.messages.drain(..surplus);
            self.messages.shrink_to(2 * self.messages.len());
            self.counted = self.messages.len().min(self.counted);
        }
    }

    /// Puts what is known of the messages that are not in a batch yet beside their rows.
    pub(super) fn write(&mut self, rows: &mut Rows, at: i64) {
        let acknowledged = self.next - self.messages.len() as u64;
        let first = self.unwritten.max(acknowledged);
        let skipped = usize::try_from(first - acknowledged).unwrap_or(usize::MAX);
        let (connection, source) = (self.connection, self.search.source);
        let receipt = Receipt { connection, source, at, first, acknowledged };
        let (copies, mut number) = (&mut self.copies, first);
        let messages = self.messages.range(skipped.min(self.messages.len())..).map(|message| {
            while copies.front().is_some_and(|copy| *copy < number) {
                copies.pop_front();
            }
            let is_copy = copies.front() == Some(&number);
            number += 1;
            // What it is a copy of is written already, and has one copy at most.
            if is_copy { HOLE } else { *message }
        });
        rows.receive(receipt, messages);
        self.copies.clear();
        self.unwritten = self.next;
    }

    /// What it leaves, if it is of any use.
    pub(super) fn leave(mut self: Box<Self>, at: Timestamp) -> Option<Waiting> {
        self.tickets.retain(|ticket| !ticket.is_durable());
        let unanswered = usize::try_from(self.next - self.unanswered).unwrap_or(usize::MAX);
        let touched = self.search.touched.into_iter();
        let waiting = Waiting {
            connection: self.connection,
            source: self.search.source,
            at,
            first: self.next - self.messages.len() as u64,
            slots: self.slot.into_iter().chain(touched.flat_map(|(_, slots)| slots)).collect(),
            answered: self.messages.len().saturating_sub(unanswered),
            messages: self.messages.into(),
            tickets: self.tickets,
            before: self.before.iter().map(|(id, _)| *id).collect(),
            order: 0,
        };
        waiting.messages.iter().any(|message| *message != HOLE).then_some(waiting)
    }
}

/// Messages that a sender may have under way: four of Filebeat's windows, and many of RELP's.
const MAX_IN_FLIGHT: u64 = 8192;

/// How long what is said may be under way.
const MAX_TRAVEL: Duration = Duration::from_secs(30);

/// How long after an answer a sender's end may mean that it did not wait for that: the end may have
/// been under way, or not looked at.
const JUST: Duration = Duration::from_secs(30);

/// Answers that are told apart.
const MAX_MARKS: usize = 64;

/// Connections before this one of which it is remembered that their messages came again here.
const MAX_BEFORE: usize = 16;
