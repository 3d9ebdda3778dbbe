//! Finds the few fragments that stand for many texts, all together, and whether one of the texts is
//! about them.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::super::required::{MIN, fold};
use super::commonness;
use super::pieces::Pieces;
use super::sieve::{MAX_PIECES, Sieve};

/// Pieces of four bytes, one of which is in each text.
#[derive(Debug)]
pub(super) struct Fragments {
    sieve: Sieve,
    about: Vec<About>,
}

/// What stands about a fragment in its texts.
#[derive(Debug)]
enum About {
    /// What is about it in each of them, and where in there it stands.
    Few(Vec<Around>),
    /// Too many to be compared: the pieces before and behind it, where all of them have such, and
    /// then those few that have the same one there.
    Many { before: Option<Pieces>, behind: Option<Pieces>, alike: Option<Alike> },
}

/// What is about a fragment in texts, by the piece at one side of it, which they all have.
#[derive(Debug)]
struct Alike {
    /// Whether it is the piece before it, and not that behind it.
    is_before: bool,
    texts: FxHashMap<[u8; MIN], Vec<Around>>,
}

/// A part of a text, and where in there a fragment stands.
type Around = (Box<[u8]>, usize);

impl Fragments {
    /// Fragments for these texts; `None` where it would take too many, and where there are no texts.
    pub(super) fn of(texts: &[&[u8]]) -> Option<Self> {
        if texts.is_empty() {
            return None;
        }
        let chosen = cover(texts)?;
        let about = chosen.values().map(|texts| about(texts)).collect();
        Some(Self { sieve: Sieve::new(chosen.keys()), about })
    }

    /// The first place of a fragment with one of its texts about it.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<usize> {
        self.sieve.find(bytes, |fragment, place| self.is_in_text(fragment, bytes, place))
    }

    /// Whether the fragment at `place` may be that of one of its texts.
    fn is_in_text(&self, fragment: usize, bytes: &[u8], place: usize) -> bool {
        let may_have = |pieces: &Option<Pieces>, at: Option<usize>| {
            pieces
                .as_ref()
                .is_none_or(|pieces| piece(bytes, at).is_some_and(|it| pieces.may_have(it)))
        };
        match self.about.get(fragment) {
            Some(About::Few(texts)) => texts.iter().any(|text| is_there(text, bytes, place)),
            Some(About::Many { before, behind, alike }) => {
                may_have(before, place.checked_sub(MIN))
                    && may_have(behind, Some(place + MIN))
                    && alike.as_ref().is_none_or(|alike| alike.are_in(bytes, place))
            }
            None => true,
        }
    }
}

impl Alike {
    /// Those of one side; `None` where one has nothing there, or too many have the same.
    fn new(all: &BTreeSet<Around>, is_before: bool) -> Option<Self> {
        let mut texts: FxHashMap<[u8; MIN], Vec<Around>> = FxHashMap::default();
        for (text, at) in all {
            let alike = texts.entry(piece(text, side(*at, is_before))?).or_default();
            alike.push((text.clone(), *at));
            if alike.len() > MAX_COMPARED {
                return None;
            }
        }
        Some(Self { is_before, texts })
    }

    /// Whether one of them is about a fragment at `place`.
    fn are_in(&self, bytes: &[u8], place: usize) -> bool {
        let piece = piece(bytes, side(place, self.is_before)).map(|piece| piece.map(fold));
        let alike = piece.and_then(|piece| self.texts.get(&piece));
        alike.into_iter().flatten().any(|text| is_there(text, bytes, place))
    }
}

/// The place of the piece before a fragment, or of that behind it.
fn side(place: usize, is_before: bool) -> Option<usize> {
    if is_before { place.checked_sub(MIN) } else { place.checked_add(MIN) }
}

/// Whether a part of a text is where its fragment stands at `place`.
fn is_there((text, at): &Around, bytes: &[u8], place: usize) -> bool {
    let start = place.checked_sub(*at);
    let there = start.and_then(|start| bytes.get(start..start + text.len()));
    there.is_some_and(|there| there.iter().map(|byte| fold(*byte)).eq(text.iter().copied()))
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
        alike: Alike::new(&all, true).or_else(|| Alike::new(&all, false)),
    }
}

/// The texts of each fragment that stands for some, and where in them it is.
type Cover<'t> = BTreeMap<[u8; MIN], Vec<(&'t [u8], usize)>>;

/// Chooses, one by one, the fragment that is in most of the texts without one, and rare in logs.
fn cover<'t>(texts: &[&'t [u8]]) -> Option<Cover<'t>> {
    let mut chosen = Cover::new();
    let mut left = texts.to_vec();
    while !left.is_empty() {
        if chosen.len() == MAX_PIECES {
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

/// The most texts that are compared with what is about a fragment, which a sender may write at
/// every place of a message.
const MAX_COMPARED: usize = 16;

/// Bytes before and behind a fragment that are compared.
const AROUND: usize = 8;
