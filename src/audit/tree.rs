//! The Merkle tree of RFC 6962 (§2.1): what a log of so many entries is, in 32 bytes.
//!
//! A node is known by its level and its number there; level 0 has a node for each entry. A node
//! over 2^level entries that are all there never changes again: those are kept. All else is made
//! of them when it is asked for.

use std::fmt;

use sha2::{Digest, Sha256};

/// A hash of the tree.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

/// A node over 2^level entries, all of which are there: its level, and its number on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Node {
    /// 0 for entries.
    pub(super) level: u8,
    /// From 0, from the left.
    pub(super) number: u64,
}

/// A log as far as it takes to add to it: the roots of the whole trees that it is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frontier {
    size: u64,
    /// The largest first.
    peaks: Vec<Hash>,
}

impl Hash {
    /// The hash of an entry.
    pub fn of_entry(entry: &[u8]) -> Self {
        Self(Sha256::new().chain_update([0]).chain_update(entry).finalize().into())
    }

    /// The hash of the node above these.
    pub fn of_nodes(left: Self, right: Self) -> Self {
        let hash = Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0);
        Self(hash.finalize().into())
    }

    /// The root of the empty log.
    pub fn of_nothing() -> Self {
        Self(Sha256::digest([]).into())
    }

    /// Reads 64 hex digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut hash = [0; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != hash.len() || !rest.is_empty() {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(pairs) {
            let digits = pair.iter().all(u8::is_ascii_hexdigit);
            let pair = std::str::from_utf8(pair).ok().filter(|_| digits)?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self(hash))
    }
}

impl Frontier {
    /// A log of `size` entries, with the roots of the whole trees that it is made of, the largest
    /// first: as many as `size` has bits that are set.
    pub(super) fn new(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// Entries.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Adds an entry, and calls `each` with every node that is whole by that.
    pub(super) fn push(&mut self, leaf: Hash, mut each: impl FnMut(Node, Hash)) {
        let mut node = Node { level: 0, number: self.size };
        let mut hash = leaf;
        each(node, hash);
        while node.number % 2 == 1 {
            let left = self.peaks.pop().expect("a peak for each bit of the size");
            hash = Hash::of_nodes(left, hash);
            node = Node { level: node.level + 1, number: node.number / 2 };
            each(node, hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root of the log.
    pub(super) fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev().copied();
        let Some(last) = peaks.next() else { return Hash::of_nothing() };
        peaks.fold(last, |right, left| Hash::of_nodes(left, right))
    }
}

/// The whole trees that a log of `size` entries is made of, the largest first.
pub(super) fn peaks(size: u64) -> impl Iterator<Item = Node> {
    let mut begin = 0;
    (0..64_u8).rev().filter(move |level| size >> level & 1 == 1).map(move |level| {
        let node = Node { level, number: begin >> level };
        begin += 1 << level;
        node
    })
}

impl fmt::Display for Hash {
    /// 64 hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "few entries")]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The root as RFC 6962 defines it.
    pub(in crate::audit) fn naive(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of_nothing(),
            [one] => *one,
            many => {
                let (left, right) = many.split_at(many.len().next_power_of_two() / 2);
                Hash::of_nodes(naive(left), naive(right))
            }
        }
    }

    pub(in crate::audit) fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|n| Hash::of_entry(&n.to_be_bytes())).collect()
    }

    #[test]
    fn roots_of_the_known_log() {
        // The test log of RFC 6962's reference implementation.
        let entries: [&[u8]; 8] = [
            &[],
            &[0],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[
                0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d,
                0x6e, 0x6f,
            ],
        ];
        let mut log = Frontier::default();
        let mut roots = vec![log.root().to_string()];
        for entry in entries {
            log.push(Hash::of_entry(entry), |_, _| {});
            roots.push(log.root().to_string());
        }
        insta::assert_snapshot!(roots.join("\n"), @r"
        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
        6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
        fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125
        aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77
        d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7
        4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4
        76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef
        ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c
        5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328
        ");
    }

    proptest! {
        #[test]
        fn roots_are_those_of_the_definition(count in 0_u64..300) {
            let all = leaves(count);
            let mut log = Frontier::default();
            for (n, leaf) in (0..).zip(&all) {
                let mut nodes = Vec::new();
                log.push(*leaf, |node, hash| nodes.push((node, hash)));
                for (node, hash) in nodes {
                    let (begin, end) = (node.number << node.level, (node.number + 1) << node.level);
                    prop_assert_eq!(hash, naive(&all[begin as usize..end as usize]));
                    prop_assert_eq!(end, n + 1);
                }
            }
            prop_assert_eq!(log.root(), naive(&all));
            let peaks: Vec<_> = peaks(count).map(|node| {
                naive(&all[(node.number << node.level) as usize..((node.number + 1) << node.level) as usize])
            }).collect();
            prop_assert_eq!(Frontier::new(count, peaks), Some(log));
        }

        #[test]
        fn hashes_are_read_as_they_are_shown(bytes: [u8; 32], text in "\\PC{0,70}") {
            let hash = Hash(bytes);
            prop_assert_eq!(Hash::from_hex(&hash.to_string()), Some(hash));
            if let Some(hash) = Hash::from_hex(&text) {
                prop_assert_eq!(hash.to_string(), text.to_lowercase());
            }
        }
    }
}
