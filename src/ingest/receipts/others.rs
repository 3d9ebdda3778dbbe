//! The other open connections of a sender, and whether they are still alive.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::sync::Notify;

/// An open connection, as the others of its sender see it. It is gone when its end is known in all.
#[derive(Debug, Default)]
pub struct Life {
    /// Greater than that of those that were opened before.
    number: u64,
    /// Whether it brought something that is not answered, or since which its socket was not looked
    /// at.
    is_busy: AtomicBool,
    /// How often it was asked whether its sender is still there, and up to which of those questions
    /// it was found there.
    asked: AtomicU64,
    found: AtomicU64,
    question: Notify,
}

/// The open connections of all senders, the oldest of each first.
#[derive(Debug, Default)]
pub(super) struct Open(FxHashMap<u64, Vec<Weak<Life>>>);

/// A connection that may have been ended by its sender, who has opened another one since.
#[derive(Debug)]
pub(super) struct Other {
    life: Weak<Life>,
    /// The number of the question that it was asked.
    question: u64,
}

impl Life {
    /// That of the connection of this number.
    pub(super) fn new(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    /// Returns when it is asked whether its sender is still there.
    pub async fn is_asked(&self) {
        self.question.notified().await;
    }

    /// Notes that its socket was looked at, and that its sender has not ended it; and whether all
    /// that it brought is answered.
    pub fn is_there(&self, is_answered: bool) {
        if is_answered {
            self.is_busy.store(false, Ordering::Relaxed);
        }
        self.found.store(self.asked.load(Ordering::Acquire), Ordering::Release);
    }

    /// Notes that it brings something.
    pub(super) fn begin(&self) {
        self.is_busy.store(true, Ordering::Relaxed);
    }

    fn ask(&self) -> u64 {
        let question = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        self.question.notify_one();
        question
    }
}

impl Open {
    /// Adds a connection.
    pub(super) fn add(&mut self, source: u64, life: &Arc<Life>) {
        let of = self.0.entry(source).or_default();
        if of.len() == of.capacity() {
            of.retain(|other| other.strong_count() > 0);
        }
        of.push(Arc::downgrade(life));
    }

    /// Takes out what is gone.
    pub(super) fn tidy(&mut self, source: u64) {
        if let Some(of) = self.0.get_mut(&source) {
            of.retain(|other| other.strong_count() > 0);
            if of.is_empty() {
                self.0.remove(&source);
            }
        }
    }

    /// Asks the connections of a sender that it opened before whether it is still there: those that
    /// are busy, and the latest, of which it may not be known yet. Nobody asks a later one: two
    /// would wait for each other.
    pub(super) fn ask(&self, source: u64, life: &Arc<Life>) -> Vec<Other> {
        let of = self.0.get(&source).into_iter().flatten().rev();
        let others = of.filter_map(Weak::upgrade).filter(|other| other.number < life.number);
        let asked = others
            .enumerate()
            .filter(|(place, other)| *place < LATEST || other.is_busy.load(Ordering::Relaxed));
        let asked = asked.take(MAX_ASKED);
        asked.map(|(_, life)| Other { question: life.ask(), life: Arc::downgrade(&life) }).collect()
    }
}

impl Other {
    /// Whether to wait no longer for it, after `waited`: what it left is known, or it is alive.
    pub(super) fn is_settled(&self, waited: Duration) -> bool {
        let Some(life) = self.life.upgrade() else { return true };
        let is_there = life.found.load(Ordering::Acquire) >= self.question;
        // Its end may still be under way.
        let is_idle = !life.is_busy.load(Ordering::Relaxed);
        waited >= if is_there { PATIENCE } else { MAX_PATIENCE } || (is_there && is_idle)
    }
}

/// How long a new connection waits for one whose sender has not ended it, to be answered or to end.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long it waits for one that is not read just now, as the disk is slow or its sender is over a
/// limit, or whose sender has ended it.
const MAX_PATIENCE: Duration = Duration::from_secs(30);

/// Connections of a sender that are asked in any case, and in all.
const LATEST: usize = 16;
const MAX_ASKED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_alive_is_not_waited_for_long_and_who_is_not_read_is() {
        let [other, own, later] = [1, 2, 3].map(|number| Arc::new(Life::new(number)));
        let mut open = Open::default();
        // Who was let in first need not be the first to begin.
        open.add(1, &own);
        open.add(1, &other);
        open.add(1, &later);
        open.add(2, &Arc::default());
        let mut asked = open.ask(1, &own);
        let question = asked.pop().unwrap();
        assert!(asked.is_empty(), "neither itself, nor a later one, nor another sender's");
        other.begin();
        assert!(!question.is_settled(PATIENCE), "it was not looked at");
        other.is_there(false);
        assert!(!question.is_settled(Duration::ZERO), "it is not answered");
        assert!(question.is_settled(PATIENCE));
        other.is_there(true);
        assert!(question.is_settled(Duration::ZERO));
        // What was found before a question says nothing of what is found after it.
        let question = open.ask(1, &own).pop().unwrap();
        assert!(!question.is_settled(PATIENCE));
        assert!(question.is_settled(MAX_PATIENCE));
        drop(other);
        assert!(question.is_settled(Duration::ZERO), "it has ended");
        open.tidy(1);
        assert!(open.ask(1, &own).is_empty());
        drop((own, later));
        (1..3).for_each(|source| open.tidy(source));
        assert!(open.0.is_empty());
    }

    #[test]
    fn of_many_connections_some_are_asked() {
        let mut open = Open::default();
        let lives: Vec<_> = (0..1000).map(|_| Arc::<Life>::default()).collect();
        lives.iter().for_each(|life| open.add(1, life));
        let own = Arc::new(Life::new(1));
        assert_eq!(open.ask(1, &own).len(), LATEST);
        lives.iter().for_each(|life| life.begin());
        assert_eq!(open.ask(1, &own).len(), MAX_ASKED);
    }

    #[tokio::test]
    async fn a_question_wakes_it() {
        let (mut open, life) = (Open::default(), Arc::<Life>::default());
        open.add(1, &life);
        let asked = open.ask(1, &Arc::new(Life::new(1)));
        life.is_asked().await;
        life.is_there(true);
        assert!(asked.iter().all(|other| other.is_settled(Duration::ZERO)));
    }
}
