//! Finds where one of a few pieces of four bytes may be, 64 places at a time.
//!
//! Of each of the first three bytes of a place two tables say, by its two halves, which of eight
//! groups of pieces it may belong to (the idea is Teddy's, of Hyperscan). Where all six agree upon a
//! group, the four bytes are looked up.

use fearless_simd::{Level, dispatch, prelude::*, u8x64};

use super::super::required::{MIN, fold};
use super::pieces::{FOLD, SEED};

/// Pieces, by their numbers.
#[derive(Debug)]
pub(super) struct Sieve {
    /// What the processor can.
    level: Level,
    /// By the lower and the upper half of each of the first bytes: a bit for each group. The same 16
    /// four times over.
    tables: [[[u8; BLOCK]; 2]; LOOKED_AT],
    /// Pieces and their numbers, each at the place of its hash or not far behind it.
    slots: Vec<Option<(u32, usize)>>,
}

impl Sieve {
    /// These pieces, folded: [`MAX_PIECES`] at most.
    pub(super) fn new<'p>(pieces: impl ExactSizeIterator<Item = &'p [u8; MIN]>) -> Self {
        let len = pieces.len().max(GROUPS);
        let mut sieve = Self {
            level: Level::new(),
            tables: [[[0; BLOCK]; 2]; LOOKED_AT],
            slots: vec![None; SLOTS],
        };
        for (number, piece) in pieces.enumerate() {
            // Those that follow each other begin alike, so their group says more.
            let group = 1 << (number * GROUPS / len % GROUPS);
            for ([low, high], byte) in sieve.tables.iter_mut().zip(piece) {
                for (half, table) in [(byte & 15, low), (byte >> 4, high)] {
                    let entries = table.iter_mut().skip(usize::from(half)).step_by(16);
                    entries.for_each(|entry| *entry |= group);
                }
            }
            sieve.put(folded(*piece), number);
        }
        sieve
    }

    /// Keeps a piece where it is looked for.
    fn put(&mut self, piece: u32, number: usize) {
        let (behind, from) = self.slots.split_at_mut(slot(piece));
        if let Some(free) = from.iter_mut().chain(behind).find(|slot| slot.is_none()) {
            *free = Some((piece, number));
        }
    }

    /// The first place of a piece that `is_wanted`, which is told its number and its place.
    pub(super) fn find(
        &self,
        bytes: &[u8],
        is_wanted: impl FnMut(usize, usize) -> bool,
    ) -> Option<usize> {
        dispatch!(self.level, simd => look(simd, self, bytes, is_wanted))
    }

    /// The number of the piece that these bytes are.
    fn number(&self, bytes: [u8; MIN]) -> Option<usize> {
        let piece = folded(bytes);
        let mut at = slot(piece);
        while let Some((own, number)) = *self.slots.get(at)? {
            if own == piece {
                return Some(number);
            }
            at = (at + 1) % SLOTS;
        }
        None
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "what the processor can is only known to the caller")]
fn look<S: Simd>(
    simd: S,
    sieve: &Sieve,
    bytes: &[u8],
    mut is_wanted: impl FnMut(usize, usize) -> bool,
) -> Option<usize> {
    let tables = sieve.tables.map(|halves| halves.map(|table| u8x64::from_slice(simd, &table)));
    let mut start = 0;
    let mut wanted = |mut places: u64, start: usize| {
        // Most blocks have none.
        while places != 0 {
            let place = start + places.trailing_zeros() as usize;
            places &= places - 1;
            let piece = bytes.get(place..).and_then(|rest| rest.first_chunk());
            if let Some(number) = piece.and_then(|piece| sieve.number(*piece))
                && is_wanted(number, place)
            {
                return Some(place);
            }
        }
        None
    };
    while let Some(window) = bytes.get(start..).and_then(|rest| rest.first_chunk::<WINDOW>()) {
        let places = places(simd, &tables, window);
        if let Some(found) = wanted(places, start) {
            return Some(found);
        }
        start += BLOCK;
    }
    while start < bytes.len() {
        let rest = bytes.get(start..).unwrap_or_default();
        let mut window = [0; WINDOW];
        window.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let places = places(simd, &tables, &window);
        if let Some(found) = wanted(places, start) {
            return Some(found);
        }
        start += BLOCK;
    }
    None
}

/// A bit for each place at which a piece may be.
#[inline(always)]
#[expect(clippy::inline_always, reason = "as above")]
fn places<S: Simd>(simd: S, tables: &[[u8x64<S>; 2]; LOOKED_AT], window: &[u8; WINDOW]) -> u64 {
    let mut groups = u8x64::splat(simd, 0xff);
    for (n, [low, high]) in tables.iter().enumerate() {
        let block: Option<&[u8; BLOCK]> = window.get(n..).and_then(<[u8]>::first_chunk);
        let block =
            block.expect("a window is a block and as many bytes as are looked at behind it");
        let bytes = u8x64::from_slice(simd, block) | fold(0);
        groups = groups
            & low.swizzle_dyn_within_blocks(bytes & 0x0f)
            & high.swizzle_dyn_within_blocks(bytes >> 4);
    }
    !groups.simd_eq(u8x64::splat(simd, 0)).to_bitmask()
}

fn folded(piece: [u8; MIN]) -> u32 {
    u32::from_le_bytes(piece) | FOLD
}

fn slot(piece: u32) -> usize {
    let hash = u64::from(piece).wrapping_mul(SEED) >> (u64::BITS - SLOTS.ilog2());
    usize::try_from(hash).unwrap_or_default()
}

/// Places that are looked at together.
const BLOCK: usize = 64;

/// Bytes of a piece that are looked at before it is looked up.
const LOOKED_AT: usize = 3;

/// What is read to look at a block.
const WINDOW: usize = BLOCK + LOOKED_AT - 1;

/// Groups of pieces: the bits of a byte.
const GROUPS: usize = 8;

/// More would make many places look like a piece.
pub(super) const MAX_PIECES: usize = 48;

/// A power of two, and several times as many as there are pieces.
const SLOTS: usize = 256;
