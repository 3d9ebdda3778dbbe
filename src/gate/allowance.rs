//! What of a read passes, event by event.
//!
//! The limits are asked once for a read: how many events and bytes there is room for. From there on
//! each event costs two comparisons with numbers that are this read's alone; what was taken is
//! spent from the buckets once, when the read is done. Only an event that does not fit is looked
//! at for its severity.

use std::time::Duration;

use super::limits::Policy;
use super::rate::{Level, Rate, Share};

/// What of a read may pass. Made by [`Gate::grant`](super::Gate::grant), and charged by
/// [`Gate::settle`](super::Gate::settle).
#[derive(Clone, Debug)]
pub struct Allowance {
    pub(super) policy: Policy,
    events: Room,
    bytes: Room,
    /// Whether every bucket of bytes is full: one event longer than the burst then passes.
    is_full: bool,
    /// Whether a limit lets nothing pass, whatever the policy.
    is_closed: bool,
    pub(super) tally: Tally,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It passes.
    Pass,
    /// It passes, and is to be marked as one over the limit.
    Queue,
    /// It passes as one of so many, and is to be marked so.
    Sample(u32),
    /// It does not.
    Shed,
}

/// What became of the events of a read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those that passed, which is all but those that were shed.
    pub passed: u64,
    /// Bytes of those that passed.
    pub bytes: u64,
    /// Of those that passed, those over the limit that were queued.
    pub queued: u64,
    /// Of those that passed, those over the limit that were kept as one of many.
    pub sampled: u64,
    /// Bytes of those.
    pub(super) sampled_bytes: u64,
    /// Those that did not pass.
    pub shed: u64,
    /// Bytes of those.
    pub shed_bytes: u64,
    /// The limit that shed them, where it is that of a queue.
    pub(super) queue: Option<&'static str>,
    /// The limit that spoke first.
    pub(super) by: Option<By>,
}

/// A limit, by the place of its payer and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct By {
    pub(super) payer: usize,
    pub(super) rule: &'static str,
}

/// What there is room for, by all limits of events, or of bytes.
#[derive(Clone, Copy, Debug)]
struct Room {
    plain: u64,
    severe: u64,
    queue: u64,
    /// Which limit leaves the least, and what it is called when its queue is full.
    by: By,
    queue_rule: &'static str,
    /// The sampling of that limit: one in so many, of which so many were passed over.
    one_in: u32,
    before: u64,
}

/// One limit, as it is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) rate: Rate,
    pub(super) level: &'a Level,
    pub(super) by: By,
    pub(super) queue_rule: &'static str,
    pub(super) one_in: u32,
    /// How many were over before.
    pub(super) before: u64,
}

impl Allowance {
    /// Lets all pass.
    pub(super) fn unlimited(policy: Policy) -> Self {
        Self {
            policy,
            events: Room::UNLIMITED,
            bytes: Room::UNLIMITED,
            is_full: true,
            is_closed: false,
            tally: Tally::default(),
        }
    }

    /// Adds a limit of events.
    pub(super) fn limit_events(&mut self, asked: Asked<'_>, at: Duration) {
        self.is_closed |= asked.rate.is_closed();
        self.events.narrow(asked, self.policy, at);
    }

    /// Adds a limit of bytes.
    pub(super) fn limit_bytes(&mut self, asked: Asked<'_>, at: Duration) {
        self.is_full &= !asked.rate.is_closed() && asked.rate.is_full(asked.level, at);
        self.is_closed |= asked.rate.is_closed();
        self.bytes.narrow(asked, self.policy, at);
    }

    /// Says of an event of so many bytes whether it passes; it is then charged for.
    #[inline]
    pub fn offer(&mut self, bytes: u64, is_severe: impl FnOnce() -> bool) -> Offer {
        if self.has_room(self.events.plain, self.bytes.plain, bytes) {
            self.tally.passed += 1;
            self.tally.bytes += bytes;
            return Offer::Pass;
        }
        self.offer_over(bytes, is_severe())
    }

    /// What became of the events so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    fn offer_over(&mut self, bytes: u64, is_severe: bool) -> Offer {
        let (events, sizes) = (self.events, self.bytes);
        let fit = self.charged().0 < events.plain;
        let room = if fit { sizes } else { events };
        let (severe, queue) = ((events.severe, sizes.severe), (events.queue, sizes.queue));
        let offer = if is_severe && self.has_room(severe.0, severe.1, bytes) {
            Offer::Pass
        } else if self.policy == Policy::Queue && self.has_room(queue.0, queue.1, bytes) {
            Offer::Queue
        } else if self.policy == Policy::Sample && !self.is_closed {
            let place = room.before + self.tally.sampled + self.tally.shed;
            match place.is_multiple_of(u64::from(room.one_in.max(1))) {
                true => Offer::Sample(room.one_in),
                false => Offer::Shed,
            }
        } else {
            Offer::Shed
        };
        self.count(offer, bytes, room);
        offer
    }

    fn count(&mut self, offer: Offer, bytes: u64, room: Room) {
        let (policy, tally) = (self.policy, &mut self.tally);
        if offer == Offer::Shed {
            tally.shed += 1;
            tally.shed_bytes += bytes;
        } else {
            tally.passed += 1;
            tally.bytes += bytes;
        }
        match offer {
            Offer::Queue => tally.queued += 1,
            Offer::Sample(_) => {
                tally.sampled += 1;
                tally.sampled_bytes += bytes;
            }
            Offer::Pass => return,
            Offer::Shed => {}
        }
        tally.by = tally.by.or(Some(room.by));
        if offer == Offer::Shed && policy == Policy::Queue {
            tally.queue = Some(room.queue_rule);
        }
    }

    /// Events and bytes that are charged for so far: what is kept as a sample is not.
    fn charged(&self) -> (u64, u64) {
        self.tally.charged()
    }

    #[inline]
    fn has_room(&self, events: u64, sizes: u64, bytes: u64) -> bool {
        let (taken, taken_bytes) = self.charged();
        taken < events
            && (taken_bytes.saturating_add(bytes) <= sizes
                || (self.is_full && taken == 0 && sizes > 0))
    }
}

impl Tally {
    /// The limit by which events were shed.
    pub fn shed_by(&self) -> Option<&'static str> {
        self.queue.or(self.by.map(|by| by.rule)).filter(|_| self.shed > 0)
    }

    /// Events and bytes that are to be spent.
    pub(super) fn charged(&self) -> (u64, u64) {
        (self.passed - self.sampled, self.bytes - self.sampled_bytes)
    }
}

impl Room {
    const UNLIMITED: Self = Self {
        plain: u64::MAX,
        severe: u64::MAX,
        queue: u64::MAX,
        by: By { payer: 0, rule: "" },
        queue_rule: "",
        one_in: 1,
        before: 0,
    };

    fn narrow(&mut self, asked: Asked<'_>, policy: Policy, at: Duration) {
        let Asked { rate, level, by, queue_rule, one_in, before } = asked;
        let room = |share| match policy {
            _ if rate.is_closed() => 0,
            Policy::Pace => u64::MAX,
            _ => rate.room(level, share, at),
        };
        let plain = room(Share::Plain);
        if plain < self.plain {
            *self = Self { plain, by, queue_rule, one_in, before, ..*self };
        }
        self.severe = self.severe.min(room(Share::Severe));
        self.queue = self.queue.min(room(Share::Queue));
    }
}
