//! Who has to go when others wait for room.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

use super::By;

/// One that holds memory, and may be told to go.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) by: By,
    pub(super) bytes: usize,
    /// Since when it has not come to the end of a message.
    pub(super) since: Instant,
    /// What for it keeps that.
    pub(super) awaits: Awaits,
    pub(super) told: Arc<Told>,
    /// When it was told to go.
    pub(super) told_at: Option<Instant>,
}

/// What one waits for while it keeps the memory that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Awaits {
    /// Its sender, who has not ended a message, or does not read what it is answered.
    Sender,
    /// Room for more.
    Room,
    /// Us, such as a disk that is slow: nobody gains by its going.
    Us,
}

/// Whether one that holds memory has to go.
#[derive(Debug, Default)]
pub(super) struct Told {
    is_told: AtomicBool,
    waker: AtomicWaker,
}

impl Told {
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        match self.is() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    fn is(&self) -> bool {
        self.is_told.load(Ordering::Acquire)
    }

    fn tell(&self) {
        self.is_told.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// Tells holders to go, until what they hold is what is wanted: `all`, by everyone who has waited for
/// long, or at least by the `first` of them. Returns who they are.
///
/// Those go first who do not wait themselves: their senders have stopped in the midst of a message, or
/// are very slow. Where all of them wait for each other, one of them goes so that others get on. Of
/// equals it is the one that holds most.
pub(super) fn relieve(
    holders: &mut BTreeMap<u64, Holder>,
    all: usize,
    first: usize,
    now: Instant,
) -> Vec<By> {
    let age = |since: Instant| now.saturating_duration_since(since);
    // What goes already will be there in a moment.
    let is_going = |holder: &&Holder| holder.told_at.is_some_and(|at| age(at) < GOING);
    let mut coming: usize = holders.values().filter(is_going).map(|holder| holder.bytes).sum();
    let may_go = |holder: &&mut Holder| {
        holder.told_at.is_none() && holder.awaits != Awaits::Us && age(holder.since) >= STALL
    };
    let mut stalled: Vec<&mut Holder> = holders.values_mut().filter(may_go).collect();
    stalled.sort_by_key(|holder| (holder.awaits, std::cmp::Reverse(holder.bytes)));
    let mut gone = Vec::new();
    for holder in stalled {
        let wanted = if holder.awaits == Awaits::Room { first } else { all };
        if coming >= wanted {
            break;
        }
        coming += holder.bytes;
        holder.told_at = Some(now);
        holder.told.tell();
        gone.push(holder.by);
    }
    gone
}

/// How long a message may take to end while others wait for the memory that it holds.
pub(super) const STALL: Duration = Duration::from_secs(2);

/// How long one may take to go. What is not there by then is not waited for any longer.
const GOING: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_hold_most_and_do_not_get_on_go_first() {
        use Awaits::{Room, Sender, Us};
        // Bytes, seconds since the end of a message, what it waits for.
        let holders = [
            (50, 9, Sender),
            (80, 1, Sender),
            (70, 3, Sender),
            (90, 9, Room),
            (60, 9, Room),
            (99, 9, Us),
        ];
        // Wanted by all, and by the first; who goes.
        let table: &[(usize, usize, &[usize])] = &[
            (0, 0, &[]),
            (10, 10, &[70]),
            (70, 10, &[70]),
            (71, 10, &[50, 70]),
            (200, 10, &[50, 70]),
            (200, 120, &[50, 70]),
            (200, 121, &[50, 70, 90]),
            (900, 900, &[50, 60, 70, 90]),
        ];
        for (all, first, want) in table {
            let now = Instant::now() + Duration::from_secs(100);
            let holder = |(bytes, ago, awaits): (usize, u64, Awaits)| Holder {
                by: By::Messages,
                bytes,
                since: now - Duration::from_secs(ago),
                awaits,
                told: Arc::default(),
                told_at: None,
            };
            let mut holders: BTreeMap<u64, Holder> = (0..).zip(holders.map(holder)).collect();
            let gone = relieve(&mut holders, *all, *first, now);
            let mut told: Vec<usize> =
                holders.values().filter(|one| one.told.is()).map(|one| one.bytes).collect();
            told.sort_unstable();
            assert_eq!((&told[..], gone.len()), (*want, want.len()), "{all} {first}");
            assert!(relieve(&mut holders, *all, *first, now).is_empty(), "they are on their way");
        }
    }

    #[test]
    fn who_does_not_go_is_not_waited_for() {
        let now = Instant::now() + Duration::from_secs(100);
        let holder = |bytes| Holder {
            by: By::Messages,
            bytes,
            since: now - STALL,
            awaits: Awaits::Sender,
            told: Arc::default(),
            told_at: None,
        };
        let mut holders: BTreeMap<u64, Holder> = (0..).zip([50, 70].map(holder)).collect();
        assert_eq!(relieve(&mut holders, 60, 60, now).len(), 1);
        assert!(relieve(&mut holders, 60, 60, now + GOING / 2).is_empty());
        assert_eq!(relieve(&mut holders, 60, 60, now + GOING).len(), 1, "the other one goes");
    }
}
