//! The keys of the family `audit`.

use super::tree::Node;

/// Where an entry is kept.
pub(super) fn entry(index: u64) -> Vec<u8> {
    numbered(ENTRY, index)
}

/// Where it is kept that an entry is of somebody's doing.
pub(super) fn of_somebody(index: u64) -> Vec<u8> {
    numbered(OF_SOMEBODY, index)
}

/// Where the checkpoint of so many entries is kept.
pub(super) fn checkpoint(size: u64) -> Vec<u8> {
    numbered(CHECKPOINT, size)
}

/// Where a public key is kept.
pub(super) fn public_key(number: u64) -> Vec<u8> {
    numbered(PUBLIC_KEY, number)
}

/// Where the hash of a node is kept.
pub(super) fn node(node: Node) -> Vec<u8> {
    [NODE, &[node.level], &node.number.to_be_bytes()].concat()
}

/// The number that a key ends in.
pub(super) fn number(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(*key.last_chunk()?))
}

fn numbered(what: &[u8], number: u64) -> Vec<u8> {
    [what, &number.to_be_bytes()].concat()
}

pub(super) const ENTRY: &[u8] = b"e";

pub(super) const OF_SOMEBODY: &[u8] = b"a";

pub(super) const CHECKPOINT: &[u8] = b"c";

pub(super) const PUBLIC_KEY: &[u8] = b"k";

pub(super) const ORIGIN: &[u8] = b"o";

const NODE: &[u8] = b"n";
