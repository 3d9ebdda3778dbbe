//! Requests of a key within the hour.
//!
//! The hour is one of UTC, but how long it lasts is told by a clock that nobody sets: when the wall
//! clock jumps, forward or back, the hour that was begun goes on for as long as it had left, so
//! that no jump forgives what was spent, or makes it last for a day. Where the machine was started
//! anew, only the wall clock knows; it is believed unless it went back by less than a day.
//!
//! # What survives
//!
//! The count of requests that bring logs goes into the synced batch of the events that they
//! brought, so what was acknowledged was counted. Requests that read are reserved on disk before
//! they are answered, [`RESERVED`] at a time: after a crash the hour goes on from the end of what
//! was reserved.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::tier::RequestKind;
use crate::time::{SECOND, Timestamp};

/// A reading of the clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What the wall clock says, which anyone may set.
    pub wall: Timestamp,
    /// The time since the machine was started, asleep or not.
    pub since_boot: Duration,
    /// Which start that was.
    pub boot: u64,
}

/// What a key has of its hour, after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Requests an hour.
    pub limit: u64,
    /// How many are left.
    pub remaining: u64,
    /// How long until the next hour.
    pub reset: Duration,
    /// Whether the request is over the limit and passes all the same, marked as such.
    pub is_queued: bool,
}

/// How a request was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) quota: Quota,
    pub(super) outcome: Outcome,
    /// Whether the count must be synced before the request is answered.
    pub(super) must_sync: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Within,
    Queued,
    Over,
}

/// The hour of one key: as it is counted, and as it lies in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Hour {
    /// The number of the hour since the epoch, by the wall clock when it began.
    hour: i64,
    boot: u64,
    /// When it ends, in microseconds since that start of the machine.
    ends: u64,
    ingest: u64,
    query: u64,
    /// Requests over the limit that were queued.
    queued: u64,
    /// Requests that read which are counted as spent where this is read back.
    reserved: u64,
}

impl Quota {
    /// What an answer over HTTP says of it: the names of the headers and their values, after the
    /// IETF's draft on header fields for rate limits.
    pub fn headers(&self) -> [(&'static str, u64); 3] {
        let reset = self.reset.as_secs() + u64::from(self.reset.subsec_nanos() > 0);
        [
            ("ratelimit-limit", self.limit),
            ("ratelimit-remaining", self.remaining),
            ("ratelimit-reset", reset),
        ]
    }
}

impl Hour {
    /// Counts a request, unless it is over the limit. `queue` requests over it are queued.
    pub(super) fn count(
        &mut self,
        kind: RequestKind,
        limit: u64,
        queue: u64,
        now: Moment,
    ) -> Counted {
        self.turn(now);
        let spent = match kind {
            RequestKind::Ingest => &mut self.ingest,
            RequestKind::Query => &mut self.query,
        };
        let outcome = if *spent < limit {
            *spent += 1;
            Outcome::Within
        } else if self.queued < queue {
            self.queued += 1;
            Outcome::Queued
        } else {
            Outcome::Over
        };
        let remaining = limit.saturating_sub(*spent);
        let must_sync = self.query > self.reserved;
        if must_sync {
            self.reserved = self.query + RESERVED.min(limit / 100);
        }
        let reset = Duration::from_micros(self.ends.saturating_sub(micros(now.since_boot)));
        let quota = Quota { limit, remaining, reset, is_queued: outcome == Outcome::Queued };
        Counted { quota, outcome, must_sync }
    }

    /// The hour as it is read back after a crash: all that was reserved is spent.
    pub(super) fn recovered(mut self) -> Self {
        self.query = self.query.max(self.reserved);
        self
    }

    /// The hour, with nothing reserved: no more requests will come. `None` if nothing was.
    pub(super) fn settled(mut self) -> Option<Self> {
        let had = self.reserved > self.query;
        self.reserved = self.query;
        had.then_some(self)
    }

    /// Begins the next hour if this one is over.
    fn turn(&mut self, now: Moment) {
        let at = micros(now.since_boot);
        let wall = now.wall.as_micros();
        let (hour, passed) = (wall.div_euclid(HOUR), wall.rem_euclid(HOUR));
        let rest = u64::try_from(HOUR - passed).unwrap_or(0);
        let is_over = if self.boot == now.boot {
            let left = self.ends.saturating_sub(at);
            left == 0 || (hour > self.hour && left <= SLACK)
        } else {
            hour > self.hour || self.hour - hour > MAX_BACK
        };
        if is_over && hour == self.hour && self.boot == now.boot {
            self.ends = at + rest; // the wall clock is behind: it is the same hour still
        } else if is_over {
            *self = Self { hour, boot: now.boot, ends: at + rest, ..Self::default() };
        } else if self.boot != now.boot {
            let whole = u64::try_from(HOUR).unwrap_or(0);
            (self.boot, self.ends) = (now.boot, at + if hour == self.hour { rest } else { whole });
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Microseconds in an hour.
const HOUR: i64 = 3600 * SECOND;

/// Microseconds by which the wall clock may run ahead of the other over an hour, as it does while
/// it is being put right slowly.
const SLACK: u64 = 5_000_000;

/// Hours that the wall clock may have gone back by while the machine was down.
const MAX_BACK: i64 = 24;

/// Requests that are reserved at a time, but no more than a hundredth of the limit.
const RESERVED: u64 = 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BEGIN: i64 = 1_790_000_000_000_000 / HOUR * HOUR;

    /// So many seconds after the top of an hour by the wall clock, and since the machine started.
    fn at(wall: i64, since_boot: u64) -> Moment {
        let wall = Timestamp::from_micros(BEGIN + wall * SECOND);
        Moment { wall, since_boot: Duration::from_secs(since_boot), boot: 1 }
    }

    fn spend(hour: &mut Hour, now: Moment) -> bool {
        hour.count(RequestKind::Ingest, 10, 0, now).outcome == Outcome::Within
    }

    /// How many of twenty pass.
    fn spend_all(hour: &mut Hour, now: Moment) -> usize {
        (0..20).filter(|_| spend(hour, now)).count()
    }

    #[test]
    fn the_quota_is_new_at_the_top_of_each_hour() {
        let mut hour = Hour::default();
        let first = hour.count(RequestKind::Ingest, 10, 0, at(1800, 100)).quota;
        assert_eq!((first.limit, first.remaining, first.reset.as_secs()), (10, 9, 1800));
        assert_eq!(spend_all(&mut hour, at(3599, 1899)), 9);
        assert_eq!(spend_all(&mut hour, at(3600, 1900)), 10);
        assert_eq!(spend_all(&mut hour, at(7199, 5499)), 0);
        assert_eq!(spend_all(&mut hour, at(7200, 5500)), 10);
        let query = hour.count(RequestKind::Query, 10, 0, at(7200, 5500));
        assert_eq!(query.outcome, Outcome::Within, "each kind has its own");
    }

    #[test]
    fn rl_03_a_clock_that_jumps_neither_forgives_nor_doubles() {
        // What the wall clock says ten minutes and an hour into an hour.
        let day = 86_400;
        let table = [
            ("forward a day", day),
            ("back a day", -day),
            ("back ten minutes", -600),
            ("forward ten minutes", 600),
            ("forward an hour", 3600),
            ("back an hour", -3600),
        ];
        for (what, jump) in table {
            let mut hour = Hour::default();
            assert_eq!(spend_all(&mut hour, at(0, 1000)), 10, "{what}");
            for minute in 1..60 {
                let now = at(60 * minute + jump, 1000 + 60 * minute.unsigned_abs());
                assert_eq!(spend_all(&mut hour, now), 0, "{what}, minute {minute}");
            }
            // It does not last much longer than an hour either.
            let passed: usize = (60..=180)
                .map(|minute: u64| {
                    let wall = i64::try_from(60 * minute).unwrap() + jump;
                    spend_all(&mut hour, at(wall, 1000 + 60 * minute))
                })
                .sum();
            assert!((20..=30).contains(&passed), "{what}: {passed} in two hours");
        }
        // Forward and back again, and a clock that stands still.
        let mut hour = Hour::default();
        assert_eq!(spend_all(&mut hour, at(600, 1000)), 10);
        assert_eq!(spend_all(&mut hour, at(600 + day, 1010)), 0);
        assert_eq!(spend_all(&mut hour, at(620, 1020)), 0);
        assert_eq!(spend_all(&mut hour, at(620, 1020)), 0);
        // Asleep for the rest of the hour.
        assert_eq!(spend_all(&mut hour, at(3700, 4100)), 10);
    }

    #[test]
    fn rl_03_a_clock_put_right_slowly_turns_the_hour_on_time() {
        let mut hour = Hour::default();
        assert_eq!(spend_all(&mut hour, at(0, 1000)), 10);
        // The wall clock ran ahead by a second.
        assert_eq!(spend_all(&mut hour, at(3600, 4599)), 10);
        // And behind: it is not the next hour yet.
        assert_eq!(spend_all(&mut hour, at(7199, 8199)), 0);
        assert_eq!(spend_all(&mut hour, at(7200, 8200)), 10);
    }

    #[test]
    fn rl_04_a_restart_goes_on_where_it_was() {
        let mut hour = Hour::default();
        for _ in 0..7 {
            spend(&mut hour, at(600, 1000));
        }
        let text = serde_json::to_string(&hour).unwrap();
        let read = || serde_json::from_str::<Hour>(&text).unwrap().recovered();
        assert_eq!(spend_all(&mut read(), at(700, 1100)), 3);
        assert_eq!(spend_all(&mut read(), at(700 + 86_400, 1100)), 3, "the same machine knows");
        let anew = |wall| Moment { boot: 2, ..at(wall, 10) };
        assert_eq!(spend_all(&mut read(), anew(700)), 3);
        assert_eq!(spend_all(&mut read(), anew(-7200)), 3, "a clock that went back a little");
        assert_eq!(spend_all(&mut read(), anew(3600)), 10);
        assert_eq!(spend_all(&mut read(), anew(-30 * 3600)), 10);
    }

    #[test]
    fn rl_04_what_reads_is_reserved_before_it_is_answered() {
        let mut hour = Hour::default();
        let mut kept = Hour::default();
        for n in 1..=1000 {
            let counted = hour.count(RequestKind::Query, 2000, 0, at(0, 0));
            if counted.must_sync {
                kept = hour;
            }
            let recovered = kept.recovered().query;
            assert!((n..=n + RESERVED).contains(&recovered), "{recovered} of {n}");
        }
        assert_eq!(hour.settled().unwrap().recovered().query, 1000);
    }

    #[test]
    fn rl_05_none_and_more_than_anyone_makes() {
        let count = |limit| Hour::default().count(RequestKind::Query, limit, 0, at(0, 0)).outcome;
        assert_eq!((count(0), count(u64::MAX)), (Outcome::Over, Outcome::Within));
    }

    proptest! {
        #[test]
        fn rl_03_no_jumps_forgive(
            jumps in prop::collection::vec((1..600_u64, -200_000..200_000_i64), 1..200),
        ) {
            let (mut hour, mut up, mut passed) = (Hour::default(), 0, 0);
            let mut windows = 1;
            let mut ends = None;
            for (seconds, wall) in jumps {
                up += seconds;
                passed += spend_all(&mut hour, at(wall, up));
                if ends.is_some_and(|ends| ends != (hour.hour, hour.ends)) {
                    windows += 1;
                }
                ends = Some((hour.hour, hour.ends));
            }
            prop_assert!(passed <= 10 * windows);
        }
    }
}
