//! What passes of a read, when its limits are asked.
//!
//! A limit is asked once for all that a read brought. First every bucket says how many of the
//! events it has room for, and the least of these pass; then they are spent from all. What was
//! refused is spent from none, so a sender that is far over one limit does not use up another.

use std::time::Duration;

use super::limits::{Limits, Policy};
use super::rate::{Level, Rate};
use super::reason::Reason;
use super::refusal::Refusal;

/// What passes, and what becomes of the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// How many of the events pass: the first ones.
    pub admitted: u64,
    /// How long not to read again. Zero unless the policy is [`Policy::Pace`].
    pub wait: Duration,
    /// Why the rest does not pass.
    pub refusal: Option<Refusal>,
}

/// What a read brought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) events: u64,
    pub(super) bytes: u64,
}

/// The rates of one key, or of every address.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rates {
    events: Option<Rate>,
    bytes: Option<Rate>,
}

/// What one key or one address spent.
#[derive(Debug, Default)]
pub(super) struct Levels {
    events: Level,
    bytes: Level,
}

/// One of those whom a read is charged to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payer<'a> {
    pub(super) rates: Rates,
    pub(super) levels: &'a Levels,
    pub(super) rules: &'static Rules,
}

/// The names of the limits.
#[derive(Debug)]
pub(super) struct Rules {
    events: &'static str,
    bytes: &'static str,
}

impl Rates {
    pub(super) fn new(limits: &Limits) -> Self {
        let rate = |per_second| Rate::new(per_second, limits.burst);
        Self {
            events: limits.events_per_second.and_then(rate),
            bytes: limits.bytes_per_second.and_then(|size| rate(size.as_u64())),
        }
    }

    /// Whether everything passes.
    pub(super) fn is_unlimited(self) -> bool {
        self.events.is_none() && self.bytes.is_none()
    }

    /// Whether nothing is missing, so that forgetting these levels forgives nothing.
    pub(super) fn are_full(self, levels: &Levels, at: Duration) -> bool {
        self.events.is_none_or(|rate| rate.is_full(&levels.events, at))
            && self.bytes.is_none_or(|rate| rate.is_full(&levels.bytes, at))
    }
}

impl Rules {
    pub(super) const KEY: Self = Self { events: "limit:key:events", bytes: "limit:key:bytes" };
    pub(super) const ADDRESS: Self =
        Self { events: "limit:address:events", bytes: "limit:address:bytes" };
}

impl Load {
    /// Charges this load to all `payers`.
    pub(super) fn charge(
        self,
        payers: [Option<Payer<'_>>; 2],
        policy: Policy,
        at: Duration,
    ) -> Charge {
        let (mut admitted, mut tightest) = (self.events, None);
        for Payer { rates, levels, rules } in payers.iter().flatten() {
            let within = |rate| self.events_within(rate, &levels.events, policy, at);
            let events = rates.events.map_or(self.events, within);
            let within = |rate| self.bytes_within(rate, &levels.bytes, policy, at);
            let bytes = rates.bytes.map_or(self.events, within);
            for (room, rule) in [(events, rules.events), (bytes, rules.bytes)] {
                if room < admitted {
                    (admitted, tightest) = (room, Some(rule));
                }
            }
        }
        let (bytes, mut wait) = (self.bytes_of(admitted), Duration::ZERO);
        for Payer { rates, levels, .. } in payers.iter().flatten() {
            let spend = |rate: Option<Rate>, level, amount| match rate {
                Some(rate) if !rate.is_closed() => rate.spend(level, amount, at),
                _ => Duration::ZERO,
            };
            wait = wait.max(spend(rates.events, &levels.events, admitted));
            wait = wait.max(spend(rates.bytes, &levels.bytes, bytes));
        }
        Charge {
            admitted,
            wait: if policy == Policy::Pace { wait } else { Duration::ZERO },
            refusal: tightest.map(|rule| Refusal::fixed(Reason::RateLimitExceeded, rule)),
        }
    }

    /// How many of the events a limit of events lets pass.
    fn events_within(self, rate: Rate, level: &Level, policy: Policy, at: Duration) -> u64 {
        match policy {
            _ if rate.is_closed() => 0,
            Policy::Pace => self.events,
            Policy::Drop => self.events.min(rate.available(level, at)),
        }
    }

    /// How many of the events a limit of bytes lets pass, all taken to be of the same size.
    fn bytes_within(self, rate: Rate, level: &Level, policy: Policy, at: Duration) -> u64 {
        if rate.is_closed() {
            return 0;
        }
        let room = rate.available(level, at);
        if policy == Policy::Pace || room >= self.bytes {
            return self.events;
        }
        let share = u128::from(self.events) * u128::from(room) / u128::from(self.bytes.max(1));
        // An event longer than the whole burst would never fit: it passes a full bucket, in debt.
        let least = u128::from(rate.is_full(level, at));
        u64::try_from(share.max(least)).unwrap_or(self.events).min(self.events)
    }

    /// The bytes of so many of the events.
    fn bytes_of(self, events: u64) -> u64 {
        if events >= self.events {
            return self.bytes;
        }
        let share = u128::from(self.bytes) * u128::from(events);
        u64::try_from(share.div_ceil(u128::from(self.events.max(1)))).unwrap_or(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use bytesize::ByteSize;
    use proptest::prelude::*;

    use super::*;

    const AT: Duration = Duration::from_secs(50);

    fn rates(events: Option<u64>, bytes: Option<u64>) -> Rates {
        Rates::new(&Limits {
            events_per_second: events,
            bytes_per_second: bytes.map(ByteSize::b),
            ..Limits::default()
        })
    }

    fn payer(rates: Rates, levels: &Levels) -> Option<Payer<'_>> {
        Some(Payer { rates, levels, rules: &Rules::KEY })
    }

    fn rule(charge: &Charge) -> Option<&str> {
        charge.refusal.as_ref().map(|refusal| refusal.rule.as_str())
    }

    #[test]
    fn rl_02_what_fits_the_burst_passes_and_the_rest_goes_by_policy() {
        // (limits, policy, events, bytes) → (admitted, wait in ms, rule)
        type Row = ((Option<u64>, Option<u64>), Policy, u64, u64, (u64, u64, Option<&'static str>));
        let (events, bytes) = (Some("limit:key:events"), Some("limit:key:bytes"));
        let table: [Row; 12] = [
            ((Some(100), None), Policy::Drop, 100, 9, (100, 0, None)),
            ((Some(100), None), Policy::Drop, 101, 9, (100, 0, events)),
            ((Some(100), None), Policy::Drop, 5000, 9, (100, 0, events)),
            ((Some(100), None), Policy::Pace, 100, 9, (100, 0, None)),
            ((Some(100), None), Policy::Pace, 101, 9, (101, 10, None)),
            ((Some(100), None), Policy::Pace, 5000, 9, (5000, 49_000, None)),
            ((None, Some(1000)), Policy::Drop, 10, 1000, (10, 0, None)),
            ((None, Some(1000)), Policy::Drop, 10, 2000, (5, 0, bytes)),
            ((None, Some(1000)), Policy::Drop, 1, 300_000, (1, 0, None)),
            ((None, Some(1000)), Policy::Drop, 2, 300_000, (1, 0, bytes)),
            ((None, Some(1000)), Policy::Pace, 10, 2000, (10, 1000, None)),
            ((Some(3), Some(1000)), Policy::Drop, 10, 2000, (3, 0, events)),
        ];
        for (row, ((e, b), policy, events, bytes, want)) in table.into_iter().enumerate() {
            let levels = Levels::default();
            let load = Load { events, bytes };
            let charge = load.charge([payer(rates(e, b), &levels), None], policy, AT);
            let wait = u64::try_from(charge.wait.as_millis()).unwrap();
            assert_eq!((charge.admitted, wait, rule(&charge)), want, "row {row}");
        }
    }

    #[test]
    fn rl_02_what_can_never_fit_is_not_retried_for_ever() {
        let (levels, rates) = (Levels::default(), rates(None, Some(1000)));
        let huge = Load { events: 1, bytes: 10_000 };
        let at = |seconds| AT + Duration::from_secs(seconds);
        assert_eq!(huge.charge([payer(rates, &levels), None], Policy::Drop, at(0)).admitted, 1);
        assert_eq!(huge.charge([payer(rates, &levels), None], Policy::Drop, at(9)).admitted, 0);
        assert_eq!(huge.charge([payer(rates, &levels), None], Policy::Drop, at(10)).admitted, 1);
    }

    #[test]
    fn rl_05_zero_blocks_all_whatever_the_policy() {
        for policy in [Policy::Drop, Policy::Pace] {
            for rates in [rates(Some(0), None), rates(None, Some(0))] {
                let levels = Levels::default();
                let load = Load { events: 3, bytes: 30 };
                let charge = load.charge([payer(rates, &levels), None], policy, AT);
                assert_eq!((charge.admitted, charge.wait), (0, Duration::ZERO));
                assert!(charge.refusal.is_some());
            }
        }
    }

    #[test]
    fn rl_05_absent_and_huge_let_all_pass() {
        for rates in [rates(None, None), rates(Some(u64::MAX), Some(u64::MAX))] {
            let levels = Levels::default();
            let load = Load { events: u64::MAX, bytes: u64::MAX };
            let charge = load.charge([payer(rates, &levels), None], Policy::Drop, AT);
            assert_eq!(charge, Charge { admitted: u64::MAX, ..Charge::default() });
            assert!(rates.is_unlimited());
        }
    }

    #[test]
    fn what_one_payer_refuses_is_not_spent_by_the_other() {
        let (key, address) = (Levels::default(), Levels::default());
        let (tight, wide) = (rates(Some(10), None), rates(Some(100), None));
        let of_address = Some(Payer { rates: wide, levels: &address, rules: &Rules::ADDRESS });
        for _ in 0..50 {
            Load { events: 40, bytes: 1 }.charge(
                [payer(tight, &key), of_address],
                Policy::Drop,
                AT,
            );
        }
        let rest = Load { events: 100, bytes: 1 }.charge([None, of_address], Policy::Drop, AT);
        assert_eq!((rest.admitted, rule(&rest)), (90, Some("limit:address:events")));
    }

    proptest! {
        #[test]
        fn nothing_is_admitted_that_did_not_come_and_pace_loses_nothing(
            events in any::<u64>(), bytes in any::<u64>(),
            e in prop::option::of(any::<u64>()), b in prop::option::of(any::<u64>()),
        ) {
            let (dropped, paced) = (Levels::default(), Levels::default());
            let (rates, load) = (rates(e, b), Load { events, bytes });
            let charge = load.charge([payer(rates, &dropped), None], Policy::Drop, AT);
            prop_assert!(charge.admitted <= events);
            prop_assert_eq!(charge.admitted < events, charge.refusal.is_some());
            prop_assert_eq!(charge.wait, Duration::ZERO);
            let charge = load.charge([payer(rates, &paced), None], Policy::Pace, AT);
            prop_assert_eq!(charge.admitted < events, charge.refusal.is_some());
            prop_assert!(charge.admitted == events || e == Some(0) || b == Some(0));
        }
    }
}
