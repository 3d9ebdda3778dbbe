//! Knows a copy of an event that was stored lately, by the id that its sender gave it.
//!
//! A sender that heard no answer sends again. What it sends is then either new, or a copy of what is
//! on its way to the disk, whose answer waits for that, or one of what is there. An event that was
//! never stored is nothing to be a copy of: what is known is written with the batch that holds it.

use std::collections::VecDeque;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::xxh3_64;

use crate::batch::Ticket;
use crate::event;
use crate::store::{Identity, MAX_IDENTITIES};

/// The events that were stored lately, and those that are about to be.
#[derive(Debug, Default)]
pub(super) struct Identities(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// By id: a part of the content, and the generation in which it came.
    events: FxHashMap<u64, (u32, u32)>,
    /// Their ids, the oldest first. One that came again with other content is in there twice, and
    /// forgotten a little early.
    order: VecDeque<u64>,
    /// The batches that are not durable yet, by generation, the oldest first.
    waiting: VecDeque<(u32, Ticket)>,
    generation: u32,
}

/// Whether an event is new.
#[derive(Debug)]
pub(super) enum Claim {
    /// It is: to be written with it, or given up if it is not stored.
    New(Identity),
    /// It was stored, or will be when this ticket says so.
    Again(Option<Ticket>),
}

impl Identities {
    /// Takes over what the store has kept, the oldest first.
    pub(super) fn remember(&self, kept: &[Identity]) {
        let mut known = self.0.lock();
        for identity in kept {
            known.insert(*identity, 0);
        }
    }

    /// Whether an event of `project` is new; `ticket` is that of the batch that it would go into.
    pub(super) fn claim(
        &self,
        project: &str,
        event: &event::Identity<'_>,
        ticket: &Ticket,
    ) -> Claim {
        let identity = Identity { id: hash(project, event), content: xxh3_64(event.content) };
        let mut known = self.0.lock();
        if let Some((content, generation)) = known.events.get(&identity.id).copied()
            && (!event.may_replace || content == short(identity.content))
        {
            return Claim::Again(known.ticket(generation));
        }
        let generation = known.generation_of(ticket);
        known.insert(identity, generation);
        Claim::New(identity)
    }

    /// Forgets what was claimed and is not stored.
    pub(super) fn give_up(&self, identity: Identity) {
        self.0.lock().events.remove(&identity.id);
    }
}

impl Known {
    fn insert(&mut self, identity: Identity, generation: u32) {
        self.events.insert(identity.id, (short(identity.content), generation));
        self.order.push_back(identity.id);
        while self.order.len() > MAX_IDENTITIES {
            if let Some(oldest) = self.order.pop_front() {
                self.events.remove(&oldest);
            }
        }
    }

    /// What tells when the events of a generation are durable, unless they are.
    fn ticket(&self, generation: u32) -> Option<Ticket> {
        let ticket = self.waiting.iter().find(|(other, _)| *other == generation);
        ticket.map(|(_, ticket)| ticket.clone()).filter(|ticket| !ticket.is_durable())
    }

    /// The generation of a batch that is being filled.
    fn generation_of(&mut self, ticket: &Ticket) -> u32 {
        while self.waiting.front().is_some_and(|(_, ticket)| ticket.is_durable()) {
            self.waiting.pop_front();
        }
        // The latest are few: there are not many batches that are filled at the same time.
        if let Some((known, _)) = self.waiting.iter().rfind(|(_, other)| other.is_same(ticket)) {
            return *known;
        }
        self.generation = self.generation.wrapping_add(1);
        self.waiting.push_back((self.generation, ticket.clone()));
        self.generation
    }
}

/// Of a project, and what a sender in it says: nobody can choose an id whose hash is that of
/// another's.
fn hash(project: &str, event: &event::Identity<'_>) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in [project, &event.space, &event.id] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let hash = hasher.finalize();
    hash.as_bytes().first_chunk().map(|first| u64::from_le_bytes(*first)).unwrap_or_default()
}

#[expect(clippy::cast_possible_truncation, reason = "half of a hash is one")]
fn short(content: u64) -> u32 {
    content as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Batcher, Config};
    use crate::event::Event;
    use crate::store::{Origin, Rows};
    use std::sync::Arc;

    fn event<'e>(id: &'e str, content: &'e str, may_replace: bool) -> event::Identity<'e> {
        let (space, id, content) = ("i".into(), id.into(), content.as_bytes());
        event::Identity { space, id, content, may_replace }
    }

    async fn ticket() -> (Batcher, Ticket) {
        let batcher = Batcher::new(&Config::default());
        let ((), ticket) = batcher.append(|_| ()).await;
        (batcher, ticket)
    }

    #[tokio::test]
    async fn a_copy_is_known_and_waits_for_what_it_is_a_copy_of() {
        let (identities, (_batcher, ticket)) = (Identities::default(), ticket().await);
        let claim = |project: &str, id: &str, content: &str, may_replace| {
            identities.claim(project, &event(id, content, may_replace), &ticket)
        };
        let Claim::New(first) = claim("p", "1", "a", true) else { panic!() };
        assert!(matches!(claim("p", "1", "a", true), Claim::Again(Some(_))));
        // Created once only, whatever it says.
        assert!(matches!(claim("p", "1", "b", false), Claim::Again(Some(_))));
        // Another content, id or project is another event.
        assert!(matches!(claim("p", "1", "b", true), Claim::New(_)));
        assert!(matches!(claim("p", "2", "a", false), Claim::New(_)));
        assert!(matches!(claim("q", "1", "a", false), Claim::New(_)));
        identities.give_up(first);
        assert!(matches!(claim("p", "1", "a", false), Claim::New(_)));
    }

    #[tokio::test]
    async fn what_the_store_has_kept_is_known_and_bounded() {
        let (identities, (_batcher, ticket)) = (Identities::default(), ticket().await);
        let Claim::New(first) = identities.claim("p", &event("1", "a", false), &ticket) else {
            panic!()
        };
        let identities = Identities::default();
        identities.remember(&[first]);
        let claim = || identities.claim("p", &event("1", "a", false), &ticket);
        assert!(matches!(claim(), Claim::Again(None)));
        let others = |id: usize| Identity { id: id as u64, content: 0 };
        identities.remember(&(0..MAX_IDENTITIES).map(others).collect::<Vec<_>>());
        assert_eq!(identities.0.lock().events.len(), MAX_IDENTITIES);
        assert!(matches!(claim(), Claim::New(_)));
    }

    #[test]
    fn identities_go_with_their_rows() {
        let mut rows = Rows::default();
        let (project, listener) = ("p".into(), "l".into());
        let origin = Origin { project, listener, peer: None, key: None, auth: None };
        rows.begin(&Arc::new(origin), 0);
        let one = Identity { id: 1, content: 2 };
        rows.push(&Event::default());
        rows.remember(one);
        assert_eq!(rows.identities(), [one]);
        rows.clear();
        assert_eq!(rows.identities(), []);
    }
}
