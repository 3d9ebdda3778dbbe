//! Slows those who guess passwords, and nobody else.
//!
//! Failures are counted three times over. The first few of each cost nothing; then one has to wait
//! before the next attempt, twice as long each time, up to a bound. Time forgives.
//!
//! | of                         | free | longest wait |
//! |----------------------------|------|--------------|
//! | an account from an address | 5    | 5 minutes    |
//! | an address                 | 20   | 5 minutes    |
//! | an account                 | 20   | 1 minute     |
//!
//! # Invariants
//!
//! * *Nobody locks another out*: an attempt from an address that its account has signed in from is
//!   only counted with the others of that account from that address. Whoever comes from elsewhere
//!   waits a minute at the most for what strangers did to the account.
//! * *It tells nothing of who there is*: accounts are counted by what was written, whether there is
//!   such a user or not.
//! * *Attempts at the same time are counted before they are made*, and one that succeeds is taken
//!   back.
//! * *Bounded*: so many of each are told apart as an [`Aging`] map holds, and those forgotten that
//!   were not heard of for longest. Of accounts only hashes are kept.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;

use crate::aging::Aging;
use crate::time::{SECOND, Timestamp};

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    state: Mutex<State>,
    /// Of its own in each process: nobody can choose accounts that are taken for one.
    hasher: RandomState,
}

/// An attempt that may be made, and was counted as if it had failed.
#[derive(Debug)]
pub(super) struct Attempt {
    account: u64,
    source: u128,
    is_known: bool,
}

#[derive(Debug, Default)]
struct State {
    pairs: Aging<(u64, u128), Bucket>,
    addresses: Aging<u128, Bucket>,
    accounts: Aging<u64, Bucket>,
    /// Addresses that accounts have signed in from.
    good: Aging<(u64, u128), ()>,
}

/// Failures, and when the last of them was.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    failures: u32,
    last: Timestamp,
}

/// How long who has failed so often must wait.
#[derive(Clone, Copy, Debug)]
struct Patience {
    free: u32,
    longest: i64,
}

impl Throttle {
    /// Lets an attempt be made, or says how long to wait. `is_known`: the account is signed in from
    /// there.
    pub(super) fn begin(
        &self,
        account: &str,
        peer: IpAddr,
        is_known: bool,
        now: Timestamp,
    ) -> Result<Attempt, Duration> {
        let (account, source) = (self.hasher.hash_one(account), source(peer));
        let state = &mut *self.state.lock();
        let is_known = is_known || state.good.peek(&(account, source)).is_some();
        // What is refused costs nothing, so it must not make others be forgotten.
        let wait_of = |known: Option<&Bucket>, patience| known.map_or(0, |b| b.wait(patience, now));
        let mut wait = wait_of(state.pairs.peek(&(account, source)), PAIR);
        if !is_known {
            wait = wait.max(wait_of(state.addresses.peek(&source), ADDRESS));
            wait = wait.max(wait_of(state.accounts.peek(&account), ACCOUNT));
        }
        if wait > 0 {
            return Err(Duration::from_micros(wait.unsigned_abs()));
        }
        state.pairs.get((account, source)).count(now);
        if !is_known {
            state.addresses.get(source).count(now);
            state.accounts.get(account).count(now);
        }
        Ok(Attempt { account, source, is_known })
    }

    /// Says that an attempt succeeded.
    pub(super) fn succeeded(&self, attempt: &Attempt) {
        let Attempt { account, source, is_known } = *attempt;
        let state = &mut *self.state.lock();
        *state.pairs.get((account, source)) = Bucket::default();
        state.good.get((account, source));
        if !is_known {
            state.addresses.get(source).take_back();
            state.accounts.get(account).take_back();
        }
    }
}

impl Bucket {
    /// How many microseconds are to be waited.
    fn wait(&self, Patience { free, longest }: Patience, now: Timestamp) -> i64 {
        let (passed, failures) = self.after(now);
        let Some(over) = failures.checked_sub(free) else { return 0 };
        let wait = SECOND.saturating_mul(1_i64.checked_shl(over.min(32)).unwrap_or(i64::MAX));
        wait.min(longest).saturating_sub(passed).max(0)
    }

    fn count(&mut self, now: Timestamp) {
        *self = Self { failures: self.after(now).1.saturating_add(1), last: now };
    }

    fn take_back(&mut self) {
        self.failures = self.failures.saturating_sub(1);
    }

    /// How long ago the last was, and how many are not forgiven by now. A clock that was set back
    /// counts as a long time: that is nothing that who guesses can do.
    fn after(&self, now: Timestamp) -> (i64, u32) {
        let passed = now.as_micros().saturating_sub(self.last.as_micros());
        if passed < 0 {
            return (i64::MAX, 0);
        }
        let forgiven = u32::try_from(passed / FORGIVEN).unwrap_or(u32::MAX);
        (passed, self.failures.saturating_sub(forgiven))
    }
}

/// Whose an address is: an IPv4 address, or the /64 that somebody has of IPv6.
pub(super) fn source(peer: IpAddr) -> u128 {
    match peer.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits() >> 64 << 64,
    }
}

const PAIR: Patience = Patience { free: 5, longest: 300 * SECOND };

const ADDRESS: Patience = Patience { free: 20, longest: 300 * SECOND };

const ACCOUNT: Patience = Patience { free: 20, longest: 60 * SECOND };

/// After how many microseconds one failure is forgiven.
const FORGIVEN: i64 = 300 * SECOND;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aging::MAX_SUBJECTS;

    const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// How many attempts can be made within so many seconds, by who tries every second.
    fn attempts(throttle: &Throttle, account: &str, peer: &str, seconds: i64) -> usize {
        let at = |second: i64| NOW.plus(second * SECOND);
        let made = |second: &i64| throttle.begin(account, ip(peer), false, at(*second)).is_ok();
        (0..seconds).filter(made).count()
    }

    #[test]
    fn who_guesses_has_a_few_and_then_twelve_an_hour() {
        let throttle = Throttle::default();
        assert_eq!(attempts(&throttle, "ann", "192.0.2.1", 10), 7, "5, after a second, after two");
        let throttle = Throttle::default();
        let in_an_hour = attempts(&throttle, "ann", "192.0.2.1", 3600);
        assert!((15..=30).contains(&in_an_hour), "{in_an_hour}");
        // Another account from there has its own few, and the address's.
        let throttle = Throttle::default();
        let all: usize =
            (0..100).map(|n| attempts(&throttle, &format!("user{n}"), "192.0.2.1", 1)).sum();
        assert_eq!(all, 20, "then the address waits");
    }

    #[test]
    fn an_account_is_slowed_over_all_addresses_and_not_where_it_is_at_home() {
        let throttle = Throttle::default();
        let home = ip("203.0.113.9");
        let signed_in = throttle.begin("ann", home, false, NOW).unwrap();
        throttle.succeeded(&signed_in);
        let mut made = 0;
        for n in 0..10_000_u32 {
            let peer = IpAddr::V4(std::net::Ipv4Addr::from(0x0a00_0000 + n));
            made += usize::from(throttle.begin("ann", peer, false, NOW).is_ok());
        }
        assert_eq!(made, 20);
        assert!(throttle.begin("ann", home, false, NOW).is_ok(), "she signs in as ever");
        assert!(throttle.begin("bob", ip("203.0.113.8"), false, NOW).is_ok());
        // From elsewhere she waits a minute at the most, whatever strangers do meanwhile.
        let elsewhere = ip("198.51.100.1");
        let wait = throttle.begin("ann", elsewhere, false, NOW).unwrap_err();
        assert!(wait <= Duration::from_secs(60), "{wait:?}");
        assert!(throttle.begin("ann", elsewhere, true, NOW).is_ok(), "a session tells too");
    }

    #[test]
    fn success_forgives_the_account_there_and_no_address() {
        let throttle = Throttle::default();
        let peer = ip("192.0.2.1");
        for n in 0..19 {
            throttle.begin(&format!("user{n}"), peer, false, NOW).unwrap();
        }
        // Who has an account of their own cannot wash away what they guessed with it.
        for _ in 0..3 {
            let own = throttle.begin("mallory", peer, false, NOW).unwrap();
            throttle.succeeded(&own);
        }
        throttle.begin("ann", peer, false, NOW).unwrap();
        assert!(throttle.begin("bob", peer, false, NOW).is_err());
    }

    #[test]
    fn time_forgives_and_a_clock_that_is_set_back_holds_nobody_up() {
        let throttle = Throttle::default();
        let peer = ip("2001:db8::1");
        while throttle.begin("ann", peer, false, NOW).is_ok() {}
        // The /64 is one; another is another.
        assert!(throttle.begin("ann", ip("2001:db8::2"), false, NOW).is_err());
        assert!(throttle.begin("ann", ip("2001:db8:0:1::1"), false, NOW).is_ok());
        assert!(throttle.begin("ann", peer, false, NOW.plus(-SECOND)).is_ok());
        let throttle = Throttle::default();
        while throttle.begin("ann", peer, false, NOW).is_ok() {}
        let later = NOW.plus(5 * FORGIVEN);
        assert_eq!((0..9).filter(|_| throttle.begin("ann", peer, false, later).is_ok()).count(), 5);
    }

    #[test]
    fn what_is_refused_makes_nobody_be_forgotten() {
        let throttle = Throttle::default();
        let (victim, guesser) = (ip("203.0.113.9"), ip("192.0.2.1"));
        while throttle.begin("ann", victim, false, NOW).is_ok() {}
        for n in 0..20 {
            throttle.begin(&format!("user{n}"), guesser, false, NOW).unwrap();
        }
        for n in 20..100_000 {
            assert!(throttle.begin(&format!("user{n}"), guesser, false, NOW).is_err());
        }
        assert!(throttle.begin("ann", victim, false, NOW).is_err());
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let throttle = Throttle::default();
        for n in 0..100_000_u32 {
            let peer = IpAddr::V4(std::net::Ipv4Addr::from(n));
            let attempt = throttle.begin(&n.to_string(), peer, false, NOW).unwrap();
            throttle.succeeded(&attempt);
        }
        let state = throttle.state.lock();
        let sizes =
            [state.pairs.len(), state.addresses.len(), state.accounts.len(), state.good.len()];
        assert!(sizes.iter().all(|size| *size <= MAX_SUBJECTS), "{sizes:?}");
    }
}
