//! A dictionary: each distinct value once, and a code for every row.

use hashbrown::HashTable;

use super::super::bytes::{Damaged, put_varint};
use super::kinds::Kinds;
use super::numbers;
use super::payload::{Parts, Payload};
use super::recent::{Recent, Short};
use super::texts::Texts;
use crate::eights::{Hash, Seed};
use crate::event::{Kind, ValueRef};

/// Values of which there are few distinct ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Coded {
    kinds: Kinds,
    texts: Texts,
    codes: Vec<u8>,
    /// Codes by the hash of their text.
    known: HashTable<u8>,
    seed: Seed,
    /// Short values that were there not long ago.
    recent: Recent,
}

/// By the codes of another dictionary the own ones, and how long their values are.
#[derive(Debug, Default)]
pub(super) struct Codes(Vec<Option<(u8, u32)>>);

impl Coded {
    /// How many values, equal ones counted as often as they are there.
    pub(super) fn len(&self) -> usize {
        self.codes.len()
    }

    /// Adds a value and gives its code; nothing if a byte can name no further one.
    pub(super) fn push(&mut self, value: ValueRef<'_>) -> Option<u8> {
        let code = match Short::of(value) {
            Some(short) => match self.recent.code(short) {
                Some(code) => code,
                None => {
                    let code = self.code(value)?;
                    self.recent.put(short, code);
                    code
                }
            },
            None => match self.codes.last().copied() {
                Some(last) if self.is(last, value) => last,
                _ => self.code(value)?,
            },
        };
        self.codes.push(code);
        Some(code)
    }

    /// The code of a value, which has one from now on; nothing if a byte can name no further one.
    fn code(&mut self, value: ValueRef<'_>) -> Option<u8> {
        let hash = hash(self.seed, value.bytes);
        match self.known.find(hash, |code| self.is(*code, value)) {
            Some(code) => Some(*code),
            None => self.add(hash, value),
        }
    }

    /// Takes over the values of another dictionary that have these numbers there, and gives their
    /// length; nothing, and none is taken, if a byte cannot name them all.
    pub(super) fn take(
        &mut self,
        other: &Self,
        indices: &[u32],
        known: &mut Codes,
    ) -> Option<usize> {
        known.0.clear();
        known.0.resize(other.distinct(), None);
        let before = self.codes.len();
        let bytes = self.take_all(other, indices, known);
        if bytes.is_none() {
            self.codes.truncate(before);
        }
        bytes
    }

    fn take_all(&mut self, other: &Self, indices: &[u32], known: &mut Codes) -> Option<usize> {
        let mut bytes = 0;
        for index in indices {
            let code = *other.codes.get(*index as usize)?;
            let known = known.0.get_mut(usize::from(code))?;
            let (own, len) = match known {
                Some(known) => *known,
                None => {
                    let value = other.value(code)?;
                    let len = u32::try_from(value.bytes.len()).unwrap_or(u32::MAX);
                    *known.insert((self.code(value)?, len))
                }
            };
            self.codes.push(own);
            bytes += len as usize;
        }
        Some(bytes)
    }

    /// Takes the last value out. It keeps its code, should it come again.
    pub(super) fn pop(&mut self) {
        self.codes.pop();
    }

    /// The codes, in order.
    pub(super) fn codes(&self) -> &[u8] {
        &self.codes
    }

    /// What a code stands for.
    pub(super) fn value(&self, code: u8) -> Option<ValueRef<'_>> {
        let index = usize::from(code);
        Some(ValueRef::new(self.kinds.at(index)?, self.texts.get(index)?))
    }

    /// How many distinct values.
    pub(super) fn distinct(&self) -> usize {
        self.texts.len()
    }

    /// The distinct values, in the order of their codes.
    pub(super) fn values(&self) -> impl ExactSizeIterator<Item = ValueRef<'_>> {
        self.texts
            .iter()
            .enumerate()
            .map(|(index, text)| ValueRef::new(self.kinds.at(index).unwrap_or(Kind::Text), text))
    }

    /// About the bytes of memory that it takes.
    pub(super) fn memory(&self) -> usize {
        self.codes.len() + self.texts.memory()
    }

    /// Forgets all but the memory.
    pub(super) fn clear(&mut self) {
        self.kinds.clear();
        self.texts.clear();
        self.codes.clear();
        self.known.clear();
        self.recent.clear();
    }

    /// Appends values and codes. How many codes there are is not written.
    pub(super) fn encode(&self, out: &mut Payload) {
        put_varint(&mut out.soft, self.texts.len() as u64);
        self.kinds.encode(&mut out.soft);
        self.texts.encode(out);
        numbers::encode_codes(&self.codes, out);
    }

    /// Reads `count` codes and their values back. Nothing can be added to what was read.
    pub(super) fn decode(parts: &mut Parts<'_>, count: usize) -> Result<Self, Damaged> {
        let distinct = parts.soft.count()?;
        let kinds = Kinds::decode(&mut parts.soft, distinct)?;
        let texts = Texts::decode(parts, distinct)?;
        let codes = numbers::decode_codes(parts, count, distinct)?;
        Ok(Self { kinds, texts, codes, ..Self::default() })
    }

    fn add(&mut self, own: u64, value: ValueRef<'_>) -> Option<u8> {
        let code = u8::try_from(self.texts.len()).ok()?;
        self.kinds.push(self.texts.len(), value.kind);
        self.texts.push(value.bytes);
        let (seed, texts) = (self.seed, &self.texts);
        self.known.insert_unique(own, code, |other| {
            hash(seed, texts.get(usize::from(*other)).unwrap_or_default())
        });
        Some(code)
    }

    /// Whether a code stands for `value`.
    #[inline]
    fn is(&self, code: u8, value: ValueRef<'_>) -> bool {
        let index = usize::from(code);
        self.texts.is(index, value.bytes) && self.kinds.at(index) == Some(value.kind)
    }
}

#[inline]
fn hash(seed: Seed, text: &[u8]) -> u64 {
    let mut hash = Hash::new(seed);
    hash.add(text, 0, text.len());
    hash.finish()
}
