//! What is on its way, and when it is due. The bodies lie on disk; here is a line for each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use super::records::Delivery;

/// A place in the order of deliveries: their numbers ascend.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    pub(super) number: u64,
    pub(super) webhook: String,
}

/// What is on its way.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<(Instant, u64), Ticket>,
    /// By webhook.
    of: HashMap<String, Tally>,
}

/// What is on its way to one webhook.
#[derive(Debug, Default)]
struct Tally {
    waiting: usize,
    under_way: usize,
    dead: BTreeSet<u64>,
}

impl Queue {
    /// Whether another delivery may be put behind those of `webhook`.
    pub(super) fn has_room(&self, webhook: &str, max: usize) -> bool {
        self.of.get(webhook).is_none_or(|of| of.waiting + of.under_way < max)
    }

    /// Lets `ticket` wait until `due`.
    pub(super) fn put(&mut self, ticket: Ticket, due: Instant) {
        self.of.entry(ticket.webhook.clone()).or_default().waiting += 1;
        drop(self.waiting.insert((due, ticket.number), ticket));
    }

    /// Takes what is due at `now`, at most `max`, and no more of a webhook than it may have under
    /// way.
    pub(super) fn take_due(&mut self, now: Instant, max: usize) -> Vec<Ticket> {
        let mut taken = Vec::new();
        for ticket in self.waiting.range(..=(now, u64::MAX)).map(|(_, ticket)| ticket) {
            let of = self.of.entry(ticket.webhook.clone()).or_default();
            if taken.len() < max && of.under_way < MAX_UNDER_WAY {
                of.under_way += 1;
                of.waiting = of.waiting.saturating_sub(1);
                taken.push(ticket.clone());
            }
        }
        self.waiting.retain(|_, ticket| !taken.contains(ticket));
        taken
    }

    /// The attempt of `ticket` is over.
    pub(super) fn done(&mut self, ticket: &Ticket) {
        if let Some(of) = self.of.get_mut(&ticket.webhook) {
            of.under_way = of.under_way.saturating_sub(1);
        }
    }

    /// Counts `ticket` as given up. Returns the oldest of those of its webhook, where there are
    /// more than are kept.
    pub(super) fn bury(&mut self, ticket: &Ticket) -> Option<Ticket> {
        let of = self.of.entry(ticket.webhook.clone()).or_default();
        of.dead.insert(ticket.number);
        let too_many = of.dead.len() > MAX_DEAD;
        let number = too_many.then(|| of.dead.pop_first()).flatten()?;
        Some(Ticket { number, webhook: ticket.webhook.clone() })
    }

    /// Takes back those of `webhook` that were given up.
    pub(super) fn unbury(&mut self, webhook: &str) -> BTreeSet<u64> {
        self.of.get_mut(webhook).map(|of| std::mem::take(&mut of.dead)).unwrap_or_default()
    }

    /// Forgets all that is on its way to `webhook`.
    pub(super) fn forget(&mut self, webhook: &str) {
        self.waiting.retain(|_, ticket| ticket.webhook != webhook);
        drop(self.of.remove(webhook));
    }

    /// When the first is due, of those that are not due at `now`.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        let later = self.waiting.range((now, u64::MAX)..).find(|((due, _), _)| *due > now);
        later.map(|((due, _), _)| *due)
    }

    /// How many wait or are under way, and how many were given up: of `webhook`, or of all.
    pub(super) fn counts(&self, webhook: Option<&str>) -> (usize, usize) {
        let asked = self.of.iter().filter(|(id, _)| webhook.is_none_or(|asked| asked == *id));
        asked.fold((0, 0), |(queued, dead), (_, of)| {
            (queued + of.waiting + of.under_way, dead + of.dead.len())
        })
    }

    /// Takes in what an earlier run left, `now` being the time on the wall. No wait is longer than
    /// `max`, whatever the clock was then.
    pub(super) fn restore(
        &mut self,
        ticket: Ticket,
        delivery: &Delivery,
        now: i64,
        max: std::time::Duration,
    ) {
        if delivery.dead {
            self.of.entry(ticket.webhook).or_default().dead.insert(ticket.number);
            return;
        }
        let wait = u64::try_from(delivery.due.saturating_sub(now)).unwrap_or(0);
        let wait = std::time::Duration::from_micros(wait).min(max);
        self.put(ticket, Instant::now() + wait);
    }
}

/// Attempts at one webhook at the same time: one that is slow does not take all there are.
const MAX_UNDER_WAY: usize = 4;

/// Deliveries of a webhook that were given up and are kept; past it the oldest are forgotten.
const MAX_DEAD: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn ticket(webhook: &str, number: u64) -> Ticket {
        Ticket { number, webhook: webhook.to_owned() }
    }

    #[test]
    fn what_is_due_is_taken_in_order_and_from_all() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for number in 0..10 {
            queue.put(ticket("slow", number), now);
        }
        queue.put(ticket("other", 99), now);
        queue.put(ticket("other", 100), now + Duration::from_secs(1));
        assert!(queue.has_room("slow", 11) && !queue.has_room("slow", 10));
        let numbers = |tickets: Vec<Ticket>| tickets.iter().map(|t| t.number).collect::<Vec<_>>();
        assert_eq!(numbers(queue.take_due(now, 16)), [0, 1, 2, 3, 99]);
        assert_eq!(queue.take_due(now, 16), []);
        assert_eq!(queue.next_due(now), Some(now + Duration::from_secs(1)));
        assert_eq!(queue.counts(None), (12, 0));
        queue.done(&ticket("slow", 2));
        assert_eq!(numbers(queue.take_due(now, 16)), [4]);
        queue.forget("slow");
        assert_eq!((queue.counts(Some("slow")), queue.counts(None)), ((0, 0), (2, 0)));
    }

    #[test]
    fn no_more_are_kept_of_those_given_up_than_may_be() {
        let mut queue = Queue::default();
        for number in 0..100 {
            assert_eq!(queue.bury(&ticket("w", number)), None);
        }
        assert_eq!(queue.bury(&ticket("w", 100)), Some(ticket("w", 0)));
        assert_eq!(queue.counts(Some("w")), (0, 100));
        assert_eq!(queue.unbury("w").len(), 100);
    }
}
