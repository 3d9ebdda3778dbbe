//! What was refused before: the repetition and the spread that a threat score is made of.
//!
//! Refusals are looked at together, a second of them at a time, never on the way of a message.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use super::reason::Reason;
use super::threat::History;
use crate::time::Timestamp;

/// Refusals of the last minutes, of a bounded number of sources and fingerprints.
#[derive(Debug, Default)]
pub struct Histories {
    current: Generation,
    /// The window before it, so that nothing is forgotten at once.
    before: Generation,
    /// When the current window began.
    since: Option<Timestamp>,
}

/// Equal refusals, as they are told apart.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// Why.
    pub reason: Reason,
    /// From where, if that is known.
    pub source: Option<IpAddr>,
    /// With which key, masked.
    pub key: Option<&'a str>,
    /// What makes them recognisable, whatever their source.
    pub fingerprint: &'a str,
}

/// What was refused within one window.
#[derive(Debug, Default)]
struct Generation {
    counts: HashMap<(Reason, IpAddr), u64>,
    /// The sources of a fingerprint.
    sources: HashMap<String, HashSet<IpAddr>>,
    /// The keys that a source came with.
    keys: HashMap<IpAddr, HashSet<String>>,
}

impl Histories {
    /// What is known of `refused` once it was refused `count` times more, at `now`.
    pub fn observe(&mut self, refused: Refused<'_>, count: u64, now: Timestamp) -> History {
        self.turn(now);
        let Refused { reason, source, key, fingerprint } = refused;
        let mut repeated = count.saturating_sub(1);
        let mut spread = 0;
        if let Some(source) = source {
            let place = (reason, source);
            let known = [&self.current, &self.before].map(|g| g.counts.get(&place).copied());
            repeated = known.into_iter().flatten().fold(repeated, u64::saturating_add);
            self.current.remember(refused, source, count);
            let sources = self.union(|generation| generation.sources.get(fingerprint));
            let keys = match key {
                Some(_) => self.union(|generation| generation.keys.get(&source)),
                None => 0,
            };
            spread = sources.max(keys).saturating_sub(1);
        }
        History { repeated, spread }
    }

    /// Begins another window when the current one is over.
    fn turn(&mut self, now: Timestamp) {
        let age = self.since.map(|since| now.as_micros().saturating_sub(since.as_micros()));
        let window = i64::try_from(WINDOW.as_micros()).unwrap_or(i64::MAX);
        match age {
            Some(age) if (0..window).contains(&age) => return,
            Some(age) if (window..2 * window).contains(&age) => {
                self.before = std::mem::take(&mut self.current);
            }
            // Long ago, or a clock that was set back.
            _ => (self.before, self.current) = Default::default(),
        }
        self.since = Some(now);
    }

    fn union<T: Eq + std::hash::Hash>(
        &self,
        of: impl Fn(&Generation) -> Option<&HashSet<T>>,
    ) -> u64 {
        let both: HashSet<&T> =
            [&self.current, &self.before].into_iter().filter_map(of).flatten().collect();
        both.len() as u64
    }
}

impl Generation {
    /// Adds to what is known, as far as there is room.
    fn remember(&mut self, refused: Refused<'_>, source: IpAddr, count: u64) {
        let place = (refused.reason, source);
        if self.counts.len() < MAX_KNOWN || self.counts.contains_key(&place) {
            let sum = self.counts.entry(place).or_default();
            *sum = sum.saturating_add(count);
        }
        if self.sources.len() < MAX_KNOWN || self.sources.contains_key(refused.fingerprint) {
            let sources = self.sources.entry(refused.fingerprint.to_owned()).or_default();
            if sources.len() < MAX_SPREAD {
                sources.insert(source);
            }
        }
        if let Some(key) = refused.key
            && (self.keys.len() < MAX_KNOWN || self.keys.contains_key(&source))
        {
            let keys = self.keys.entry(source).or_default();
            if keys.len() < MAX_SPREAD {
                keys.insert(key.to_owned());
            }
        }
    }
}

/// How long a refusal counts, at least; twice as long at most.
const WINDOW: Duration = Duration::from_secs(600);

/// Sources and fingerprints that are told apart in a window; of others only their count is known.
const MAX_KNOWN: usize = 1024;

/// Past it the spread adds nothing to a score.
const MAX_SPREAD: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::threat_score;

    const CALL: Refused<'_> = Refused {
        reason: Reason::InvalidApiKey,
        source: Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1))),
        key: None,
        fingerprint: "f",
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn from(number: u32) -> Refused<'static> {
        Refused { source: Some(IpAddr::V4(number.into())), ..CALL }
    }

    #[test]
    fn repetition_and_spread() {
        // One after the other: when, what, how often; what is then known, and the score.
        let other_reason = Refused { reason: Reason::IpBlocklisted, fingerprint: "g", ..CALL };
        let nobody = Refused { source: None, ..CALL };
        let table = [
            (0, CALL, 1, (0, 0), 40),
            (1, CALL, 1, (1, 0), 43),
            (2, CALL, 30, (31, 0), 55),
            (2, other_reason, 1, (0, 0), 70),
            (3, from(7), 1, (0, 1), 46),
            (3, nobody, 9, (8, 0), 49),
            // In the next window the last one still counts, two windows later nothing does.
            (700, CALL, 1, (32, 1), 61),
            (1400, CALL, 1, (1, 0), 43),
            (9999, CALL, 1, (0, 0), 40),
            // A clock that is set back begins anew.
            (5, CALL, 1, (0, 0), 40),
        ];
        let mut histories = Histories::default();
        for (second, refused, count, (repeated, spread), score) in table {
            let history = histories.observe(refused, count, at(second));
            assert_eq!(history, History { repeated, spread }, "{second} {refused:?}");
            assert_eq!(threat_score(refused.reason, history), score, "{second} {refused:?}");
        }
    }

    #[test]
    fn one_source_with_many_keys_is_spread() {
        let mut histories = Histories::default();
        let keys: Vec<String> = (0..40).map(|n| format!("lt_live_{n:04}…0000")).collect();
        let spread = keys
            .iter()
            .map(|key| histories.observe(Refused { key: Some(key), ..CALL }, 1, at(0)).spread);
        let spread: Vec<u64> = spread.collect();
        assert_eq!((spread[0], spread[9], spread[39]), (0, 9, 31));
    }

    #[test]
    fn a_flood_of_sources_is_bounded() {
        let mut histories = Histories::default();
        for number in 0..20_000 {
            let fingerprint = number.to_string();
            let refused = Refused { fingerprint: &fingerprint, key: Some("k"), ..from(number) };
            histories.observe(refused, 1, at(0));
        }
        let Generation { counts, sources, keys } = &histories.current;
        assert_eq!([counts.len(), sources.len(), keys.len()], [MAX_KNOWN; 3]);
        // Those that are known are still counted.
        assert_eq!(histories.observe(from(1), 1, at(1)).repeated, 1);
    }
}
