//! Many address ranges with a value each, asked for the longest one that holds an address.
//!
//! Two networks are either disjoint or one lies inside the other, so the rows, sorted, form a
//! forest. The last row that begins at or before an address is the innermost candidate, and every
//! other range that holds the address encloses that row: one binary search, then a walk outwards
//! over at most 128 rows.

use super::range::Range;

/// An immutable map from ranges to values.
#[derive(Clone, Debug)]
pub(super) struct RangeTable<V> {
    rows: Vec<Row<V>>,
}

#[derive(Clone, Debug)]
struct Row<V> {
    range: Range,
    /// The row of the smallest range round this one.
    outer: Option<u32>,
    value: V,
}

impl<V> RangeTable<V> {
    /// A table of these; the last one counts where a range comes twice.
    ///
    /// At most `u32::MAX` of them.
    pub(super) fn new(entries: impl IntoIterator<Item = (Range, V)>) -> Self {
        let mut rows: Vec<Row<V>> = Vec::new();
        let entries = entries.into_iter().map(|(range, value)| Row { range, outer: None, value });
        rows.extend(entries);
        rows.sort_by_key(|row| row.range);
        rows.dedup_by(|later, kept| {
            let twice = later.range == kept.range;
            if twice {
                std::mem::swap(later, kept);
            }
            twice
        });
        let mut round: Vec<(u32, Range)> = Vec::new();
        for (at, row) in (0..).zip(&mut rows) {
            while round.last().is_some_and(|(_, outer)| !outer.encloses(row.range)) {
                round.pop();
            }
            row.outer = round.last().map(|(at, _)| *at);
            round.push((at, row.range));
        }
        Self { rows }
    }

    /// The value of the longest range that holds `address` and for which `counts` says yes.
    pub(super) fn find(&self, address: u128, counts: impl Fn(&V) -> bool) -> Option<&V> {
        let last = Range::last_at(address);
        let mut at = self.rows.partition_point(|row| row.range <= last).checked_sub(1);
        while let Some(row) = at.and_then(|at| self.rows.get(at)) {
            if row.range.contains(address) && counts(&row.value) {
                return Some(&row.value);
            }
            at = row.outer.and_then(|outer| usize::try_from(outer).ok());
        }
        None
    }

    /// The value of exactly this range.
    pub(super) fn get(&self, range: Range) -> Option<&V> {
        let at = self.rows.binary_search_by_key(&range, |row| row.range).ok()?;
        self.rows.get(at).map(|row| &row.value)
    }

    /// Every range and its value, by address.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Range, &V)> {
        self.rows.iter().map(|row| (row.range, &row.value))
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl<V> Default for RangeTable<V> {
    fn default() -> Self {
        Self { rows: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use ipnet::{IpNet, Ipv4Net};
    use proptest::prelude::*;

    use super::*;
    use crate::gate::range::bits;

    /// A network and until when it counts, in seconds; small enough a space that they nest.
    fn entry() -> impl Strategy<Value = (IpNet, u8)> {
        (any::<u8>(), 24..=32u8, any::<u8>()).prop_map(|(last, prefix, until)| {
            (Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, last), prefix).into(), until)
        })
    }

    proptest! {
        #[test]
        fn bl_01_the_longest_live_match_is_exact(
            entries in prop::collection::vec(entry(), 0..200),
            last in any::<u8>(),
            now in any::<u8>(),
        ) {
            let address = bits(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)));
            let ranges = entries.iter().map(|&(net, until)| (Range::of(net), (net, until)));
            let table = RangeTable::new(ranges.clone());
            let mut want: Option<(IpNet, u8)> = None;
            for (range, (net, until)) in ranges {
                // The table keeps the last of equals, so an earlier equal does not count at all.
                let kept = table.get(range).unwrap().1 == until;
                let longer = want.is_none_or(|(best, _)| net.prefix_len() >= best.prefix_len());
                if kept && range.contains(address) && until > now && longer {
                    want = Some((net.trunc(), until));
                }
            }
            let found = table.find(address, |(_, until)| *until > now);
            prop_assert_eq!(found.map(|(net, until)| (net.trunc(), *until)), want);
        }
    }

    #[test]
    fn bl_01_many_ranges_answer_like_a_few() {
        let net = |n: u32| Range::of(Ipv4Net::new_assert(Ipv4Addr::from_bits(n << 12), 20).into());
        let table = RangeTable::new((0..200_000u32).map(|n| (net(n), n)));
        assert_eq!(table.len(), 200_000);
        for n in (0..200_000).step_by(997) {
            let inside = IpAddr::V4(Ipv4Addr::from_bits((n << 12) + 77));
            assert_eq!(table.find(bits(inside), |_| true), Some(&n));
        }
        let outside = IpAddr::V4(Ipv4Addr::from_bits(200_000 << 12));
        assert_eq!(table.find(bits(outside), |_| true), None);
    }
}
