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
    /// Whether it waits for room itself.
    pub(super) waits: bool,
    pub(super) told: Arc<Told>,
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
    holders: &BTreeMap<u64, Holder>,
    all: usize,
    first: usize,
    now: Instant,
) -> Vec<By> {
    // What goes already will be there in a moment.
    let going = holders.values().filter(|holder| holder.told.is());
    let mut coming: usize = going.map(|holder| holder.bytes).sum();
    let mut stalled: Vec<&Holder> = holders
        .values()
        .filter(|holder| !holder.told.is() && now.saturating_duration_since(holder.since) >= STALL)
        .collect();
    stalled.sort_by_key(|holder| (holder.waits, std::cmp::Reverse(holder.bytes)));
    let mut gone = Vec::new();
    for holder in stalled {
        let wanted = if holder.waits { first } else { all };
        if coming >= wanted {
            break;
        }
        coming += holder.bytes;
        holder.told.tell();
        gone.push(holder.by);
    }
    gone
}

/// How long a message may take to end while others wait for the memory that it holds.
pub(super) const STALL: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_hold_most_and_do_not_get_on_go_first() {
        // Bytes, seconds since the end of a message, whether it waits.
        let holders =
            [(50, 9, false), (80, 1, false), (70, 3, false), (90, 9, true), (60, 9, true)];
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
            let holder = |(bytes, ago, waits): (usize, u64, bool)| Holder {
                by: By::Messages,
                bytes,
                since: now - Duration::from_secs(ago),
                waits,
                told: Arc::default(),
            };
            let holders: BTreeMap<u64, Holder> = (0..).zip(holders.map(holder)).collect();
            let gone = relieve(&holders, *all, *first, now);
            let mut told: Vec<usize> =
                holders.values().filter(|one| one.told.is()).map(|one| one.bytes).collect();
            told.sort_unstable();
            assert_eq!((&told[..], gone.len()), (*want, want.len()), "{all} {first}");
            assert!(relieve(&holders, *all, *first, now).is_empty(), "they are on their way");
        }
    }
}
