//! What every row of a source has: a time, an id, an origin.
//!
//! Kept as distances to the least of them, and with the range of times of every few rows: rows come
//! nearly in the order of their times, so that whoever looks for the newest passes over the others.

use std::ops::Range;
use std::sync::Arc;

use super::origin::{Origin, Run};
use super::rows::Head;

/// What every row of a source has.
#[derive(Clone, Debug)]
pub struct RowHead {
    origins: Vec<Arc<Origin>>,
    runs: Vec<Run>,
    times: Integers,
    ids: Integers,
    /// The least and the greatest time of every [`ZONE`] rows.
    zones: Vec<(i64, i64)>,
}

/// Integers, in half the memory where they lie close together.
#[derive(Clone, Debug)]
enum Integers {
    /// The least, and the distances to it.
    Near(i64, Vec<u32>),
    Far(Vec<i64>),
}

impl RowHead {
    pub(super) fn new(head: Head, ids: Vec<i64>) -> Self {
        let zones = head.times.chunks(ZONE as usize).map(super::staged::span).collect();
        let Head { origins, runs, times } = head;
        Self { origins, runs, times: times.into(), ids: ids.into(), zones }
    }

    /// About the bytes of memory that it takes.
    pub(super) fn memory(&self) -> usize {
        self.runs.len() * size_of::<Run>()
            + self.zones.len() * size_of::<(i64, i64)>()
            + self.times.memory()
            + self.ids.memory()
    }

    /// The time of a row, in microseconds since the epoch.
    pub fn time(&self, row: u32) -> Option<i64> {
        self.times.get(row)
    }

    /// The id of a row: unique in the store, in the order of commits.
    pub fn id(&self, row: u32) -> Option<i64> {
        self.ids.get(row)
    }

    /// Calls `each` with parts of `rows`, in order, and the least and the greatest time of each:
    /// what `rows` have of it lies in there.
    pub fn zones(&self, rows: Range<u32>, mut each: impl FnMut(Range<u32>, (i64, i64))) {
        let first = rows.start / ZONE;
        let zones = (first..).zip(self.zones.iter().skip(first as usize));
        for (number, times) in zones.take_while(|(number, _)| number * ZONE < rows.end) {
            let (start, end) = (number * ZONE, (number + 1) * ZONE);
            each(rows.start.max(start)..rows.end.min(end), *times);
        }
    }

    /// Which rows came from where.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The origin of a run.
    pub fn origin(&self, run: Run) -> Option<&Arc<Origin>> {
        self.origins.get(run.origin as usize)
    }
}

impl Integers {
    fn get(&self, row: u32) -> Option<i64> {
        match self {
            Self::Near(least, far) => {
                far.get(row as usize).map(|far| least.saturating_add(i64::from(*far)))
            }
            Self::Far(values) => values.get(row as usize).copied(),
        }
    }

    fn memory(&self) -> usize {
        match self {
            Self::Near(_, far) => far.len() * size_of::<u32>(),
            Self::Far(values) => values.len() * size_of::<i64>(),
        }
    }
}

impl From<Vec<i64>> for Integers {
    fn from(values: Vec<i64>) -> Self {
        let (least, greatest) = super::staged::span(&values);
        if greatest.checked_sub(least).is_none_or(|range| range > i64::from(u32::MAX)) {
            return Self::Far(values);
        }
        let near = |value: &i64| u32::try_from(value.wrapping_sub(least)).unwrap_or(u32::MAX);
        Self::Near(least, values.iter().map(near).collect())
    }
}

/// Rows whose range of times is known.
const ZONE: u32 = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn heads_tell_what_they_were_given(
            times in prop::collection::vec(prop_oneof![0..9_i64, any::<i64>()], 0..600),
            rows in (0..700_u32, 0..700_u32),
        ) {
            let ids: Vec<i64> = times.iter().map(|time| !time).collect();
            let head = Head { origins: Vec::new(), runs: Vec::new(), times: times.clone() };
            let head = RowHead::new(head, ids.clone());
            let all = |of: &dyn Fn(u32) -> Option<i64>| (0..).map_while(of).collect::<Vec<_>>();
            prop_assert_eq!(all(&|row| head.time(row)), &times[..]);
            prop_assert_eq!(all(&|row| head.id(row)), ids);
            let (mut seen, len) = (Vec::new(), u32::try_from(times.len()).unwrap());
            let asked = rows.0.min(len)..rows.1.min(len);
            head.zones(asked.clone(), |rows, (least, greatest)| {
                for row in rows {
                    assert!((least..=greatest).contains(&times[row as usize]));
                    seen.push(row);
                }
            });
            prop_assert_eq!(seen, asked.collect::<Vec<_>>());
        }
    }
}
