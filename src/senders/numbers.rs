//! Numbers that senders give their messages, and which of them are missing.
//!
//! `sequenceId` of RFC 5424 §7.3.1 counts all that an originator sends, 1 when it starts and again
//! after 2147483647. A Cisco device numbers likewise, in front of the time. So the numbers of a host
//! are one row, whichever program a message is of; but some programs of one host number for
//! themselves. Rows are therefore told apart by where they are: a number belongs to the row that it
//! is near to. One that is far from all begins a row; if that before it has ended by then, what lies
//! between was lost, or its sender began anew.
//!
//! What is missing may still come, as datagrams overtake each other: it is counted as missing when
//! it has not come within [`SETTLE`].

use serde::{Deserialize, Serialize};

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `sequenceId` in the element `meta`.
    SequenceId,
    /// What a Cisco device puts in front of the time.
    Cisco,
}

/// The numbers of one sender.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Numbers {
    pub(super) counts: Missing,
    /// What of it was not told yet.
    #[serde(skip)]
    fresh: Missing,
    /// What is not known after a restart: what came while the daemon was away is not its own to
    /// say.
    #[serde(skip)]
    rows: Vec<Row>,
}

/// What was found of the numbers of a sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Missing {
    /// Messages with a number.
    pub numbered: u64,
    /// Places at which numbers are missing.
    pub gaps: u64,
    /// Numbers that are missing.
    pub missing: u64,
    /// Messages that came later than some with higher numbers.
    pub late: u64,
    /// Messages with the number of one that came before.
    pub repeated: u64,
    /// How often the numbers began anew.
    pub restarts: u64,
}

/// Numbers one after the other.
#[derive(Debug)]
struct Row {
    kind: Kind,
    first: u64,
    next: u64,
    begun_at: u64,
    heard_at: u64,
    holes: Vec<Hole>,
    /// The last number that was there before, and how many such came one after the other.
    again: (u64, u32),
}

/// Numbers that did not come yet, `to` not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hole {
    from: u64,
    to: u64,
    at: u64,
}

impl Numbers {
    /// Takes a number that came `at`, in milliseconds of listening.
    pub(super) fn take(&mut self, kind: Kind, number: u64, at: u64) {
        self.count(|counts| counts.numbered += 1);
        let near = |row: &&mut Row| row.kind == kind && number.abs_diff(row.next) <= NEAR;
        let distance = |row: &&mut Row| number.abs_diff(row.next);
        let found = match self.rows.iter_mut().filter(near).min_by_key(distance) {
            Some(row) => row.take(number, at),
            None => {
                self.begin(kind, number, at);
                Missing::default()
            }
        };
        self.add(found);
    }

    /// Counts as missing what has not come for long enough.
    pub(super) fn settle(&mut self, at: u64) {
        let mut found = Missing::default();
        for row in &mut self.rows {
            let holes = row.holes.extract_if(.., |hole| at.saturating_sub(hole.at) >= SETTLE);
            holes.for_each(|hole| found.lose(hole.to - hole.from));
        }
        // A row that ended, and another of the same kind that was begun since.
        while let Some((ended, next)) = self.ended(at) {
            let row = self.rows.remove(ended);
            match next.checked_sub(row.next) {
                Some(lost) if lost > 0 => found.lose(lost),
                Some(_) => {}
                None => found.restarts += 1,
            }
        }
        self.add(found);
    }

    /// What was found since the last call.
    pub(super) fn fresh(&mut self) -> Missing {
        std::mem::take(&mut self.fresh)
    }

    fn begin(&mut self, kind: Kind, number: u64, at: u64) {
        if self.rows.len() >= MAX_ROWS {
            let oldest = self.rows.iter().enumerate().min_by_key(|(_, row)| row.heard_at);
            let oldest = oldest.map(|(place, _)| place);
            oldest.into_iter().for_each(|place| drop(self.rows.remove(place)));
        }
        let mut row = Row::new(kind, number, at);
        row.next = kind.after(number);
        self.rows.push(row);
    }

    /// A row that nothing came of for long, and the first number of the one that took its place.
    fn ended(&self, at: u64) -> Option<(usize, u64)> {
        self.rows.iter().enumerate().find_map(|(place, row)| {
            let is_ended = at.saturating_sub(row.heard_at) >= SETTLE;
            let took = |next: &&Row| {
                next.kind == row.kind
                    && next.heard_at > row.heard_at
                    && next.begun_at >= row.heard_at
                    && next.begun_at - row.heard_at < SETTLE
            };
            let next = self.rows.iter().find(took).filter(|_| is_ended)?;
            Some((place, next.first))
        })
    }

    fn add(&mut self, found: Missing) {
        self.count(|counts| counts.add(&found));
    }

    fn count(&mut self, mut count: impl FnMut(&mut Missing)) {
        count(&mut self.counts);
        count(&mut self.fresh);
    }
}

impl Row {
    fn new(kind: Kind, number: u64, at: u64) -> Self {
        let (holes, again) = (Vec::new(), (0, 0));
        Self { kind, first: number, next: number, begun_at: at, heard_at: at, holes, again }
    }

    /// Takes a number near to it.
    fn take(&mut self, number: u64, at: u64) -> Missing {
        let mut found = Missing::default();
        self.heard_at = at;
        if number >= self.next {
            if number > self.next {
                if self.holes.len() >= MAX_HOLES {
                    let Hole { from, to, .. } = self.holes.remove(0);
                    found.lose(to - from);
                }
                self.holes.push(Hole { from: self.next, to: number, at });
            }
            (self.next, self.again) = (self.kind.after(number), (0, 0));
        } else if number < self.first && self.is_young(number, at) {
            found.late += 1; // what is missing of those before the first nobody knows
        } else if let Some(lost) = self.fill(number) {
            found.late += 1;
            if lost > 0 {
                found.lose(lost);
            }
        } else if self.begins_anew(number) {
            let holes = std::mem::take(&mut self.holes);
            holes.iter().for_each(|hole| found.lose(hole.to - hole.from));
            *self = Self { next: self.kind.after(number), ..Self::new(self.kind, number, at) };
            found.restarts += 1;
        } else {
            found.repeated += 1;
        }
        found
    }

    /// Whether a number from before the row may only have been overtaken by its first.
    fn is_young(&self, number: u64, at: u64) -> bool {
        self.first - number <= NEAR_FIRST && at.saturating_sub(self.begun_at) < SETTLE
    }

    /// Fills a gap, if the number was missing; then how many there is no room to wait for.
    fn fill(&mut self, number: u64) -> Option<u64> {
        let place = self.holes.iter().position(|hole| (hole.from..hole.to).contains(&number))?;
        let hole = self.holes.remove(place);
        let before = Hole { to: number, ..hole };
        let behind = Hole { from: number + 1, ..hole };
        let parts = [before, behind].into_iter().filter(|hole| hole.from < hole.to);
        self.holes.extend(parts);
        let over = (self.holes.len() > MAX_HOLES).then(|| self.holes.remove(0));
        Some(over.map_or(0, |hole| hole.to - hole.from))
    }

    /// Whether a number that was there before is one of a sender that began anew: 1, or the third of
    /// some that follow each other.
    fn begins_anew(&mut self, number: u64) -> bool {
        let (last, count) = self.again;
        let count = if number == last + 1 { count + 1 } else { 1 };
        self.again = (number, count);
        (number == 1 && self.next > 2) || count >= 3
    }
}

impl Kind {
    /// The number that follows.
    fn after(self, number: u64) -> u64 {
        match self {
            Self::SequenceId if number >= MAX_SEQUENCE_ID => 1,
            _ => number.saturating_add(1),
        }
    }
}

impl Missing {
    fn lose(&mut self, count: u64) {
        self.gaps += 1;
        self.missing += count;
    }

    /// Adds what was found elsewhere.
    pub(super) fn add(&mut self, more: &Self) {
        self.numbered += more.numbered;
        self.gaps += more.gaps;
        self.missing += more.missing;
        self.late += more.late;
        self.repeated += more.repeated;
        self.restarts += more.restarts;
    }
}

/// How far a number may be from what is expected and still be of that row.
const NEAR: u64 = 4096;

/// How far the first number that comes may be from the lowest of those about it.
const NEAR_FIRST: u64 = 64;

/// How long what is missing may still come, in milliseconds; and how long nothing comes of a row
/// that has ended.
const SETTLE: u64 = 10_000;

/// Rows of a sender that are told apart.
const MAX_ROWS: usize = 4;

/// Gaps of a row that may still be filled; of more the oldest is counted.
const MAX_HOLES: usize = 32;

/// RFC 5424 §7.3.1.
pub(super) const MAX_SEQUENCE_ID: u64 = 2_147_483_647;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found of numbers that come a tenth of a second apart.
    fn found(kind: Kind, numbers: &[u64]) -> String {
        let (mut all, mut at) = (Numbers::default(), 1 << 40);
        for number in numbers {
            at += 100;
            all.take(kind, *number, at);
            all.settle(at);
        }
        all.settle(at + 2 * SETTLE);
        let Missing { numbered, gaps, missing, late, repeated, restarts } = all.counts;
        assert_eq!(numbered, numbers.len() as u64);
        assert_eq!(all.fresh(), all.counts);
        assert_eq!(all.fresh(), Missing::default());
        format!("{gaps} {missing} {late} {repeated} {restarts}")
    }

    #[test]
    fn what_is_missing_is_counted_once() {
        let two_processes: Vec<u64> = (1..500).flat_map(|n| [n + 100_000, n]).collect();
        let lost_many: Vec<u64> = (1..200).chain(90_000..90_300).collect();
        let anew: Vec<u64> = (70_000..70_100).chain(1..200).collect();
        let anew_near: Vec<u64> = (5..105).chain(1..50).collect();
        let anew_late: Vec<u64> = (1..200).chain(5..50).collect();
        // Gaps, numbers missing, late, repeated, restarts.
        let table: [(&str, &[u64], &str); 15] = [
            ("one after the other", &[1, 2, 3, 4], "0 0 0 0 0"),
            ("from somewhere on", &[71, 72, 73], "0 0 0 0 0"),
            ("one gap", &[1, 2, 5, 6], "1 2 0 0 0"),
            ("two gaps", &[1, 3, 4, 9], "2 5 0 0 0"),
            ("overtaken", &[1, 3, 2, 4], "0 0 1 0 0"),
            ("overtaken by many", &[1, 6, 4, 2, 3, 5, 7], "0 0 4 0 0"),
            ("overtaken, and one lost", &[1, 6, 4, 2, 5, 7], "1 1 3 0 0"),
            ("twice", &[1, 2, 2, 3, 3, 4], "0 0 0 2 0"),
            ("overtaken by the first of all", &[5, 6, 1, 2, 3, 4, 7], "0 0 4 0 0"),
            ("begun anew", &anew_near, "0 0 0 0 1"),
            ("begun anew, the first lost", &anew_late, "0 0 0 2 1"),
            ("begun anew, far away", &anew, "0 0 0 0 1"),
            ("very many lost", &lost_many, "1 89800 0 0 0"),
            ("two that number for themselves", &two_processes, "0 0 0 0 0"),
            ("one gap at the end of it", &[2_147_483_646, 2_147_483_647], "0 0 0 0 0"),
        ];
        for (what, numbers, want) in table {
            assert_eq!(found(Kind::SequenceId, numbers), want, "{what}");
        }
        let wrapped = [2_147_483_645, 2_147_483_646, 2_147_483_647, 1, 2, 3];
        assert_eq!(found(Kind::SequenceId, &wrapped), "0 0 0 0 0");
    }

    proptest::proptest! {
        #[test]
        fn any_order_within_reach_loses_nothing(
            seed in proptest::collection::vec(0_u64..8, 200)
        ) {
            // Each number is up to eight places late.
            let mut numbers: Vec<(u64, u64)> = (1..=200).zip(&seed).map(|(n, late)| (n + late, n)).collect();
            numbers.sort_unstable();
            let numbers: Vec<u64> = numbers.into_iter().map(|(_, n)| n).collect();
            let counted = found(Kind::Cisco, &numbers);
            proptest::prop_assert!(counted.starts_with("0 0 "), "{}", counted);
        }

        #[test]
        fn whatever_comes_takes_little_memory(
            numbers in proptest::collection::vec(proptest::num::u64::ANY, 0..500)
        ) {
            let mut all = Numbers::default();
            for (at, number) in (0..).zip(&numbers) {
                all.take(Kind::SequenceId, *number, at);
            }
            proptest::prop_assert!(all.rows.len() <= MAX_ROWS);
            proptest::prop_assert!(all.rows.iter().all(|row| row.holes.len() <= MAX_HOLES));
        }
    }
}
