//! Many address ranges with a value each, asked for the longest one that holds an address.
//!
//! Two networks are either disjoint or one lies inside the other, so the rows, sorted, form a
//! forest. The last row that begins at or before an address is the innermost candidate, and every
//! other range that holds the address encloses that row: one search, then a walk outwards over at
//! most 128 rows.
//!
//! The search begins in a bucket: the space between the first row and the last is cut into about
//! as many of equal width as there are rows, so that a bucket has few rows however many there are.
//! IPv4 has a table of its own, because beside IPv6 all of it would lie in one bucket.

use super::range::Range;

/// An immutable map from ranges to values.
#[derive(Clone, Debug)]
pub(super) struct RangeTable<V> {
    v4: Part<V>,
    v6: Part<V>,
}

/// The ranges of one kind of address, in columns, so that a search reads few cache lines.
#[derive(Clone, Debug)]
struct Part<V> {
    /// The first address of each range; ascending, an outer range before those inside it.
    starts: Vec<u128>,
    prefixes: Vec<u8>,
    /// The row of the smallest range round each one, or [`NONE`].
    outer: Vec<u32>,
    values: Vec<V>,
    /// The first row of each bucket, and the number of rows.
    buckets: Vec<u32>,
    /// The width of a bucket, as a power of two.
    shift: u32,
}

impl<V> RangeTable<V> {
    /// A table of these; the last one counts where a range comes twice.
    ///
    /// At most `u32::MAX` of them.
    pub(super) fn new(entries: impl IntoIterator<Item = (Range, V)>) -> Self {
        let (v4, v6): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(range, _)| range.is_v4());
        Self { v4: Part::new(v4), v6: Part::new(v6) }
    }

    /// The longest range that holds `address` and for which `counts` says yes, with its value.
    pub(super) fn find(
        &self,
        address: u128,
        mut counts: impl FnMut(Range, &V) -> bool,
    ) -> Option<(Range, &V)> {
        self.holding(address).find(|(range, value)| counts(*range, value))
    }

    /// Every range that holds `address`, the longest first.
    pub(super) fn holding(&self, address: u128) -> impl Iterator<Item = (Range, &V)> {
        // An IPv4 address is also inside of what encloses all of IPv4.
        self.v4.holding(address).chain(self.v6.holding(address))
    }

    /// The value of exactly this range.
    pub(super) fn get(&self, range: Range) -> Option<&V> {
        if range.is_v4() { self.v4.get(range) } else { self.v6.get(range) }
    }

    /// Every range and its value: IPv4, then IPv6, each by address.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Range, &V)> {
        self.v4.iter().chain(self.v6.iter())
    }

    pub(super) fn len(&self) -> usize {
        self.v4.values.len() + self.v6.values.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<V> Part<V> {
    fn new(mut rows: Vec<(Range, V)>) -> Self {
        rows.sort_by_key(|(range, _)| *range);
        rows.dedup_by(|later, kept| {
            let twice = later.0 == kept.0;
            if twice {
                std::mem::swap(later, kept);
            }
            twice
        });
        let mut part = Self::default();
        part.starts.reserve_exact(rows.len());
        part.prefixes.reserve_exact(rows.len());
        part.outer.reserve_exact(rows.len());
        part.values.reserve_exact(rows.len());
        let mut round: Vec<(u32, Range)> = Vec::new();
        for (at, (range, value)) in (0..).zip(rows) {
            while round.last().is_some_and(|(_, outer)| !outer.encloses(range)) {
                round.pop();
            }
            part.outer.push(round.last().map_or(NONE, |(at, _)| *at));
            round.push((at, range));
            part.starts.push(range.start());
            part.prefixes.push(range.prefix());
            part.values.push(value);
        }
        part.index();
        part
    }

    /// Makes the buckets.
    fn index(&mut self) {
        let (Some(low), Some(high)) = (self.starts.first(), self.starts.last()) else { return };
        let span = high - low;
        let bits = self.starts.len().next_power_of_two().ilog2().min(MAX_BITS);
        self.shift = (u128::BITS - span.leading_zeros()).saturating_sub(bits);
        let last = self.bucket(*high);
        self.buckets = vec![0; last + 2];
        for start in &self.starts {
            let next = self.bucket(*start) + 1;
            if let Some(count) = self.buckets.get_mut(next) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for first in &mut self.buckets {
            sum += *first;
            *first = sum;
        }
    }

    /// The bucket of an address that no row begins behind; those behind the last have that one's.
    fn bucket(&self, address: u128) -> usize {
        let low = self.starts.first().copied().unwrap_or_default();
        // What is shifted out of reach of the buckets is far behind the last.
        let bucket = address.saturating_sub(low).checked_shr(self.shift).unwrap_or_default();
        usize::try_from(bucket).unwrap_or(usize::MAX)
    }

    /// The last row that begins at `address` or before.
    fn last_before(&self, address: u128) -> Option<usize> {
        let bucket = self.bucket(address).min(self.buckets.len().checked_sub(2)?);
        let from = index(*self.buckets.get(bucket)?)?;
        let to = index(*self.buckets.get(bucket + 1)?)?;
        let rows = self.starts.get(from..to)?;
        (from + rows.partition_point(|start| *start <= address)).checked_sub(1)
    }

    fn holding(&self, address: u128) -> impl Iterator<Item = (Range, &V)> {
        let outer = |at: &usize| self.outer.get(*at).copied().and_then(index);
        let walk = std::iter::successors(self.last_before(address), outer);
        walk.filter_map(|at| self.row(at)).filter(move |(range, _)| range.contains(address))
    }

    fn get(&self, range: Range) -> Option<&V> {
        // Of those that begin there, the outer ones come first: the innermost leads to all.
        let outer = |at: &usize| self.outer.get(*at).copied().and_then(index);
        let mut walk = std::iter::successors(self.last_before(range.start()), outer);
        walk.find_map(|at| self.row(at).filter(|(found, _)| *found == range))
            .map(|(_, value)| value)
    }

    fn iter(&self) -> impl Iterator<Item = (Range, &V)> {
        (0..self.values.len()).filter_map(|at| self.row(at))
    }

    fn row(&self, at: usize) -> Option<(Range, &V)> {
        let range = Range::from_parts(*self.starts.get(at)?, *self.prefixes.get(at)?);
        self.values.get(at).map(|value| (range, value))
    }
}

impl<V> Default for RangeTable<V> {
    fn default() -> Self {
        Self { v4: Part::default(), v6: Part::default() }
    }
}

impl<V> Default for Part<V> {
    fn default() -> Self {
        Self {
            starts: Vec::new(),
            prefixes: Vec::new(),
            outer: Vec::new(),
            values: Vec::new(),
            buckets: Vec::new(),
            shift: 0,
        }
    }
}

/// A row, unless it is [`NONE`].
fn index(row: u32) -> Option<usize> {
    if row == NONE { None } else { usize::try_from(row).ok() }
}

/// No row.
const NONE: u32 = u32::MAX;

/// Buckets are at most so many, as a power of two: 4 MiB of them.
const MAX_BITS: u32 = 20;

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use ipnet::{IpNet, Ipv4Net, Ipv6Net};
    use proptest::prelude::*;

    use super::*;
    use crate::gate::range::bits;

    /// A network and until when it counts, in seconds; small enough a space that they nest.
    fn entry() -> impl Strategy<Value = (IpNet, u8)> {
        let v4 = (any::<u8>(), 24..=32u8, any::<u8>()).prop_map(|(last, prefix, until)| {
            (Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, last), prefix).into(), until)
        });
        // Some of them hold IPv4 addresses, or all.
        let v6 = (any::<u8>(), prop_oneof![Just(0u8), 70..=128u8], any::<u8>());
        let v6 = v6.prop_map(|(last, prefix, until)| {
            let mapped = Ipv4Addr::new(10, 0, 0, last).to_ipv6_mapped();
            (Ipv6Net::new_assert(mapped, prefix).into(), until)
        });
        prop_oneof![3 => v4, 1 => v6]
    }

    proptest! {
        #[test]
        fn bl_01_the_longest_live_match_is_exact(
            entries in prop::collection::vec(entry(), 0..200),
            last in any::<u8>(),
            now in any::<u8>(),
        ) {
            let address = bits(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)));
            let ranges = entries.iter().map(|&(net, until)| (Range::of(net), until));
            let table = RangeTable::new(ranges.clone());
            let mut want: Option<(Range, u8)> = None;
            for (range, until) in ranges {
                // The table keeps the last of equals, so an earlier equal does not count at all.
                let kept = *table.get(range).unwrap() == until;
                let longer = want.is_none_or(|(best, _)| best.encloses(range));
                if kept && range.contains(address) && until > now && longer {
                    want = Some((range, until));
                }
            }
            let found = table.find(address, |_, until| *until > now);
            prop_assert_eq!(found.map(|(range, until)| (range, *until)), want);
        }

        #[test]
        fn bl_01_wide_and_narrow_ranges_of_ipv6(
            nets in prop::collection::vec((any::<u128>(), 0..=128u8), 1..50),
            at in any::<prop::sample::Index>(),
            random in any::<u128>(),
        ) {
            let net = |(bits, prefix)| Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), prefix);
            let ranges: Vec<_> = nets.iter().map(|&n| Range::of(net(n).into())).collect();
            let table = RangeTable::new(ranges.iter().map(|range| (*range, ())));
            for address in [nets[at.index(nets.len())].0, random] {
                let holds = ranges.iter().filter(|range| range.contains(address));
                let want = holds.max_by_key(|range| range.prefix()).copied();
                prop_assert_eq!(table.find(address, |_, ()| true).map(|(range, ())| range), want);
            }
        }
    }

    #[test]
    fn bl_01_a_million_ranges_answer_like_a_few() {
        let net = |n: u32| Range::of(Ipv4Net::new_assert(Ipv4Addr::from_bits(n << 12), 20).into());
        let table = RangeTable::new((0..1_000_000u32).map(|n| (net(n), n)));
        assert_eq!(table.len(), 1_000_000);
        for n in (0..1_000_000).step_by(997) {
            let inside = bits(IpAddr::V4(Ipv4Addr::from_bits((n << 12) + 77)));
            assert_eq!(table.find(inside, |_, _| true), Some((net(n), &n)));
            // What makes the cost the same: a bucket of a few rows, however many there are.
            let bucket = table.v4.bucket(inside);
            let rows = table.v4.buckets[bucket + 1] - table.v4.buckets[bucket];
            assert!(rows <= 2, "{rows} rows to search");
        }
        let outside = IpAddr::V4(Ipv4Addr::from_bits(1_000_000 << 12));
        assert_eq!(table.find(bits(outside), |_, _| true), None);
    }
}
