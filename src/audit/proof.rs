//! That an entry is in a log, and that one log is the beginning of another, in a few hashes
//! (RFC 6962 §2.1.1 and §2.1.2; checked as in RFC 9162 §2.1.3.2 and §2.1.4.2).

use super::tree::{Frontier, Hash, Node};

/// The hash of a node that is whole.
pub(super) type Nodes<'n, E> = dyn FnMut(Node) -> Result<Hash, E> + 'n;

/// What proves that entry `index` is in the log of `size` entries: one that has it.
///
/// # Errors
///
/// Those of `nodes`.
pub(super) fn inclusion<E>(
    index: u64,
    size: u64,
    nodes: &mut Nodes<'_, E>,
) -> Result<Vec<Hash>, E> {
    let (mut begin, mut end, mut proof) = (0, size, Vec::new());
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        if index < middle {
            proof.push(subtree(middle, end, nodes)?);
            end = middle;
        } else {
            proof.push(subtree(begin, middle, nodes)?);
            begin = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// What proves that the log of `old` entries is the beginning of that of `size` entries, which has
/// no fewer.
///
/// # Errors
///
/// Those of `nodes`.
pub(super) fn consistency<E>(
    old: u64,
    size: u64,
    nodes: &mut Nodes<'_, E>,
) -> Result<Vec<Hash>, E> {
    if old == 0 || old == size {
        return Ok(Vec::new());
    }
    let (mut begin, mut end, mut proof) = (0, size, Vec::new());
    // Until what is left is all of the old log's, or the last of its whole trees.
    while old != end {
        let middle = begin + split(end - begin);
        if old <= middle {
            proof.push(subtree(middle, end, nodes)?);
            end = middle;
        } else {
            proof.push(subtree(begin, middle, nodes)?);
            begin = middle;
        }
    }
    if begin > 0 {
        proof.push(subtree(begin, end, nodes)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The root of a log of `size` entries of which `index` is `leaf`, by this proof; `None` where it
/// is none.
pub fn root_by_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut number, mut last, mut hash) = (index, size - 1, leaf);
    for other in proof {
        if last == 0 {
            return None;
        }
        if number % 2 == 1 || number == last {
            hash = Hash::of_nodes(*other, hash);
            while number.is_multiple_of(2) && number != 0 {
                (number, last) = (number >> 1, last >> 1);
            }
        } else {
            hash = Hash::of_nodes(hash, *other);
        }
        (number, last) = (number >> 1, last >> 1);
    }
    (last == 0).then_some(hash)
}

/// Whether a log of `size` entries with the root `new` begins with that of `size_old` entries and
/// the root `old`, by this proof.
pub fn is_consistent(
    (size_old, old): (u64, Hash),
    (size, new): (u64, Hash),
    proof: &[Hash],
) -> bool {
    if size_old == 0 || size_old >= size {
        let is_same = size_old == 0 && old == Hash::of_nothing() || size_old == size && old == new;
        return is_same && proof.is_empty();
    }
    let mut proof = proof.iter().copied();
    let first = if size_old.is_power_of_two() { Some(old) } else { proof.next() };
    let Some(first) = first else { return false };
    let shift = (size_old - 1).trailing_ones();
    let (mut number, mut last) = ((size_old - 1) >> shift, (size - 1) >> shift);
    let (mut by_old, mut by_new) = (first, first);
    for other in proof {
        if last == 0 {
            return false;
        }
        if number % 2 == 1 || number == last {
            by_old = Hash::of_nodes(other, by_old);
            by_new = Hash::of_nodes(other, by_new);
            while number.is_multiple_of(2) && number != 0 {
                (number, last) = (number >> 1, last >> 1);
            }
        } else {
            by_new = Hash::of_nodes(by_new, other);
        }
        (number, last) = (number >> 1, last >> 1);
    }
    by_old == old && by_new == new && last == 0
}

/// The log of its first `size` entries, of the whole trees it is made of.
///
/// # Errors
///
/// Those of `nodes`.
pub(super) fn frontier<E>(size: u64, nodes: &mut Nodes<'_, E>) -> Result<Frontier, E> {
    let peaks = super::tree::peaks(size).map(nodes).collect::<Result<_, _>>()?;
    Ok(Frontier::new(size, peaks).expect("a peak for each bit"))
}

/// The hash over the entries `begin..end`, which are at least one, of which `begin` is where a tree
/// of that size begins.
fn subtree<E>(begin: u64, end: u64, nodes: &mut Nodes<'_, E>) -> Result<Hash, E> {
    let count = end - begin;
    if count.is_power_of_two() {
        let level = u8::try_from(count.trailing_zeros()).expect("fewer than 64");
        return nodes(Node { level, number: begin >> level });
    }
    let middle = begin + split(count);
    let left = subtree(begin, middle, nodes)?;
    Ok(Hash::of_nodes(left, subtree(middle, end, nodes)?))
}

/// The largest power of two below `count`, which is at least two.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "few entries")]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::super::tree::tests::{leaves, naive};
    use super::*;

    fn nodes(all: &[Hash]) -> impl FnMut(Node) -> Result<Hash, Infallible> {
        |node| {
            let (begin, end) = (node.number << node.level, (node.number + 1) << node.level);
            Ok(naive(&all[begin as usize..end as usize]))
        }
    }

    proptest! {
        #[test]
        fn entries_are_proven_to_be_in_a_log_and_no_others_are(
            size in 1_u64..200, at: prop::sample::Index, other: prop::sample::Index, bit: prop::sample::Index,
        ) {
            let all = leaves(size);
            let (index, wrong) = (at.index(all.len()) as u64, other.index(all.len()) as u64);
            let Ok(mut proof) = inclusion(index, size, &mut nodes(&all));
            let root = naive(&all);
            let leaf = all[index as usize];
            prop_assert_eq!(root_by_inclusion(leaf, index, size, &proof), Some(root));
            if wrong != index {
                prop_assert_ne!(root_by_inclusion(leaf, wrong, size, &proof), Some(root));
                prop_assert_ne!(root_by_inclusion(all[wrong as usize], index, size, &proof), Some(root));
            }
            if !proof.is_empty() {
                let bit = bit.index(proof.len() * 256);
                proof[bit / 256].0[bit % 256 / 8] ^= 1 << (bit % 8);
                prop_assert_ne!(root_by_inclusion(leaf, index, size, &proof), Some(root));
                proof.pop();
            }
            proof.push(root);
            proof.push(root);
            prop_assert_ne!(root_by_inclusion(leaf, index, size, &proof), Some(root));
        }

        #[test]
        fn a_log_is_proven_to_go_on_and_no_other_is(
            size in 1_u64..200, at: prop::sample::Index, bit: prop::sample::Index,
        ) {
            let all = leaves(size);
            let before = at.index(all.len() + 1) as u64;
            let (old, new) = (naive(&all[..before as usize]), naive(&all));
            let Ok(mut proof) = consistency(before, size, &mut nodes(&all));
            prop_assert!(is_consistent((before, old), (size, new), &proof));
            prop_assert!(!is_consistent((before, Hash([1; 32])), (size, new), &proof));
            prop_assert!(!is_consistent((size + 1, old), (size, new), &proof));
            if !proof.is_empty() {
                prop_assert!(!is_consistent((before, old), (size, Hash([1; 32])), &proof));
                let bit = bit.index(proof.len() * 256);
                proof[bit / 256].0[bit % 256 / 8] ^= 1 << (bit % 8);
                prop_assert!(!is_consistent((before, old), (size, new), &proof));
            }
            let Ok(begin) = frontier(before, &mut nodes(&all));
            prop_assert_eq!(begin.root(), old);
        }
    }
}
