//! What was told not long ago, and is not told again.

use std::collections::HashMap;
use std::time::Duration;

use crate::time::Timestamp;

/// Advisories that are not to be repeated, and until when.
#[derive(Debug, Default)]
pub(super) struct Told {
    until: HashMap<(&'static str, String), Timestamp>,
}

impl Told {
    /// Whether it is to be told; if so, not again within `every`.
    pub(super) fn tell(
        &mut self,
        kind: &'static str,
        subject: &str,
        now: Timestamp,
        every: Duration,
    ) -> bool {
        let every = i64::try_from(every.as_micros()).unwrap_or(i64::MAX);
        let key = (kind, subject.to_owned());
        // A clock that was set back makes nothing wait longer than it should.
        let waits = |until: &Timestamp| now < *until && *until <= now.plus(every);
        if self.until.get(&key).is_some_and(waits) {
            return false;
        }
        if self.until.len() >= MAX_TOLD {
            self.until.retain(|_, until| now < *until);
            if self.until.len() >= MAX_TOLD {
                return false; // so many things are wrong that one more tells nobody anything
            }
        }
        self.until.insert(key, now.plus(every));
        true
    }
}

/// Advisories that are remembered.
const MAX_TOLD: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once_in_a_while() {
        let mut told = Told::default();
        let mut tell = |kind, subject, second: i64| {
            let now = Timestamp::from_micros(second * crate::time::SECOND);
            told.tell(kind, subject, now, Duration::from_secs(60))
        };
        assert!(tell("a", "x", 1000));
        assert!(!tell("a", "x", 1059));
        assert!(tell("a", "y", 1059) && tell("b", "x", 1059));
        assert!(tell("a", "x", 1060));
        assert!(tell("a", "x", 10), "the clock was set back");
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let (mut told, every) = (Told::default(), Duration::from_secs(60));
        let mut tell = |n: usize, at| told.tell("a", &n.to_string(), at, every);
        let now = Timestamp::from_micros(0);
        assert_eq!((0..2 * MAX_TOLD).filter(|n| tell(*n, now)).count(), MAX_TOLD);
        assert!(tell(0, now.plus(60_000_000)));
        assert_eq!(told.until.len(), 1);
    }
}
