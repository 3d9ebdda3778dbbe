//! Texts split into templates and variables, as they lie on disk.
//!
//! Of a block that is read, most variables are never looked at: those of other templates, those of
//! rows that are not shown, and those that cannot hold what is looked for. So what was written stays
//! as it is, in a fraction of the memory, and variables are read from it one by one, or slot by
//! slot, where someone asks for them.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::super::bytes::{Damaged, Reader};
use super::digits::MAX_HEX;
use super::hits::Hits;
use super::integers::Integers;
use super::kept::Kept;
use super::payload::{Parts, Payload};
use super::slot::Slot;
use super::split::{MAX_SLOTS, MAX_TEMPLATES};
use super::texts::{Texts, holds};
use super::{numbers, places};

/// Texts, split, that were written before.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    pub(super) payload: Payload,
    pub(super) templates: Vec<Template>,
    /// The template of each text.
    pub(super) of: Vec<u16>,
    pub(super) slots: Vec<Stored>,
}

/// What is constant in some texts.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) constants: Texts,
    /// For each place the number of its slot.
    pub(super) slots: Vec<usize>,
    /// How many texts there are of it.
    pub(super) count: u32,
    /// The slots that other templates have a part of, each once.
    shared: Vec<usize>,
}

/// A slot as it lies on disk.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// What all variables have in common.
    form: Slot,
    values: Values,
    /// Where it begins in the two parts of the payload.
    start: (usize, usize),
    pub(super) count: usize,
    /// Whether texts of several templates have their variables in it, in the order of the texts.
    is_shared: bool,
    /// Kept where a variable cannot be read by itself.
    unpacked: OnceLock<Slot>,
}

#[derive(Clone, Debug)]
enum Values {
    /// Numbers that can be read one by one.
    Words(Vec<Integers>),
    /// Codes that can be, and the texts that they stand for.
    Codes(Texts, Integers),
    /// All or none, which then take about so many bytes of memory.
    InOrder(usize),
}

/// Where one is on a walk along the texts.
pub(super) struct Walk<'p> {
    packed: &'p Packed,
    /// For each template how many of its texts were passed.
    templates: Vec<usize>,
    /// The same for each slot that is shared.
    slots: Vec<usize>,
}

/// Slots that a walk found worth unpacking.
#[derive(Debug)]
pub(super) struct Unpacked(Vec<Asked>);

#[derive(Debug)]
enum Asked {
    /// So often.
    Times(usize),
    Unpacked(Slot),
}

impl Packed {
    /// Reads what is written of `count` texts at the front of `parts`, which are of `payload`.
    pub(super) fn open(
        payload: &Payload,
        parts: &mut Parts<'_>,
        count: usize,
    ) -> Result<Self, Damaged> {
        let mut slots = Vec::new();
        for _ in 0..parts.soft.count()? {
            slots.push(parts.soft.count()?);
        }
        if slots.len() > MAX_TEMPLATES + 1 || slots.iter().any(|slots| *slots > MAX_SLOTS) {
            return Err(Damaged("that many templates"));
        }
        let mut templates = Vec::new();
        for slots in &slots {
            let constants = Texts::decode(parts, slots + 1)?;
            let (slots, shared) = (Vec::new(), Vec::new());
            templates.push(Template { constants, slots, count: 0, shared });
        }
        let mut of = Vec::with_capacity(count);
        for number in numbers::decode(parts, count)? {
            let number = u16::try_from(number).map_err(|_| Damaged("a template"))?;
            let template = templates.get_mut(usize::from(number));
            template.ok_or(Damaged("a template"))?.count += 1;
            of.push(number);
        }
        let shared = places::decode_shared(parts, &slots)?;
        let slots = Stored::all(payload, parts, &mut templates, shared)?;
        // The payload is put in by who has it.
        Ok(Self { payload: Payload::default(), templates, of, slots })
    }

    /// How many texts there are.
    pub(super) fn len(&self) -> usize {
        self.of.len()
    }

    /// About the bytes of memory that it takes, with all that it may come to keep.
    pub(super) fn memory(&self) -> usize {
        let (soft, hard) = self.payload.lens();
        let templates = self.templates.iter().map(|template| {
            size_of::<Template>() + template.constants.memory() + template.slots.len() * 16
        });
        soft + hard
            + self.of.len() * size_of::<u16>()
            + templates.sum::<usize>()
            + self.slots.iter().map(Stored::memory).sum::<usize>()
    }

    /// Text number `index`, appended.
    pub(super) fn write(&self, index: usize, out: &mut Vec<u8>) {
        let Some(number) = self.of.get(index) else { return };
        let Some(template) = self.templates.get(usize::from(*number)) else { return };
        let before = self.of.get(..index).unwrap_or_default();
        let nth = before.iter().filter(|other| *other == number).count();
        let place = |number: usize| {
            if !template.shared.contains(&number) {
                return nth;
            }
            let has: Vec<bool> =
                self.templates.iter().map(|t| t.shared.contains(&number)).collect();
            before.iter().filter(|other| has.get(usize::from(**other)) == Some(&true)).count()
        };
        let mut constants = template.constants.iter();
        out.extend_from_slice(constants.next().unwrap_or_default());
        for (slot, constant) in template.slots.iter().zip(constants) {
            if let Some(stored) = self.slots.get(*slot) {
                stored.write(&self.payload, place(*slot), out);
            }
            out.extend_from_slice(constant);
        }
    }

    /// All texts, in order.
    pub(super) fn texts(&self) -> Texts {
        let mut texts = Texts::default();
        self.for_each(|_| true, |_, text| texts.push(text));
        texts
    }

    /// Calls `each` with the number and the text of all that are `wanted`.
    pub(super) fn for_each(
        &self,
        wanted: impl Fn(usize) -> bool,
        mut each: impl FnMut(usize, &[u8]),
    ) {
        self.for_each_template(wanted, |_| true, |index, _, text| each(index, text));
    }

    /// Calls `each` with the number of all texts that are `wanted`, and their template; and with the
    /// text, where the template `is_read`.
    pub(super) fn for_each_template(
        &self,
        wanted: impl Fn(usize) -> bool,
        is_read: impl Fn(u16) -> bool,
        mut each: impl FnMut(usize, u16, &[u8]),
    ) {
        let (mut text, mut unpacked) = (Vec::new(), Unpacked::none(self));
        self.walk(|index, number, walk| {
            if wanted(index) {
                text.clear();
                if is_read(number) {
                    walk.write(number, &mut unpacked, &mut text);
                }
                each(index, number, &text);
            }
        });
    }

    /// Calls `each` with the number of every text, that of its template, and where its variables
    /// are.
    pub(super) fn walk<'p>(&'p self, mut each: impl FnMut(usize, u16, &Walk<'p>)) {
        let mut walk = Walk {
            packed: self,
            templates: vec![0; self.templates.len()],
            slots: vec![0; self.slots.len()],
        };
        for (index, number) in self.of.iter().enumerate() {
            each(index, *number, &walk);
            let number = usize::from(*number);
            let Some(template) = self.templates.get(number) else { continue };
            if let Some(passed) = walk.templates.get_mut(number) {
                *passed += 1;
            }
            for slot in &template.shared {
                if let Some(passed) = walk.slots.get_mut(*slot) {
                    *passed += 1;
                }
            }
        }
    }

    /// The slot of that number, unpacked.
    pub(super) fn slot(&self, number: usize) -> Cow<'_, Slot> {
        match self.slots.get(number) {
            Some(stored) => match stored.unpacked.get() {
                Some(slot) => Cow::Borrowed(slot),
                None => Cow::Owned(stored.unpack(&self.payload)),
            },
            None => Cow::Owned(Slot::default()),
        }
    }
}

impl<'p> Walk<'p> {
    /// The place of the variable in a slot of the text that is next, which is of template
    /// `template`.
    pub(super) fn place(&self, number: u16, slot: usize) -> usize {
        let is_shared = self.packed.slots.get(slot).is_some_and(|stored| stored.is_shared);
        let passed =
            if is_shared { self.slots.get(slot) } else { self.templates.get(usize::from(number)) };
        passed.copied().unwrap_or_default()
    }

    /// Appends the text that is next, which is of template `number`.
    pub(super) fn write(&self, number: u16, unpacked: &mut Unpacked, out: &mut Vec<u8>) {
        let Some(template) = self.packed.templates.get(usize::from(number)) else { return };
        let mut constants = template.constants.iter();
        out.extend_from_slice(constants.next().unwrap_or_default());
        for (slot, constant) in template.slots.iter().zip(constants) {
            unpacked.write(self.packed, *slot, self.place(number, *slot), out);
            out.extend_from_slice(constant);
        }
    }
}

impl Unpacked {
    /// None yet.
    pub(super) fn none(packed: &Packed) -> Self {
        Self(packed.slots.iter().map(|_| Asked::Times(0)).collect())
    }

    /// Says that a slot is unpacked already.
    pub(super) fn put(&mut self, number: usize, slot: Slot) {
        if let Some(asked) = self.0.get_mut(number) {
            *asked = Asked::Unpacked(slot);
        }
    }

    fn write(&mut self, packed: &Packed, number: usize, index: usize, out: &mut Vec<u8>) {
        let (Some(stored), Some(asked)) = (packed.slots.get(number), self.0.get_mut(number)) else {
            return;
        };
        match asked {
            Asked::Unpacked(slot) => slot.write(index, out),
            Asked::Times(times) => {
                stored.write(&packed.payload, index, out);
                *times += 1;
                if *times * FEW > stored.count && stored.unpacked.get().is_none() {
                    *asked = Asked::Unpacked(stored.unpack(&packed.payload));
                }
            }
        }
    }
}

impl Stored {
    /// Passes over the slots of `templates`; `shared` tells for each place which it is.
    fn all(
        payload: &Payload,
        parts: &mut Parts<'_>,
        templates: &mut [Template],
        shared: Vec<Vec<usize>>,
    ) -> Result<Vec<Self>, Damaged> {
        let many = shared.iter().flatten().max().map_or(0, |last| last + 1);
        let (mut counts, mut users) = (vec![0_usize; many], vec![0_usize; many]);
        for (template, slots) in templates.iter_mut().zip(shared) {
            template.shared.clone_from(&slots);
            template.shared.sort_unstable();
            template.shared.dedup();
            for slot in &template.shared {
                if let Some((count, users)) = counts.get_mut(*slot).zip(users.get_mut(*slot)) {
                    *count += template.count as usize;
                    *users += 1;
                }
            }
            template.slots = slots;
        }
        for template in templates.iter_mut() {
            template.shared.retain(|slot| users.get(*slot).is_some_and(|users| *users > 1));
        }
        let each = |(count, users)| Self::pass(payload, parts, count, users > 1);
        counts.into_iter().zip(users).map(each).collect()
    }

    fn pass(
        payload: &Payload,
        parts: &mut Parts<'_>,
        count: usize,
        is_shared: bool,
    ) -> Result<Self, Damaged> {
        let (soft, hard) = payload.lens();
        let start = (soft - parts.soft.0.len(), hard - parts.hard.0.len());
        let (mut form, mut values) = (Slot::default(), Values::Words(Vec::new()));
        if count > 0 {
            let (own, kept) = Slot::decode_form(parts)?;
            form = own;
            values = match kept {
                Kept::Numbers(words) => {
                    let pass = |_| Integers::pass(payload, parts, count);
                    let words: Result<Vec<_>, _> = (0..words).map(pass).collect();
                    match words? {
                        words if words.iter().all(Integers::is_random) => Values::Words(words),
                        words => Values::InOrder(count * words.len() * size_of::<u64>()),
                    }
                }
                Kept::Codes => Values::pass_codes(payload, parts, count)?,
                Kept::Texts => Values::InOrder(Texts::decode(parts, count)?.memory()),
            };
        }
        let unpacked = OnceLock::new();
        Ok(Self { form, values, start, count, is_shared, unpacked })
    }

    /// Appends the variable at `index`.
    fn write(&self, payload: &Payload, index: usize, out: &mut Vec<u8>) {
        if let Some(slot) = self.unpacked.get() {
            return slot.write(index, out);
        }
        match &self.values {
            Values::Words(words) => {
                let mut numbers = [0_u64; MAX_WORDS];
                let all = words.iter().map(|word| word.get(payload, index));
                numbers.iter_mut().zip(all).for_each(|(number, word)| *number = word);
                self.form.write_words(numbers.get(..words.len()).unwrap_or(&numbers), out);
            }
            Values::Codes(distinct, codes) => {
                let code = usize::try_from(codes.get(payload, index)).ok();
                out.extend_from_slice(code.and_then(|code| distinct.get(code)).unwrap_or_default());
            }
            Values::InOrder(_) => {
                self.unpacked.get_or_init(|| self.unpack(payload)).write(index, out);
            }
        }
    }

    fn unpack(&self, payload: &Payload) -> Slot {
        let mut parts = payload.parts();
        let (soft, hard) = self.start;
        parts.soft = Reader(parts.soft.0.get(soft..).unwrap_or_default());
        parts.hard = Reader(parts.hard.0.get(hard..).unwrap_or_default());
        Slot::decode(&mut parts, self.count).expect("it was found whole when it was passed over")
    }

    /// Whether a variable may have `run` in it, as far as its form tells.
    pub(super) fn may_hold(&self, run: &str) -> bool {
        self.form.is_text() || self.form.may_hold(run, &mut Vec::new())
    }

    /// The variables that may have `run` in them, where that is told by a few texts.
    pub(super) fn hits(&self, payload: &Payload, run: &str) -> Option<Hits> {
        let Values::Codes(distinct, codes) = &self.values else { return None };
        let has: Vec<bool> = distinct.iter().map(|text| holds(text, run)).collect();
        let mut hits = Hits::none(self.count);
        if has.contains(&true) {
            for index in 0..self.count {
                let code = usize::try_from(codes.get(payload, index)).unwrap_or(usize::MAX);
                if has.get(code) == Some(&true) {
                    hits.insert(index);
                }
            }
        }
        Some(hits)
    }

    fn memory(&self) -> usize {
        let values = match &self.values {
            Values::Words(words) => words.iter().map(Integers::memory).sum(),
            Values::Codes(distinct, codes) => distinct.memory() + codes.memory(),
            Values::InOrder(bytes) => *bytes,
        };
        size_of::<Self>() + values
    }
}

impl Values {
    fn pass_codes(payload: &Payload, parts: &mut Parts<'_>, count: usize) -> Result<Self, Damaged> {
        let distinct = parts.soft.count()?;
        let distinct = Texts::decode(parts, distinct)?;
        let mut read = *parts;
        let codes = Integers::pass(payload, parts, count)?;
        let mut bytes = 0;
        for code in numbers::decode(&mut read, count)? {
            let text = usize::try_from(code).ok().and_then(|code| distinct.get(code));
            bytes += text.ok_or(Damaged("a code of a text"))?.len() + size_of::<u32>();
        }
        Ok(if codes.is_random() { Self::Codes(distinct, codes) } else { Self::InOrder(bytes) })
    }
}

/// The numbers of a variable: those of the longest hexadecimal digits.
const MAX_WORDS: usize = MAX_HEX as usize / 16;

/// A slot of which more than this part was asked for is unpacked.
const FEW: usize = 8;

#[cfg(test)]
#[path = "packed_tests.rs"]
mod tests;
