//! Which blocks of a segment may hold a word: the text index.
//!
//! ```text
//!  values of a block ──Words──▶ BlockWords ─┐
//!  ...                                      ├─build──▶ TokenMap   in the catalog
//!  values of a block ──Words──▶ BlockWords ─┘          buckets    about 4 KiB each, in the file
//!
//!  a word ──Token──▶ TokenMap::bucket_of ──one read──▶ TokenMap::lookup ──▶ BlockSet
//! ```
//!
//! A word is what `kql::words` says it is, folded, so that a query asks for what is here. It is
//! known by the 32 bits of its [`Token`]; a block keeps as many of them as make one of 256 blocks
//! without the word look as if it had it. A segment's map cuts the space of tokens into buckets,
//! each with what all blocks have there, so that one small read answers for all of them.
//!
//! # Invariants
//!
//! * *A block that has a word is found by it*: what is lost on the way (a block with too many
//!   words, bits of a token) makes more blocks look as if they had it, never fewer.
//! * *Damage is an error*: a bucket has a checksum of its own.
//!
//! Why not a filter for each block? It takes as many reads as there are blocks. Why not the words
//! themselves? They take five times the room, and a scan of the block tells the rest.

mod block_set;
mod code;
mod foreign;
mod gathered;
mod map;
mod token;
mod values;
mod words;

pub use self::block_set::BlockSet;
pub use self::map::TokenMap;
pub use self::token::Token;
pub use self::words::{BlockWords, MAX_WORDS, Words};

#[cfg(test)]
mod tests;
