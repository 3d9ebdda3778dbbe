//! Finds the few fragments that stand for many texts, all together and some 30 bytes at a time.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::packed::{Config, MatchKind, Searcher};
use rustc_hash::FxHashMap;

use super::super::required::{MIN, fold};
use super::commonness;
use super::pieces::Pieces;

/// Pieces of four bytes, one of which is in each text.
#[derive(Debug)]
pub(super) struct Fragments {
    searcher: Searcher,
    about: Vec<About>,
}

/// What stands about a fragment in its texts.
#[derive(Debug)]
enum About {
    /// What is about it in each of them, and where in there it stands.
    Few(Vec<(Box<[u8]>, usize)>),
    /// Too many to be compared: the pieces before and behind it, where all of them have such.
    Many { before: Option<Pieces>, behind: Option<Pieces> },
}

impl Fragments {
    /// Fragments for these texts; `None` where it would take too many, where there are no texts, and
    /// where the machine has no fast way to search.
    pub(super) fn of(texts: &[&[u8]]) -> Option<Self> {
        if texts.is_empty() {
            return None;
        }
        let chosen = cover(texts)?;
        let mut builder = Config::new()
            .match_kind(MatchKind::LeftmostFirst)
            .heuristic_pattern_limits(false)
            .builder();
        builder.extend(chosen.keys());
        let about = chosen.values().map(|texts| about(texts)).collect();
        Some(Self { searcher: builder.build()?, about })
    }

    /// The first place of a fragment with one of its texts about it.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<usize> {
        // A message is much shorter than what is copied at once of a read.
        if bytes.len() <= SMALL { self.look::<SMALL>(bytes) } else { self.look::<LARGE>(bytes) }
    }

    fn look<const SIZE: usize>(&self, bytes: &[u8]) -> Option<usize> {
        let mut copy = [0; SIZE];
        let mut start = 0;
        while start + MIN <= bytes.len() {
            let rest = bytes.get(start..)?;
            let len = rest.len().min(SIZE);
            let folded = copy.get_mut(..len)?;
            for (to, from) in folded.iter_mut().zip(rest) {
                *to = fold(*from);
            }
            let mut at = 0;
            while let Some(found) = self.searcher.find_in(&*folded, (at..len).into()) {
                let place = start + found.start();
                if self.is_in_text(found.pattern().as_usize(), bytes, place) {
                    return Some(place);
                }
                at = found.start() + 1;
            }
            start += len - (MIN - 1); // a fragment may begin in its last bytes
        }
        None
    }

    /// Whether the fragment at `place` may be that of one of its texts.
    fn is_in_text(&self, fragment: usize, bytes: &[u8], place: usize) -> bool {
        let is_there = |(text, at): &(Box<[u8]>, usize)| {
            let start = place.checked_sub(*at);
            let there = start.and_then(|start| bytes.get(start..start + text.len()));
            there.is_some_and(|there| there.iter().map(|byte| fold(*byte)).eq(text.iter().copied()))
        };
        let may_have = |pieces: &Option<Pieces>, at: Option<usize>| {
            pieces
                .as_ref()
                .is_none_or(|pieces| piece(bytes, at).is_some_and(|it| pieces.may_have(it)))
        };
        match self.about.get(fragment) {
            Some(About::Few(texts)) => texts.iter().any(is_there),
            Some(About::Many { before, behind }) => {
                may_have(before, place.checked_sub(MIN)) && may_have(behind, Some(place + MIN))
            }
            None => true,
        }
    }
}

/// The piece at a place, if it is there.
fn piece(bytes: &[u8], at: Option<usize>) -> Option<[u8; MIN]> {
    bytes.get(at?..)?.first_chunk().copied()
}

/// What is about a fragment in texts.
fn about(texts: &[(&[u8], usize)]) -> About {
    let of = |(text, at): &(&[u8], usize)| {
        let from = at.saturating_sub(AROUND);
        let to = text.len().min(at + MIN + AROUND);
        Some((Box::from(text.get(from..to)?), at - from))
    };
    let all: BTreeSet<_> = texts.iter().filter_map(of).collect();
    if all.len() <= MAX_COMPARED {
        return About::Few(all.into_iter().collect());
    }
    let pieces = |at: fn(usize) -> Option<usize>| {
        let all: Option<Vec<_>> = texts.iter().map(|(text, own)| piece(text, at(*own))).collect();
        all.map(|all| Pieces::new(&all))
    };
    About::Many {
        before: pieces(|own| own.checked_sub(MIN)),
        behind: pieces(|own| own.checked_add(MIN)),
    }
}

/// The texts of each fragment that stands for some, and where in them it is.
type Cover<'t> = BTreeMap<[u8; MIN], Vec<(&'t [u8], usize)>>;

/// Chooses, one by one, the fragment that is in most of the texts without one, and rare in logs.
fn cover<'t>(texts: &[&'t [u8]]) -> Option<Cover<'t>> {
    let mut chosen = Cover::new();
    let mut left = texts.to_vec();
    while !left.is_empty() {
        if chosen.len() == MAX_FRAGMENTS {
            return None;
        }
        let mut counts: FxHashMap<[u8; MIN], u32> = FxHashMap::default();
        for piece in left.iter().flat_map(|text| pieces(text)) {
            *counts.entry(piece).or_default() += 1;
        }
        let score = |piece: &[u8; MIN], count: u32| (count * rarity(piece), *piece);
        let best = counts.into_iter().max_by_key(|(piece, count)| score(piece, *count))?.0;
        let place = |text: &&'t [u8]| Some((*text, pieces(text).position(|piece| piece == best)?));
        chosen.insert(best, left.iter().filter_map(place).collect());
        left.retain(|text| pieces(text).all(|piece| piece != best));
    }
    Some(chosen)
}

fn pieces(text: &[u8]) -> impl Iterator<Item = [u8; MIN]> {
    text.windows(MIN).filter_map(|piece| piece.first_chunk().copied())
}

/// How seldom a fragment is in logs: from 4 up, by feel.
fn rarity(piece: &[u8; MIN]) -> u32 {
    40 - piece.iter().map(|byte| commonness(*byte)).sum::<u32>()
}

/// The most fragments that are searched for together without becoming slow.
const MAX_FRAGMENTS: usize = 48;

/// The most texts that are compared with what is about a fragment, which a sender may write at
/// every place of a message.
const MAX_COMPARED: usize = 16;

/// Bytes before and behind a fragment that are compared.
const AROUND: usize = 8;

/// Bytes that are folded at once of a message.
const SMALL: usize = 512;

/// Bytes that are folded at once of a read: few enough to be in the nearest cache.
const LARGE: usize = 4096;
