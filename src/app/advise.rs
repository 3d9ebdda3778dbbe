//! What of the machine someone should look at: a disk that fills or does not keep what was written,
//! a clock that was set.

use std::time::Duration;

use crate::batch::RoomStatus;
use crate::journal::Advisory;
use crate::time::Timestamp;

/// Looks at the machine once a second, and tells what begins and what ends.
#[derive(Debug, Default)]
pub(super) struct Watchman {
    disk: Level,
    /// The time of day and the time since the start, when it last looked.
    clocks: Option<(Timestamp, Duration)>,
    /// Segments in quarantine, when it last looked.
    quarantined: u64,
}

/// How full the disk is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    #[default]
    Fine,
    /// Less is free than twice what is to stay so.
    Filling,
    /// Nothing is stored.
    Held,
}

impl Watchman {
    /// What changed of the disk.
    pub(super) fn disk(&mut self, status: RoomStatus) -> Option<Advisory> {
        let RoomStatus { space, floor, held, .. } = status;
        if space.total == 0 {
            return None; // nobody has looked yet
        }
        // Once it fills, it is said to be over only when there is a good deal more room.
        let enough = if self.disk == Level::Fine { 2 * floor } else { 2 * floor + floor / 4 };
        let now = match held {
            Some(_) => Level::Held,
            None if space.free < enough => Level::Filling,
            None => Level::Fine,
        };
        let before = std::mem::replace(&mut self.disk, now);
        if now == before {
            return None;
        }
        let (kind, what) = match now {
            Level::Held => ("disk_full", held.unwrap_or("the disk is full").to_owned()),
            Level::Filling if before == Level::Held => {
                ("disk_filling", "events are stored again, but not for long".to_owned())
            }
            Level::Filling => {
                ("disk_filling", "soon nothing will be acknowledged any longer".to_owned())
            }
            Level::Fine => ("disk_has_room", "there is enough room again".to_owned()),
        };
        let (free, wanted) = (space.free >> 20, floor >> 20);
        let todo = "free some, or keep events for less long";
        let advice = match now {
            Level::Fine => format!("{what}: {free} MiB are free"),
            _ => format!("{what}: {free} MiB are free, {wanted} MiB are the least; {todo}"),
        };
        let is_over = now == Level::Fine;
        Some(Advisory { kind, subject: "disk".to_owned(), advice, is_over, ..Advisory::default() })
    }

    /// What changed of the segments in quarantine, of which there are so many. Those that are there
    /// from the start on are told of as well.
    pub(super) fn damage(&mut self, quarantined: u64) -> Option<Advisory> {
        let before = std::mem::replace(&mut self.quarantined, quarantined);
        if quarantined == before {
            return None;
        }
        let is_over = quarantined == 0;
        let (kind, advice) = match quarantined {
            0 => ("damage_mended", "no segment is in quarantine any longer".to_owned()),
            count => (
                "damage_found",
                format!(
                    "segments in quarantine: {count}, and answers lack their events: see which \
                     (logtrace quarantine list), restore a backup elsewhere, and see to the disk"
                ),
            ),
        };
        Some(Advisory { kind, subject: "store".to_owned(), advice, is_over, ..Advisory::default() })
    }

    /// Whether the clock was set since the last look. `elapsed`: the time since the start, by a
    /// clock that nobody sets.
    pub(super) fn clock(&mut self, now: Timestamp, elapsed: Duration) -> Option<Advisory> {
        let (before, since) = self.clocks.replace((now, elapsed))?;
        let passed = elapsed.saturating_sub(since).as_micros();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        let step = now.as_micros().saturating_sub(before.as_micros()).saturating_sub(passed);
        if step.abs() < MIN_STEP {
            return None;
        }
        let way = if step > 0 { "forward" } else { "back" };
        let seconds = step.abs() / crate::time::SECOND;
        let advice = format!(
            "the clock of this machine was set {way} by {seconds} s, from about {before}: \
             times of events around it may be wrong; see to its time service"
        );
        let (kind, subject) = ("clock_off", "this machine".to_owned());
        Some(Advisory { kind, subject, advice, ..Advisory::default() })
    }
}

/// A step of the clock that is worth a word, in microseconds: time services slew what is less.
const MIN_STEP: i64 = 2 * crate::time::SECOND;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Space;

    #[test]
    fn a_disk_is_told_of_when_it_changes() {
        let mut watchman = Watchman::default();
        // Free of a floor of 100, whether it is held, what is told.
        let table = [
            (300, false, None),
            (200, false, None),
            (199, false, Some("disk_filling")),
            (150, false, None),
            (210, false, None),
            (90, true, Some("disk_full")),
            (90, true, None),
            (120, false, Some("disk_filling")),
            (224, false, None),
            (225, false, Some("disk_has_room")),
            (224, false, None),
            (50, true, Some("disk_full")),
            (500, false, Some("disk_has_room")),
        ];
        for (row, (free, held, want)) in table.into_iter().enumerate() {
            let status = RoomStatus {
                space: Space { free, total: 1000, ..Space::default() },
                floor: 100,
                held: held.then_some("the disk is nearly full"),
                ..RoomStatus::default()
            };
            let told = watchman.disk(status);
            assert_eq!(told.as_ref().map(|told| told.kind), want, "row {row}");
            assert_eq!(told.is_some_and(|told| told.is_over), want == Some("disk_has_room"));
        }
        assert_eq!(Watchman::default().disk(RoomStatus::default()), None);
    }

    #[test]
    fn st_28_damage_is_told_of_when_it_changes() {
        let mut watchman = Watchman::default();
        let (found, mended) = (Some("damage_found"), Some("damage_mended"));
        let table =
            [(0, None), (1, found), (1, None), (3, found), (2, found), (0, mended), (0, None)];
        for (row, (count, want)) in table.into_iter().enumerate() {
            let told = watchman.damage(count);
            assert_eq!(told.as_ref().map(|told| told.kind), want, "row {row}");
            assert_eq!(told.is_some_and(|told| told.is_over), want == mended);
        }
    }

    #[test]
    fn a_clock_that_was_set_is_told_of_and_one_that_goes_is_not() {
        let mut watchman = Watchman::default();
        let begin = Timestamp::parse_rfc3339(b"2026-06-15T12:00:00Z").unwrap();
        // Seconds of the day's clock, and of the other one.
        let table = [
            (0, 0, None),
            (1, 1, None),
            (3, 2, None),
            (3603, 3, Some("forward by 3599 s")),
            (3604, 4, None),
            (4, 5, Some("back by 3601 s")),
            (64, 65, None),
        ];
        for (wall, elapsed, want) in table {
            let now = begin.plus(wall * crate::time::SECOND);
            let told = watchman.clock(now, Duration::from_secs(elapsed));
            assert_eq!(told.is_some(), want.is_some(), "{wall} {elapsed}");
            if let (Some(told), Some(want)) = (told, want) {
                assert!(told.advice.contains(want), "{}", told.advice);
            }
        }
    }
}
