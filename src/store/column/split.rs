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
//! which messages there are. A text whose template comes too seldom to be worth columns is kept whole.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::super::bytes::{Damaged, put_varint};
use super::cut::Cutter;
use super::guess::{Guesses, Place};
use super::key::Key;
use super::met::Met;
use super::numbers;
use super::payload::{Parts, Payload};
use super::places;
use super::slot::Slot;
use super::template::{Template, pieces};
use super::texts::Texts;

/// Texts, split.
#[derive(Clone, Debug, Default)]
pub(super) struct Split {
    pub(super) templates: Vec<Template>,
    /// The variables of all of them but the first.
    slots: usize,
    /// The template of each text.
    pub(super) of: Vec<u16>,
    /// Templates by the hash of their keys.
    known: HashTable<u16>,
    hasher: DefaultHashBuilder,
    guesses: Guesses,
    met: Met,
    cutter: Cutter,
    pub(super) key: Key,
}

impl Split {
    /// How many texts there are.
    pub(super) fn len(&self) -> usize {
        self.of.len()
    }

    /// Adds a text; in the shortest form if this `is_final`.
    #[inline]
    pub(super) fn push(&mut self, text: &[u8], is_final: bool) {
        let number = self.template_of(text, is_final);
        self.push_to(number, text);
    }

    /// The number of the template that `text` goes to, which is made if it comes often, or if this
    /// `is_final`: however seldom it comes, it is shorter then.
    pub(super) fn template_of(&mut self, text: &[u8], is_final: bool) -> u16 {
        self.cutter.cut_up_to(MAX_SLOTS, text);
        let varies = self.cutter.is_marked || self.cutter.variables.len() > MAX_SLOTS;
        let found =
            if varies { None } else { self.find(text).or_else(|| self.admit(text, is_final)) };
        found.unwrap_or_else(|| self.whole())
    }

    /// Adds `text` to its template, which [`template_of`](Self::template_of) has just told.
    pub(super) fn push_to(&mut self, number: u16, text: &[u8]) {
        self.of.push(number);
        let template = self.templates.get_mut(usize::from(number)).expect("found or added");
        template.count += 1;
        if number == WHOLE {
            return template.slots.iter_mut().for_each(|slot| slot.push_text(text));
        }
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
            + self.met.memory()
            + slots.map(Slot::memory).sum::<usize>()
            + constants.sum::<usize>()
    }

    /// Forgets all but the memory, and the templates: all while they are few, or else those that
    /// came often.
    pub(super) fn clear(&mut self) {
        self.of.clear();
        self.met.clear();
        if self.templates.len() > KEPT_TEMPLATES {
            self.forget_rare();
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
    pub(super) fn find_key(&self) -> Option<u16> {
        let key = self.key.bytes();
        let is_same = |number: &u16| {
            self.templates.get(usize::from(*number)).is_some_and(|own| *own.key == *key)
        };
        self.known.find(self.hasher.hash_one(key), is_same).copied()
    }

    /// Adds the template of `text`, which was not found, if it is to be one and there is room.
    fn admit(&mut self, text: &[u8], is_final: bool) -> Option<u16> {
        let variables = &self.cutter.variables;
        let hash = self.hasher.hash_one(self.key.bytes());
        if !is_final && !self.met.is_often(hash, variables.len()) || !self.has_room(variables.len())
        {
            return None;
        }
        let mut template = Template::default();
        for (start, end) in pieces(variables, text.len()) {
            template.constants.push(text.get(start..end).unwrap_or_default());
        }
        template.slots.resize_with(variables.len(), Slot::default);
        Some(self.insert(template))
    }

    /// Whether there may be one more template, of so many variables.
    pub(super) fn has_room(&self, slots: usize) -> bool {
        self.templates.len() <= MAX_TEMPLATES && self.slots + slots <= MAX_SLOTS_OF_ALL
    }

    /// Adds a template whose constants are in `key`.
    pub(super) fn insert(&mut self, template: Template) -> u16 {
        self.whole();
        let key = self.key.bytes().into();
        self.slots += template.slots.len();
        self.templates.push(Template { key, ..template });
        let number = u16::try_from(self.templates.len() - 1).expect("templates are bounded");
        self.know(number);
        number
    }

    /// Makes it possible to find the template of this number.
    fn know(&mut self, number: u16) {
        let (hasher, templates) = (&self.hasher, &self.templates);
        let hash = |number: &u16| {
            templates.get(usize::from(*number)).map_or(0, |own| hasher.hash_one(&*own.key))
        };
        self.known.insert_unique(hash(&number), number, hash);
    }

    /// The template of texts that are kept whole.
    fn whole(&mut self) -> u16 {
        if self.templates.is_empty() {
            let mut template = Template::default();
            (0..2).for_each(|_| template.constants.push(b""));
            template.slots.push(Slot::default());
            self.templates.push(template);
        }
        WHOLE
    }

    /// Forgets templates that came seldom since all was forgotten the last time.
    fn forget_rare(&mut self) {
        let mut is_whole = true;
        self.templates.retain(|own| std::mem::take(&mut is_whole) || own.count >= OFTEN);
        self.slots = self.templates.iter().skip(1).map(|own| own.slots.len()).sum();
        self.guesses = Guesses::default();
        self.known.clear();
        for number in 1..self.templates.len() {
            self.know(u16::try_from(number).expect("templates are bounded"));
        }
    }
}

/// The number of the template whose texts are kept whole: all of them vary.
pub(super) const WHOLE: u16 = 0;

/// Templates in a column of a batch or block; the texts of further ones are kept whole.
pub(super) const MAX_TEMPLATES: usize = 1024;

/// Variables in a template; texts with more are kept whole.
pub(super) const MAX_SLOTS: usize = 64;

/// Variables of all templates of a batch or block: each takes some 200 bytes, however seldom it comes.
const MAX_SLOTS_OF_ALL: usize = 16 << 10;

/// As many templates are kept for the next batch, however seldom they come.
const KEPT_TEMPLATES: usize = 256;

/// Of more than those, each is kept that came so often.
const OFTEN: u32 = 4;

#[cfg(test)]
mod tests {
    use super::super::taken::Taken;
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

    #[test]
    fn texts_that_are_unlike_each_other_make_no_templates_without_end() {
        let text = |n: usize| format!("word{} ", "x".repeat(n)) + &"1 ".repeat(60);
        let (mut split, mut taken) = (Split::default(), Split::default());
        for again in 0..3 {
            (0..400).for_each(|n| split.push(text(n + again).as_bytes(), true));
            let slots = split.templates().map(|(_, own)| own.slots.len()).sum::<usize>();
            assert!((MAX_SLOTS_OF_ALL - 64..=MAX_SLOTS_OF_ALL + 1).contains(&slots), "{slots}");
            assert!(
                split.texts().iter().eq((0..400).map(|n| text(n + again)).map(String::into_bytes))
            );
            let all: Vec<u32> = (0..400).collect();
            taken.take(&split, &all, &split.nth(), &mut Taken::new(true));
            assert_eq!(of(&taken), of(&split));
            split.clear();
            taken.clear();
        }
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
            others.iter().for_each(|text| split.push(text, false));
            split.clear();
            texts.iter().for_each(|text| split.push(text, false));
            let left = texts.len().saturating_sub(popped);
            (left..texts.len()).for_each(|_| split.pop());
            prop_assert_eq!(of(&split), &texts[..left]);
            let read = read_back(&split);
            prop_assert_eq!(of(&read), &texts[..left]);
            let (mut all, mut taken) = (Split::default(), Taken::default());
            others.iter().for_each(|text| all.push(text, false));
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
        let texts: Vec<String> = (0..3000).map(|n| format!("{} of {n}", word(n / 2))).collect();
        let mut split = Split::default();
        texts.iter().for_each(|text| split.push(text.as_bytes(), false));
        assert_eq!(split.templates.len(), MAX_TEMPLATES + 1);
        let read = read_back(&split);
        assert!(of(&read).iter().eq(texts.iter().map(String::as_bytes)));
    }

    #[test]
    fn what_comes_seldom_is_kept_whole_and_what_comes_often_is_known_the_next_time() {
        let order = |n: usize| format!("order {n} from 10.0.0.7 for {n}");
        let word = |n: usize| format!("{} {}", "a".repeat(n / 20), "b".repeat(n % 20));
        let whole = |split: &Split| split.templates.first().map_or(0, |whole| whole.count);
        let mut split = Split::default();
        (0..6).for_each(|n| split.push(order(n).as_bytes(), false));
        assert_eq!(whole(&split), 6);
        (0..50).for_each(|n| split.push(order(n).as_bytes(), false));
        assert_eq!(whole(&split), 6);
        (0..300).for_each(|n| split.push(word(n).as_bytes(), false));
        assert_eq!((whole(&split), split.templates.len()), (6, 302));
        split.clear();
        assert_eq!(split.templates.len(), 2);
        (0..6).for_each(|n| split.push(order(n).as_bytes(), false));
        assert_eq!((whole(&split), of(&split).len()), (0, 6));
    }
}
