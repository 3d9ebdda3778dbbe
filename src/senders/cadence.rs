//! How often a sender speaks: how long it is usually quiet, and how long it may be before somebody
//! should look.
//!
//! The usual silence is the longest one, which is forgotten slowly: half of it in a week. It is not
//! an average, nor a quantile: a sender that writes ten lines a second by day and nothing at night
//! is as usual at night. While its sender is learned about, every silence counts as it is; later on,
//! one that was longer than all others, as after a failure, counts for four times the usual one at
//! most, so that a failure does not teach patience, and a new habit is learned after a few times.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::config::Config;

/// What was learned of one sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cadence {
    /// How often it was heard, at most once a second.
    heard: u32,
    /// For how long it is known, in milliseconds of listening.
    known: u64,
    /// The usual silence, in milliseconds.
    usual: u64,
}

impl Cadence {
    /// It was heard, `gap` milliseconds after the last time; `is_apart` says that the last time
    /// which counted is a second or more away.
    pub(super) fn hear(&mut self, gap: u64, is_apart: bool, config: &Config) {
        let is_learned = self.is_learned(config);
        if is_apart {
            self.heard = self.heard.saturating_add(1);
        }
        self.known = self.known.saturating_add(gap);
        if gap < LEAST {
            return;
        }
        let most = match is_learned {
            true => (GROWTH * self.usual).max(millis(config.overdue_min)),
            false => u64::MAX,
        };
        self.usual = faded(self.usual, gap).max(gap.min(most));
    }

    /// Whether enough is known of it to say that it is overdue.
    pub(super) fn is_learned(&self, config: &Config) -> bool {
        self.heard >= config.min_heard && self.known >= millis(config.learn_for)
    }

    /// How long it is usually quiet.
    pub(super) fn usual(&self) -> Duration {
        Duration::from_millis(self.usual)
    }

    /// How long it may be quiet, in milliseconds; `None` while it is learned about.
    pub(super) fn patience(&self, config: &Config) -> Option<u64> {
        let wanted = self.usual.saturating_mul(config.overdue_factor.into());
        let most = millis(config.overdue_max).max(self.usual + self.usual / 2);
        let patience = wanted.max(millis(config.overdue_min)).min(most);
        self.is_learned(config).then_some(patience)
    }
}

/// What is left of a silence when so much time has passed.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "of milliseconds, of which there are far less than 2^52"
)]
fn faded(silence: u64, passed: u64) -> u64 {
    (silence as f64 * (-(passed as f64) / HALF_LIFE).exp2()) as u64
}

/// Milliseconds.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A pause shorter than this is none, in milliseconds.
const LEAST: u64 = 1000;

/// How many times the usual silence one counts for that is longer than any before.
const GROWTH: u64 = 4;

/// After so many milliseconds half of a silence is forgotten: a week.
const HALF_LIFE: f64 = 7.0 * 86_400_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;

    /// A sender that is heard after each of these silences, and when it would have been overdue.
    fn overdue(gaps: impl Iterator<Item = u64>) -> (Cadence, Vec<usize>) {
        let (mut cadence, config) = (Cadence::default(), Config::default());
        let mut overdue = Vec::new();
        for (place, gap) in gaps.enumerate() {
            if cadence.patience(&config).is_some_and(|patience| gap > patience) {
                overdue.push(place);
            }
            cadence.hear(gap, gap >= LEAST, &config);
        }
        (cadence, overdue)
    }

    #[test]
    fn nobody_is_overdue_before_it_is_known() {
        let config = Config::default();
        let patience = |gaps: &[u64]| overdue(gaps.iter().copied()).0.patience(&config);
        assert_eq!(patience(&[]), None);
        assert_eq!(patience(&[DAY; 9]), None, "known for long, heard too little");
        assert_eq!(patience(&[1000; 10]), None, "heard often, known for too short");
        assert_eq!(patience(&[DAY; 10]), Some(3 * DAY));
    }

    #[test]
    fn what_is_usual_decides() {
        let config = Config::default();
        // The silences, over and over; how long it may be quiet.
        let table: [(&[u64], u64); 5] = [
            (&[100], 10 * MINUTE),
            (&[MINUTE], 10 * MINUTE),
            (&[HOUR], 3 * HOUR),
            (&[2 * DAY], 3 * DAY),
            (&[30 * DAY], 45 * DAY),
        ];
        for (gaps, want) in table {
            let many = gaps
                .iter()
                .copied()
                .cycle()
                .take(usize::try_from(3 * DAY / gaps[0]).unwrap().max(20));
            let (mut cadence, overdue) = overdue(many);
            cadence.heard = cadence.heard.max(config.min_heard); // in one second much is heard once
            assert_eq!(overdue, [] as [usize; 0], "{gaps:?}");
            assert_eq!(cadence.patience(&config), Some(want), "{gaps:?}");
        }
    }

    #[test]
    fn nights_and_weekends_are_learned() {
        // Each minute by day, nothing in the fourteen hours of the night; on two days nothing.
        let day = std::iter::repeat_n(MINUTE, 600).chain([14 * HOUR]);
        let friday = std::iter::repeat_n(MINUTE, 600).chain([14 * HOUR + 2 * DAY]);
        let week = day.cycle().take(4 * 601).chain(friday).collect::<Vec<_>>();
        let (_, overdue) = overdue(week.iter().copied().cycle().take(8 * week.len()));
        let weeks: Vec<_> = overdue.iter().map(|place| place / week.len()).collect();
        assert_eq!(weeks, [0], "the first weekend is news, and no other");
    }

    #[test]
    fn a_failure_teaches_no_patience() {
        let config = Config::default();
        let gaps = std::iter::repeat_n(MINUTE, 2000).chain([5 * DAY]).chain([MINUTE; 10]);
        let (cadence, overdue) = overdue(gaps);
        assert_eq!(overdue, [2000]);
        assert!(cadence.patience(&config).is_some_and(|patience| patience <= 30 * MINUTE));
    }
}
