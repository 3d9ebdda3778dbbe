//! Texts split into templates and variables, and put together again to the byte.
//!
//! ```text
//!  order 42 accepted, 3 items       template 0: "order ", " accepted, ", " items"    42   3
//!  cache miss shard=7               template 1: "cache miss shard=", ""               7
//!  order 43 accepted, 1 items       template 0                                       43   1
//! ```
//!
//! Each place of a template is a column of its own: numbers are kept as numbers, and what is
//! constant is written once. Templates are also an index for words that hold no digit, and tell
//! which messages there are.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::super::bytes::{Damaged, put_varint};
use super::cut::Cutter;
use super::guess::{Guesses, Place};
use super::key::{Key, VARIABLE};
use super::numbers;
use super::payload::{Parts, Payload};
use super::places;
use super::slot::Slot;
use super::template::{Template, pieces};
use super::texts::Texts;

/// Texts, split.
#[derive(Clone, Debug, Default)]
pub(super) struct Split {
    templates: Vec<Template>,
    /// The template of each text.
    of: Vec<u16>,
    /// Templates by the hash of their keys.
    known: HashTable<u16>,
    hasher: DefaultHashBuilder,
    guesses: Guesses,
    cutter: Cutter,
    key: Key,
}

/// What a [`Split`] remembers of another while it takes texts from it, and memory for that.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// By the other's template the own one.
    own: Vec<Option<u16>>,
    /// Which texts of each template are taken.
    nth: Vec<Vec<u32>>,
    /// The templates of which some are.
    used: Vec<u16>,
    scratch: Vec<u8>,
}

impl Split {
    /// How many texts there are.
    pub(super) fn len(&self) -> usize {
        self.of.len()
    }

    pub(super) fn push(&mut self, text: &[u8]) {
        self.cutter.cut(text);
        if self.cutter.variables.len() > MAX_SLOTS || self.cutter.is_marked {
            self.all_varies(text);
        }
        let number = match self.find(text) {
            Some(number) => number,
            None if self.templates.len() < MAX_TEMPLATES => self.add(text),
            None => {
                self.all_varies(text);
                self.find(text).unwrap_or_else(|| self.add(text))
            }
        };
        self.of.push(number);
        let template = self.templates.get_mut(usize::from(number)).expect("found or added");
        template.count += 1;
        for (slot, (start, end)) in template.slots.iter_mut().zip(&self.cutter.variables) {
            slot.push(text, *start, *end);
        }
    }

    pub(super) fn pop(&mut self) {
        let Some(number) = self.of.pop() else { return };
        if let Some(template) = self.templates.get_mut(usize::from(number)) {
            template.count -= 1;
            template.slots.iter_mut().for_each(Slot::pop);
        }
    }

    /// Of which number each text is among those of its template.
    pub(super) fn nth(&self) -> Vec<u32> {
        let mut next = vec![0_u32; self.templates.len()];
        let mut nth = |number: &u16| {
            let next = next.get_mut(usize::from(*number)).expect("of one of the templates");
            std::mem::replace(next, *next + 1)
        };
        self.of.iter().map(&mut nth).collect()
    }

    /// Takes over the texts of `other` that have these numbers there; `nth` is what
    /// [`nth`](Self::nth) says of it. Returns about their length.
    pub(super) fn take(
        &mut self,
        other: &Self,
        indices: &[u32],
        nth: &[u32],
        taken: &mut Taken,
    ) -> usize {
        taken.begin(other.templates.len());
        let place =
            |index: &u32| Some((*other.of.get(*index as usize)?, *nth.get(*index as usize)?));
        let mut places = indices.iter().filter_map(place);
        let mut one_by_one = None;
        for (number, nth) in places.by_ref() {
            match self.own_template(other, number, taken) {
                Some(own) => self.of.push(own),
                None => {
                    one_by_one = Some((number, nth));
                    break;
                }
            }
            taken.add(number, nth);
        }
        let mut len = 0;
        for number in &taken.used {
            let number = usize::from(*number);
            let own = taken.own.get(number).copied().flatten().map(usize::from);
            let own = own.and_then(|own| self.templates.get_mut(own));
            let (Some(own), Some(from), Some(nth)) =
                (own, other.templates.get(number), taken.nth.get(number))
            else {
                continue;
            };
            own.count += u32::try_from(nth.len()).expect("fewer than rows");
            len += own.constants.bytes() * nth.len();
            for (slot, from) in own.slots.iter_mut().zip(&from.slots) {
                len += slot.take(from, nth, &mut taken.scratch);
            }
        }
        for (number, nth) in one_by_one.into_iter().chain(places) {
            if let Some(from) = other.templates.get(usize::from(number)) {
                taken.scratch.clear();
                from.write(nth as usize, &mut taken.scratch);
                self.push(&taken.scratch);
                len += taken.scratch.len();
            }
        }
        len
    }

    /// All templates that have a text.
    pub(super) fn templates(&self) -> impl Iterator<Item = (u16, &Template)> {
        (0..).zip(&self.templates).filter(|(_, template)| template.count > 0)
    }

    /// All texts, in order.
    pub(super) fn texts(&self) -> Texts {
        let mut texts = Texts::default();
        let mut next = vec![0_usize; self.templates.len()];
        for number in &self.of {
            let template = self.templates.get(usize::from(*number));
            if let Some((template, next)) = template.zip(next.get_mut(usize::from(*number))) {
                texts.push_with(|out| template.write(*next, out));
                *next += 1;
            }
        }
        texts
    }

    /// Text number `index`, appended.
    pub(super) fn write(&self, index: usize, out: &mut Vec<u8>) {
        let Some(number) = self.of.get(index) else { return };
        let before = self.of.get(..index).unwrap_or_default();
        let nth = before.iter().filter(|other| *other == number).count();
        if let Some(template) = self.templates.get(usize::from(*number)) {
            template.write(nth, out);
        }
    }

    /// Calls `each` with the number and the text of all that are `wanted`, and whose template may
    /// have all texts of one of the lists in it; they are in lower case.
    pub(super) fn holding(
        &self,
        lists: &[Vec<String>],
        wanted: impl Fn(usize) -> bool,
        each: impl FnMut(usize, &[u8]),
    ) {
        let mut scratch = Vec::new();
        let mut may = |template: &Template| {
            template.count > 0
                && lists
                    .iter()
                    .any(|list| list.iter().all(|text| template.may_hold(text, &mut scratch)))
        };
        let may: Vec<bool> = self.templates.iter().map(&mut may).collect();
        if may.contains(&true) {
            self.each_of(&may, wanted, each);
        }
    }

    /// Calls `each` with the number and the text of all that are `wanted`.
    pub(super) fn for_each(&self, wanted: impl Fn(usize) -> bool, each: impl FnMut(usize, &[u8])) {
        self.each_of(&vec![true; self.templates.len()], wanted, each);
    }

    /// Calls `each` with the number and the text of all that are `wanted`, and whose template is
    /// `among`.
    fn each_of(
        &self,
        among: &[bool],
        wanted: impl Fn(usize) -> bool,
        mut each: impl FnMut(usize, &[u8]),
    ) {
        let (mut next, mut text) = (vec![0_usize; self.templates.len()], Vec::new());
        for (index, number) in self.of.iter().enumerate() {
            let number = usize::from(*number);
            if among.get(number) != Some(&true) {
                continue;
            }
            let template = self.templates.get(number);
            if let Some((template, nth)) = template.zip(next.get_mut(number)) {
                if wanted(index) {
                    text.clear();
                    template.write(*nth, &mut text);
                    each(index, &text);
                }
                *nth += 1;
            }
        }
    }

    /// About the bytes of memory that it takes.
    pub(super) fn memory(&self) -> usize {
        let slots = self.templates.iter().flat_map(|template| &template.slots);
        let constants = self.templates.iter().map(|template| template.constants.memory());
        self.of.len() * size_of::<u16>()
            + slots.map(Slot::memory).sum::<usize>()
            + constants.sum::<usize>()
    }

    /// Forgets all but the memory. Templates are kept, without texts, while they are few.
    pub(super) fn clear(&mut self) {
        self.of.clear();
        if self.templates.len() > KEPT_TEMPLATES {
            self.templates.clear();
            self.known.clear();
        }
        for template in &mut self.templates {
            template.count = 0;
            template.slots.iter_mut().for_each(Slot::clear);
        }
    }

    /// Appends the split. How many texts there are is not written.
    pub(super) fn encode(&self, out: &mut Payload) {
        let mut renumbered = vec![0_u64; self.templates.len()];
        put_varint(&mut out.soft, self.templates().count() as u64);
        for (new, (old, template)) in (0..).zip(self.templates()) {
            if let Some(number) = renumbered.get_mut(usize::from(old)) {
                *number = new;
            }
            put_varint(&mut out.soft, template.slots.len() as u64);
        }
        // All words together, then all numbers: each compresses well beside its like.
        self.templates().for_each(|(_, template)| template.constants.encode(out));
        let number = |old: &u16| renumbered.get(usize::from(*old)).copied().unwrap_or_default();
        numbers::encode(&self.of.iter().map(number).collect::<Vec<_>>(), out);
        let places: Vec<&Template> = self.templates().map(|(_, template)| template).collect();
        let of: Vec<u16> =
            self.of.iter().map(|old| u16::try_from(number(old)).unwrap_or(0)).collect();
        places::encode(&places, &of, out);
    }

    /// Reads a split of `count` texts back.
    pub(super) fn decode(parts: &mut Parts<'_>, count: usize) -> Result<Self, Damaged> {
        let mut split = Self::default();
        let mut slots = Vec::new();
        for _ in 0..parts.soft.count()? {
            slots.push(parts.soft.count()?);
        }
        if slots.len() > MAX_TEMPLATES + 1 || slots.iter().any(|slots| *slots > MAX_SLOTS) {
            return Err(Damaged("that many templates"));
        }
        for slots in &slots {
            let constants = Texts::decode(parts, slots + 1)?;
            split.templates.push(Template { constants, ..Template::default() });
        }
        for number in numbers::decode(parts, count)? {
            let number = u16::try_from(number).map_err(|_| Damaged("a template"))?;
            let template = split.templates.get_mut(usize::from(number));
            template.ok_or(Damaged("a template"))?.count += 1;
            split.of.push(number);
        }
        for (template, slots) in split.templates.iter_mut().zip(slots) {
            template.slots.resize_with(slots, Slot::default);
        }
        places::decode(parts, &mut split.templates, &split.of)?;
        Ok(split)
    }

    /// Lets the whole of `text` vary.
    fn all_varies(&mut self, text: &[u8]) {
        self.cutter.variables.clear();
        self.cutter.variables.push((0, text.len()));
    }

    /// The template of `text`, as it was cut. Where there is none, what is constant in it is in `key`
    /// afterwards.
    fn find(&mut self, text: &[u8]) -> Option<u16> {
        let place = Place::of(text, &self.cutter.variables);
        let is_of = |number: &u16| {
            let template = self.templates.get(usize::from(*number));
            template.is_some_and(|template| template.is_of(text, &self.cutter.variables))
        };
        if let Some(guess) = self.guesses.at(place).filter(is_of) {
            return Some(guess);
        }
        self.key.set(text, pieces(&self.cutter.variables, text.len()));
        let found = self.find_key()?;
        self.guesses.put(place, found);
        Some(found)
    }

    /// The template that `key` is of.
    fn find_key(&self) -> Option<u16> {
        let key = self.key.bytes();
        let is_same = |number: &u16| {
            self.templates.get(usize::from(*number)).is_some_and(|own| *own.key == *key)
        };
        self.known.find(self.hasher.hash_one(key), is_same).copied()
    }

    /// Adds the template of `text`, which was not found.
    fn add(&mut self, text: &[u8]) -> u16 {
        let mut template = Template::default();
        for (start, end) in pieces(&self.cutter.variables, text.len()) {
            template.constants.push(text.get(start..end).unwrap_or_default());
        }
        template.slots.resize_with(self.cutter.variables.len(), Slot::default);
        self.insert(template)
    }

    /// Adds a template whose constants are in `key`.
    fn insert(&mut self, template: Template) -> u16 {
        let number = u16::try_from(self.templates.len()).expect("templates are bounded");
        let key: Box<[u8]> = self.key.bytes().into();
        let hash = self.hasher.hash_one(&*key);
        self.templates.push(Template { key, ..template });
        let (hasher, templates) = (&self.hasher, &self.templates);
        self.known.insert_unique(hash, number, |other| {
            let template = templates.get(usize::from(*other));
            template.map_or(0, |template| hasher.hash_one(&*template.key))
        });
        number
    }

    /// The own number of a template of `other`, which is found or added; nothing if there is no
    /// room.
    fn own_template(&mut self, other: &Self, number: u16, taken: &mut Taken) -> Option<u16> {
        let known = taken.own.get_mut(usize::from(number))?;
        if known.is_some() {
            return *known;
        }
        let from = other.templates.get(usize::from(number))?;
        if memchr::memchr(VARIABLE, from.constants.data()).is_some() {
            return None;
        }
        self.key.set(from.constants.data(), from.constants.ranges());
        let own = match self.find_key() {
            Some(own) => own,
            None if self.templates.len() < MAX_TEMPLATES => {
                let slots = from.slots.iter().map(|_| Slot::default()).collect();
                let constants = from.constants.clone();
                self.insert(Template { constants, slots, ..Template::default() })
            }
            None => return None,
        };
        *known = Some(own);
        Some(own)
    }
}

impl Taken {
    /// Begins anew, of another split of so many templates.
    fn begin(&mut self, templates: usize) {
        self.own.clear();
        self.own.resize(templates, None);
        if self.nth.len() < templates {
            self.nth.resize_with(templates, Vec::new);
        }
        for number in self.used.drain(..) {
            if let Some(nth) = self.nth.get_mut(usize::from(number)) {
                nth.clear();
            }
        }
    }

    fn add(&mut self, number: u16, nth: u32) {
        if let Some(all) = self.nth.get_mut(usize::from(number)) {
            if all.is_empty() {
                self.used.push(number);
            }
            all.push(nth);
        }
    }
}

/// Templates in a column of a batch or block; the texts of further ones vary as a whole.
pub(super) const MAX_TEMPLATES: usize = 1024;

/// Variables in a template; texts with more vary as a whole.
pub(super) const MAX_SLOTS: usize = 64;

/// Templates that are kept for the next batch.
const KEPT_TEMPLATES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_text() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            "(order|cache) [0-9]{1,3} (from|to) 10\\.0\\.[0-9]{1,2}\\.7"
                .prop_map(String::into_bytes),
            "[a-c0-2 .]{0,12}".prop_map(String::into_bytes),
            "([a-z][0-9] ){60,70}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..30),
        ]
    }

    fn read_back(split: &Split) -> Split {
        let mut out = Payload::default();
        split.encode(&mut out);
        let mut parts = out.parts();
        let read = Split::decode(&mut parts, split.len()).unwrap();
        parts.end().unwrap();
        read
    }

    fn of(split: &Split) -> Vec<Vec<u8>> {
        split.texts().iter().map(<[u8]>::to_vec).collect()
    }

    proptest! {
        /// Byte-exact: pushed, popped, used again, encoded, and taken over by another.
        #[test]
        fn texts_are_put_together_again(
            texts in prop::collection::vec(any_text(), 0..60),
            others in prop::collection::vec(any_text(), 0..30),
            popped in 0_usize..9,
        ) {
            let mut split = Split::default();
            others.iter().for_each(|text| split.push(text));
            split.clear();
            texts.iter().for_each(|text| split.push(text));
            let left = texts.len().saturating_sub(popped);
            (left..texts.len()).for_each(|_| split.pop());
            prop_assert_eq!(of(&split), &texts[..left]);
            let read = read_back(&split);
            prop_assert_eq!(of(&read), &texts[..left]);
            let (mut all, mut taken) = (Split::default(), Taken::default());
            others.iter().for_each(|text| all.push(text));
            let indices: Vec<u32> = (0..).take(read.len()).collect();
            all.take(&read, &indices, &read.nth(), &mut taken);
            let want = [&others[..], &texts[..left]].concat();
            prop_assert_eq!(of(&read_back(&all)), want);
        }

        #[test]
        fn any_bytes_are_an_answer(soft: Vec<u8>, hard: Vec<u8>, count in 0_usize..100) {
            let out = Payload { soft, hard, is_final: false };
            if let Ok(split) = Split::decode(&mut out.parts(), count) {
                prop_assert_eq!(split.texts().len(), count);
            }
        }
    }

    #[test]
    fn templates_are_bounded_and_nothing_is_lost() {
        let word = |n: usize| -> String {
            format!("{n:04}").bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
        };
        let texts: Vec<String> = (0..3000).map(|n| format!("{} is {n}", word(n))).collect();
        let mut split = Split::default();
        texts.iter().for_each(|text| split.push(text.as_bytes()));
        assert_eq!(split.templates.len(), MAX_TEMPLATES + 1);
        let read = read_back(&split);
        assert!(of(&read).iter().eq(texts.iter().map(String::as_bytes)));
    }
}
