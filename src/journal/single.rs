//! Entries that stay apart, as long as there are not too many of them.

use super::access::Access;
use super::fold::{Entry, What};
use crate::time::Timestamp;

/// Notes of successful calls that are not stored yet.
#[derive(Debug)]
pub(super) struct Singles {
    entries: Vec<Entry>,
    /// How many more there may be.
    room: usize,
    /// Bytes of bodies in them.
    bodies: usize,
    /// Lots drawn so far.
    draws: u64,
}

impl Default for Singles {
    fn default() -> Self {
        Self { entries: Vec::new(), room: BURST, bodies: 0, draws: 0 }
    }
}

impl Singles {
    /// Whether an entry is of those `rate` of all that are kept.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are lots enough")]
    pub(super) fn draws(&mut self, rate: f64) -> bool {
        if rate >= 1.0 {
            return true;
        }
        self.draws = self.draws.wrapping_add(1);
        // Not every nth: who calls in turn with another would be kept always, or never.
        let lot = mixed(self.draws) >> 11;
        (lot as f64) < rate * (1_u64 << 53) as f64
    }

    /// Keeps an entry apart, or gives it back to be folded, where there are too many.
    pub(super) fn add(
        &mut self,
        now: Timestamp,
        mut access: Access,
        rate: Option<f64>,
    ) -> Option<Access> {
        let body = access.body.as_ref().map_or(0, String::len);
        if self.bodies + body > MAX_BODIES {
            access.body = None;
        } else {
            self.bodies += body;
        }
        if self.room == 0 {
            return Some(access);
        }
        self.room -= 1;
        let what = What::Access(access, rate);
        self.entries.push(Entry { what, count: 1, first: now, last: now });
        None
    }

    /// Takes those that there are. Called once a second.
    pub(super) fn take(&mut self) -> Vec<Entry> {
        self.room = (self.room + A_SECOND).min(BURST);
        self.bodies = 0;
        std::mem::take(&mut self.entries)
    }
}

/// A number that has nothing to see with the one before (the finalizer of splitmix64).
const fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Entries that may come at once: each of so many senders of datagrams has one a minute.
const BURST: usize = 16_384;

/// Entries that may come every second.
const A_SECOND: usize = 1024;

/// Bytes of bodies that wait to be stored.
const MAX_BODIES: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_kept_as_the_rate_says() {
        for (rate, least, most) in
            [(0.0, 0, 0), (0.1, 900, 1100), (0.5, 4800, 5200), (1.0, 10_000, 10_000)]
        {
            let mut singles = Singles::default();
            let kept = (0..10_000).filter(|_| singles.draws(rate)).count();
            assert!((least..=most).contains(&kept), "{rate}: {kept}");
            // Nor does it matter whether one calls in turn with another.
            let even = (0..10_000).filter(|n| singles.draws(rate) && n % 2 == 0).count();
            assert!((least * 4 / 10..=most * 6 / 10).contains(&even), "{rate}: {even}");
        }
    }

    #[test]
    fn there_is_room_for_a_burst_and_for_so_many_a_second() {
        let mut singles = Singles::default();
        let add = |singles: &mut Singles| {
            singles.add(Timestamp::default(), Access::default(), None).is_none()
        };
        assert_eq!((0..20_000).filter(|_| add(&mut singles)).count(), BURST);
        assert_eq!(singles.take().len(), BURST);
        assert_eq!((0..20_000).filter(|_| add(&mut singles)).count(), A_SECOND);
        assert_eq!(singles.take().len(), A_SECOND);
        (0..100).for_each(|_| drop(singles.take()));
        assert_eq!((0..20_000).filter(|_| add(&mut singles)).count(), BURST);
    }
}
