//! Batches that were acknowledged and are not there: noticed, named, and not forgotten until the
//! operator says so.
//!
//! The file `SYNCED` in the data folder has the number after that of the last batch that was known
//! to be synced, written once a second: a log that lost its end, or is gone, opens without an
//! error. The file `MISSING` names the batches that were found to be missing when the store was
//! opened. While it is there, answers are partial; removing it says that they are given up.

use std::collections::BTreeSet;

use tracing::{error, warn};

use super::{Error, Store};
use crate::db::Db;

/// The first and the last number of batches in a row.
pub(super) type Batches = (u64, u64);

/// Batches that are missing, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing(BTreeSet<Batches>);

impl Store {
    /// Writes down how far batches are synced, if that has changed: at the next start it is known
    /// whether any is missing. To be called once a second, and at the end.
    ///
    /// # Errors
    ///
    /// When it could not be written; what was written before still holds.
    pub fn mark(&self) -> Result<(), Error> {
        self.missing.write().forget_if_told(&self.db);
        let (synced, marked) = {
            let writer = self.writer.lock();
            (writer.synced, writer.marked)
        };
        if synced != marked {
            write_synced(&self.db, synced)?;
            self.writer.lock().marked = synced;
        }
        Ok(())
    }

    /// What was acknowledged and is not there, in words; empty if all is.
    pub fn missing(&self) -> Vec<String> {
        self.missing.read().reasons()
    }

    /// What is to be said of logs of the engine that were damaged or gone when it was opened: what
    /// else than batches they held is not counted.
    pub fn salvaged(&self) -> Option<String> {
        let said = "logs of the store were damaged or gone at the start: changes of keys, lists and \
                    settings may be missing, and what was found of them is kept in the folder salvage";
        self.db.damage().logs.map(|_| said.to_owned())
    }

    /// How many batches were acknowledged and are not there.
    pub fn missing_batches(&self) -> u64 {
        self.missing.read().batches()
    }
}

impl Missing {
    /// What the file says.
    pub(super) fn read(db: &Db) -> Self {
        let text = db.note(MISSING).unwrap_or_default();
        let range = |line: &str| {
            let (first, last) = line.split_once(" to ")?;
            Some((first.parse().ok()?, last.parse().ok()?))
        };
        Self(text.lines().filter_map(range).collect())
    }

    /// Adds ranges and writes the file, if there is anything new.
    pub(super) fn add(&mut self, db: &Db, lost: &[Batches]) {
        let before = self.0.len();
        for (first, last) in lost.iter().copied() {
            if self.0.insert((first, last)) {
                error!(first, last, "batches were acknowledged and are not there");
            }
        }
        if self.0.len() > before {
            let lines = self.0.iter().map(|(first, last)| format!("{first} to {last}\n"));
            let text = HEAD.chars().chain(lines.collect::<String>().chars()).collect::<String>();
            if let Err(error) = db.write_note(MISSING, &text) {
                warn!(%error, "cannot write down what is missing");
            }
        }
    }

    /// How many batches.
    pub(super) fn batches(&self) -> u64 {
        self.0.iter().map(|(first, last)| last.saturating_sub(*first).saturating_add(1)).sum()
    }

    /// Whether a batch is one of them.
    pub(super) fn has(&self, batch: u64) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&batch))
    }

    /// In words, for answers and health.
    pub(super) fn reasons(&self) -> Vec<String> {
        let reason = |(first, last): &Batches| {
            format!("batches {first} to {last} were acknowledged and are not there")
        };
        self.0.iter().map(reason).collect()
    }

    /// Forgets them if the operator removed the file.
    pub(super) fn forget_if_told(&mut self, db: &Db) {
        if !self.0.is_empty() && db.note(MISSING).is_none() && db.is_in_place() {
            warn!("batches that are missing are given up");
            self.0.clear();
        }
    }
}

/// The number after that of the last batch that is known to have been synced.
pub(super) fn synced(db: &Db) -> u64 {
    let text = db.note(SYNCED).unwrap_or_default();
    let number = text.lines().find_map(|line| line.strip_prefix("next batch ")?.parse().ok());
    number.unwrap_or(0)
}

/// Writes it down.
pub(super) fn write_synced(db: &Db, next: u64) -> Result<(), crate::db::Error> {
    db.write_note(SYNCED, &format!("format 1\nnext batch {next}\n"))
}

/// The batches that are not among `found`, of those from `first` on that were before `next`.
pub(super) fn gaps(first: u64, found: &[u64], next: u64) -> Vec<Batches> {
    let mut expected = first;
    let mut gaps = Vec::new();
    for number in found.iter().copied().filter(|number| *number >= first).chain([next]) {
        if number > expected {
            gaps.push((expected, number - 1));
        }
        expected = expected.max(number.saturating_add(1));
    }
    gaps
}

const SYNCED: &str = "SYNCED";

const MISSING: &str = "MISSING";

const HEAD: &str = "\
# Batches of events that were acknowledged and were not there when the store was opened. Answers are
# partial while this file is here. Remove it to give them up.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_is_neither_sealed_nor_staged() {
        type Case = (u64, &'static [u64], u64, &'static [Batches]);
        let table: [Case; 6] = [
            (0, &[], 0, &[]),
            (5, &[5, 6], 7, &[]),
            (5, &[3, 4, 5], 4, &[]),
            (5, &[], 9, &[(5, 8)]),
            (5, &[6, 9], 10, &[(5, 5), (7, 8)]),
            (5, &[5], 8, &[(6, 7)]),
        ];
        for (first, found, next, want) in table {
            assert_eq!(gaps(first, found, next), want, "{first} {found:?} {next}");
        }
    }
}
