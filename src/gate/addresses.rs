//! What each source address spent, for as many addresses as there is room for.
//!
//! Each shard keeps two generations. An address is found in the young one, or brought over from the
//! old one. When the young one is half of the room the old one is forgotten, and the young one is
//! old: so what leaves is what was not heard of for longest. An address that still owes or lacks
//! something is brought over before, as long as there is room, those that owe most before others; one
//! whose buckets are full again loses nothing by being forgotten. That keeps a flood of addresses, each seen once, from
//! washing out the one that is being held back.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use parking_lot::Mutex;

use super::charge::{Levels, Rates};

/// Levels by source; see [`source`](super::range::source).
#[derive(Debug)]
pub(super) struct Addresses {
    rates: Rates,
    shards: Box<[Mutex<Shard>]>,
    /// The most sources in one generation of a shard.
    room: usize,
    /// Odd, and of its own in each process: nobody can choose addresses that share a shard.
    seed: u64,
}

#[derive(Debug, Default)]
struct Shard {
    young: HashMap<u128, Levels>,
    old: HashMap<u128, Levels>,
}

impl Addresses {
    /// Keeps `max` addresses at most.
    pub(super) fn new(rates: Rates, max: usize) -> Self {
        Self {
            rates,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            room: (max / SHARDS / 2).max(1),
            seed: RandomState::new().hash_one(0) | 1,
        }
    }

    /// The rates of every address.
    pub(super) fn rates(&self) -> Rates {
        self.rates
    }

    /// Calls `with` with the levels of `source`.
    pub(super) fn with<R>(&self, source: u128, at: Duration, with: impl FnOnce(&Levels) -> R) -> R {
        let mut shard = self.shard(source).lock();
        if let Some(levels) = shard.young.get(&source) {
            return with(levels);
        }
        if shard.young.len() >= self.room {
            shard.turn(self.rates, self.room / 2, at);
        }
        let levels = shard.old.remove(&source).unwrap_or_default();
        with(shard.young.entry(source).or_insert(levels))
    }

    /// The shard of a source: the top bits of its product with the seed.
    fn shard(&self, source: u128) -> &Mutex<Shard> {
        let [low, high] = [source, source >> 64].map(|half| u64::try_from(half & LOW).unwrap_or(0));
        let top = (low ^ high).wrapping_mul(self.seed) >> (u64::BITS - SHARDS.ilog2());
        let at = usize::try_from(top).unwrap_or(0);
        self.shards.get(at).expect("so many bits count below the number of shards")
    }

    /// How many addresses are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock()).map(|s| s.young.len() + s.old.len()).sum()
    }
}

impl Shard {
    /// Makes the young generation the old one, and begins a new one with at most `most` of those
    /// that cannot be forgotten without forgiving.
    fn turn(&mut self, rates: Rates, most: usize, at: Duration) {
        std::mem::swap(&mut self.young, &mut self.old);
        let owing = self.young.iter().filter(|(_, levels)| !rates.are_full(levels, at));
        let mut owing: Vec<_> =
            owing.map(|(source, levels)| (rates.owed(levels, at), *source)).collect();
        if owing.len() > most {
            owing.select_nth_unstable_by(most, |a, b| b.cmp(a));
            owing.truncate(most);
        }
        let young = owing.into_iter().filter_map(|(_, source)| self.young.remove_entry(&source));
        self.young = young.collect();
    }
}

/// The lower half of a source.
const LOW: u128 = u64::MAX as u128;

/// Locks, so that cores seldom meet at one. A power of two.
const SHARDS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::charge::{Named, Payer, Rules, grant, settle};
    use crate::gate::limits::{Limits, Policy};

    fn addresses(max: usize) -> Addresses {
        let limits = Limits { events_per_second: Some(10), ..Limits::default() };
        Addresses::new(Rates::new(&limits), max)
    }

    /// Charges so many events of so many bytes each; how many passed.
    fn spend(addresses: &Addresses, source: u128, [events, bytes]: [u64; 2], at: Duration) -> u64 {
        addresses.with(source, at, |levels| {
            let subject = Named::Address(std::net::Ipv4Addr::LOCALHOST.into());
            let rates = addresses.rates();
            let payers =
                [None, None, Some(Payer { rates, levels, rules: &Rules::ADDRESS, subject })];
            let mut allowance = grant(&payers, Policy::Drop, at);
            for _ in 0..events {
                allowance.offer(bytes, || false);
            }
            settle(&payers, &allowance, at);
            allowance.tally().passed
        })
    }

    fn charge(addresses: &Addresses, source: u128, events: u64, at: Duration) -> u64 {
        spend(addresses, source, [events, 0], at)
    }

    #[test]
    fn rl_06_a_million_addresses_are_bounded_and_the_full_and_oldest_leave_first() {
        let addresses = addresses(4096);
        let mut at = Duration::from_secs(1);
        let mut passed = charge(&addresses, 7, 1000, at);
        for source in 1000..1_001_000 {
            // Each is full again after a tenth of a second, ten thousand addresses later.
            at += Duration::from_micros(10);
            assert_eq!(charge(&addresses, source, 1, at), 1);
            assert!(source % 1000 != 0 || addresses.len() <= 4096);
            if source % 500 == 0 {
                passed += charge(&addresses, 7, 1000, at);
            }
        }
        assert!(addresses.len() > 2048);
        // A burst, and ten seconds at ten a second: it was never taken for a new one.
        assert_eq!(passed + charge(&addresses, 7, 1000, at), 110);
    }

    #[test]
    fn rl_06_one_that_owes_outlives_a_flood_of_those_that_do_not() {
        let limits =
            Limits { bytes_per_second: Some(bytesize::ByteSize::b(10)), ..Limits::default() };
        let addresses = Addresses::new(Rates::new(&limits), 4096);
        let at = Duration::from_secs(1);
        let spend = |source, bytes, at| spend(&addresses, source, [1, bytes], at);
        assert_eq!(spend(7, 1000, at), 1);
        for source in 1000..101_000 {
            spend(source, 0, at);
        }
        assert_eq!(spend(7, 1, at + Duration::from_secs(90)), 0);
        assert_eq!(spend(7, 1, at + Duration::from_secs(100)), 1);
    }
}
