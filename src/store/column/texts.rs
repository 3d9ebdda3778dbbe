//! Texts one after the other.

use hashbrown::hash_map::{Entry, HashMap};

use super::super::bytes::{Damaged, put_varint};
use super::payload::{Parts, Payload};
use crate::eights::{apart, is_same};

/// Texts (or any bytes) in one run of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Texts {
    data: Vec<u8>,
    /// Where each ends in `data`.
    ends: Vec<u32>,
}

impl Texts {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of all.
    pub(super) fn bytes(&self) -> usize {
        self.data.len()
    }

    /// About the bytes of memory that they take.
    pub(super) fn memory(&self) -> usize {
        self.data.len() + self.ends.len() * size_of::<u32>()
    }

    pub(super) fn push(&mut self, text: &[u8]) {
        self.data.extend_from_slice(text);
        self.end();
    }

    /// Adds the text that `write` appends.
    pub(super) fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.data);
        self.end();
    }

    pub(super) fn pop(&mut self) {
        self.ends.pop();
        self.data.truncate(self.ends.last().map_or(0, |end| *end as usize));
    }

    pub(super) fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)? as usize;
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize,
            None => 0,
        };
        self.data.get(start..end)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index).unwrap_or_default())
    }

    /// Where each is in [`data`](Self::data).
    pub(super) fn ranges(&self) -> impl Iterator<Item = (usize, usize)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|end| *end as usize));
        starts.zip(self.ends.iter().map(|end| *end as usize))
    }

    /// Whether the one at `index` is `text`.
    #[inline]
    pub(super) fn is(&self, index: usize, text: &[u8]) -> bool {
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let (start, end) = (start.unwrap_or(0) as usize, self.ends.get(index));
        let own = end.and_then(|end| self.data.get(start..*end as usize));
        own.is_some_and(|own| is_same(own, text))
    }

    /// Whether they are these pieces of `text`, one by one.
    #[inline]
    pub(super) fn are(
        &self,
        text: &[u8],
        mut pieces: impl Iterator<Item = (usize, usize)>,
    ) -> bool {
        let (mut own, mut differences) = (self.ranges(), 0);
        let is_alike = |(start, end): (usize, usize)| {
            let found = own.next().and_then(|(own_start, own_end)| {
                let (piece, own) = (text.get(start..)?, self.data.get(own_start..)?);
                differing(piece, end - start, own, own_end - own_start)
            });
            // Most is the same: whether it is, is asked once, of all pieces.
            differences |= found.unwrap_or_default();
            found.is_some()
        };
        pieces.all(is_alike) && differences == 0 && own.next().is_none()
    }

    /// All of them, without anything in between.
    pub(super) fn data(&self) -> &[u8] {
        &self.data
    }

    /// The distinct texts and the number of each text, where naming them is shorter.
    pub(super) fn few(&self) -> Option<(Self, Vec<u64>)> {
        let mut distinct = Self::default();
        let mut numbers: HashMap<&[u8], u64> = HashMap::new();
        let mut codes = Vec::with_capacity(self.len());
        let most = self.len() / 2 + 1;
        for text in self.iter() {
            let next = numbers.len() as u64;
            codes.push(match numbers.entry(text) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    distinct.push(text);
                    *new.insert(next)
                }
            });
            if numbers.len() > most {
                return None;
            }
        }
        Some((distinct, codes))
    }

    /// Whether one of them may have `run` in it, in any case. What is not ASCII may: letters there
    /// have others of ASCII in lower case.
    pub(super) fn may_hold(&self, run: &str, scratch: &mut Vec<u8>) -> bool {
        if !self.data.is_ascii() {
            return true;
        }
        scratch.clear();
        scratch.extend_from_slice(&self.data);
        scratch.make_ascii_lowercase();
        memchr::memmem::find(scratch, run.as_bytes()).is_some()
    }

    /// Forgets all but the memory.
    pub(super) fn clear(&mut self) {
        self.data.clear();
        self.ends.clear();
    }

    /// Appends lengths, then all bytes. The count is not written.
    pub(super) fn encode(&self, out: &mut Payload) {
        let mut lens = self.iter().map(|text| text.len() as u64);
        let first = self.get(0).map_or(0, |text| text.len() as u64);
        if lens.all(|len| len == first) {
            put_varint(&mut out.soft, first + 1);
        } else {
            put_varint(&mut out.soft, 0);
            self.iter().for_each(|text| put_varint(&mut out.soft, text.len() as u64));
        }
        out.soft.extend_from_slice(&self.data);
    }

    /// Reads `count` texts back.
    pub(super) fn decode(parts: &mut Parts<'_>, count: usize) -> Result<Self, Damaged> {
        let one_len = parts.soft.u32()?.checked_sub(1);
        let mut ends = Vec::with_capacity(count);
        let mut end: u32 = 0;
        for _ in 0..count {
            let len = one_len.map_or_else(|| parts.soft.u32(), Ok)?;
            end = end.checked_add(len).ok_or(Damaged("a length"))?;
            ends.push(end);
        }
        Ok(Self { data: parts.soft.take(end as usize)?.to_vec(), ends })
    }

    fn end(&mut self) {
        self.ends.push(u32::try_from(self.data.len()).expect("batches are far smaller than 4 GiB"));
    }
}

/// Whether `run`, in lower case, may be in `text`, in any case.
pub(super) fn holds(text: &[u8], run: &str) -> bool {
    !text.is_ascii() || memchr::memmem::find(&text.to_ascii_lowercase(), run.as_bytes()).is_some()
}

/// What tells a piece from its own text, each so many octets in front of others: nothing but zeros
/// where they are the same. Nothing at all where they are of two lengths, or not the same.
#[inline]
fn differing(piece: &[u8], len: usize, own: &[u8], own_len: usize) -> Option<u128> {
    if len != own_len {
        return None;
    }
    apart(piece, own, len).or_else(|| {
        let is_same = is_same(piece.get(..len)?, own.get(..len)?);
        is_same.then_some(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_are_told_from_others(
            parts in prop::collection::vec(("[ab]{0,40}", "[0-9]{1,20}"), 1..6),
            at in any::<prop::sample::Index>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut texts = Texts::default();
            let (mut text, mut pieces) = (String::new(), Vec::new());
            for (constant, variable) in &parts {
                texts.push(constant.as_bytes());
                pieces.push((text.len(), text.len() + constant.len()));
                text.push_str(constant);
                text.push_str(variable);
            }
            let are = |text: &str, pieces: &[(usize, usize)]| {
                texts.are(text.as_bytes(), pieces.iter().copied())
            };
            prop_assert!(are(&text, &pieces));
            prop_assert!(!are(&text, &pieces[1..]) || pieces[1..] == pieces);
            prop_assert!(!are(&text, &[&pieces[..], &[(0, 0)]].concat()));
            let at = at.index(text.len());
            let is_constant = pieces.iter().any(|(start, end)| (*start..*end).contains(&at));
            let mut other = text.clone().into_bytes();
            other[at] ^= 1;
            let other = String::from_utf8(other).unwrap();
            prop_assert_eq!(are(&other, &pieces), !is_constant);
            let piece = cut.index(pieces.len());
            let mut shorter = pieces.clone();
            if shorter[piece].1 > shorter[piece].0 {
                shorter[piece].1 -= 1;
                prop_assert!(!are(&text, &shorter));
            }
        }
    }
}
