//! Texts that are split, taken over by another split: those of one template all at once.

use super::key::VARIABLE;
use super::slot::Slot;
use super::split::Split;
use super::template::Template;

/// What a [`Split`] remembers of another while it takes texts from it, and memory for that.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Whether every template that there is room for is made.
    is_final: bool,
    /// By the other's template the own one.
    own: Vec<Option<u16>>,
    /// By the own template the other's.
    others: Vec<Option<u16>>,
    /// Which texts of each of the other's templates are to be taken.
    nth: Vec<Vec<u32>>,
    /// The templates of which some are.
    used: Vec<u16>,
    text: Vec<u8>,
}

impl Split {
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
        let mut len = 0;
        for index in indices.iter().map(|index| *index as usize) {
            let (Some(number), Some(nth)) = (other.of.get(index), nth.get(index)) else { continue };
            if let Some(own) = self.own_template(other, *number, taken) {
                self.of.push(own);
                taken.add(*number, *nth);
            } else if let Some(from) = other.templates.get(usize::from(*number)) {
                let mut text = std::mem::take(&mut taken.text);
                text.clear();
                from.write(*nth as usize, &mut text);
                let own = self.template_of(&text, taken.is_final);
                // What goes to the same template and was before it, is before it.
                if let Some(waiting) = taken.others.get(usize::from(own)).copied().flatten() {
                    len += self.take_all(other, waiting, taken);
                }
                self.push_to(own, &text);
                len += text.len();
                taken.text = text;
            }
        }
        for used in 0..taken.used.len() {
            let number = taken.used.get(used).copied().unwrap_or_default();
            len += self.take_all(other, number, taken);
        }
        len
    }

    /// Takes over the variables of the texts of one template that are to be taken.
    fn take_all(&mut self, other: &Self, number: u16, taken: &mut Taken) -> usize {
        let number = usize::from(number);
        let own = taken.own.get(number).copied().flatten().map(usize::from);
        let own = own.and_then(|own| self.templates.get_mut(own));
        let (Some(own), Some(from), Some(nth)) =
            (own, other.templates.get(number), taken.nth.get_mut(number))
        else {
            return 0;
        };
        own.count += u32::try_from(nth.len()).expect("fewer than rows");
        let mut len = own.constants.bytes() * nth.len();
        for (slot, from) in own.slots.iter_mut().zip(&from.slots) {
            len += slot.take(from, nth, &mut taken.text);
        }
        nth.clear();
        len
    }

    /// The own number of a template of `other`, which is found or added; nothing if there is no
    /// room, or if its texts are whole and may be of any template.
    fn own_template(&mut self, other: &Self, number: u16, taken: &mut Taken) -> Option<u16> {
        let known = taken.own.get_mut(usize::from(number))?;
        if known.is_some() {
            return *known;
        }
        let from = other.templates.get(usize::from(number))?;
        if from.is_whole() || memchr::memchr(VARIABLE, from.constants.data()).is_some() {
            return None;
        }
        self.key.set(from.constants.data(), from.constants.ranges());
        let own = match self.find_key() {
            Some(own) => own,
            None if self.has_room() => {
                let slots = from.slots.iter().map(|_| Slot::default()).collect();
                let constants = from.constants.clone();
                self.insert(Template { constants, slots, ..Template::default() })
            }
            None => return None,
        };
        *known = Some(own);
        if taken.others.len() <= usize::from(own) {
            taken.others.resize(usize::from(own) + 1, None);
        }
        if let Some(theirs) = taken.others.get_mut(usize::from(own)) {
            *theirs = Some(number);
        }
        Some(own)
    }
}

impl Taken {
    pub(super) fn new(is_final: bool) -> Self {
        Self { is_final, ..Self::default() }
    }

    /// Whether every template that there is room for is made.
    pub(super) fn is_final(&self) -> bool {
        self.is_final
    }

    /// Begins anew, of another split of so many templates.
    fn begin(&mut self, templates: usize) {
        self.own.clear();
        self.own.resize(templates, None);
        self.others.clear();
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

#[cfg(test)]
mod tests {
    use super::super::split::WHOLE;
    use super::*;

    /// However the texts of a template lie there, they are in order here.
    #[test]
    fn whole_texts_go_to_their_template_in_order() {
        let mut other = Split::default();
        let texts: Vec<String> = (0..30).map(|n| format!("order {n} from {n} for {n}")).collect();
        for (n, text) in texts.iter().enumerate() {
            let number = other.template_of(text.as_bytes(), false);
            let is_whole = n < 3 || n % 7 == 0;
            assert_eq!(number == WHOLE, n < 3);
            other.push_to(if is_whole { WHOLE } else { number }, text.as_bytes());
        }
        for (is_final, whole) in [(false, 3), (true, 0)] {
            let (mut own, mut taken) = (Split::default(), Taken::new(is_final));
            let (left, right): (Vec<u32>, Vec<u32>) = (0..30).partition(|n| n % 5 < 3);
            let nth = other.nth();
            own.take(&other, &left, &nth, &mut taken);
            own.take(&other, &right, &nth, &mut taken);
            let wanted = left.iter().chain(&right).map(|n| texts.get(*n as usize));
            assert!(own.texts().iter().map(Some).eq(wanted.map(|text| text.map(String::as_bytes))));
            let is_whole = |(number, _): &(u16, &Template)| *number == WHOLE;
            let found = own.templates().find(is_whole).map_or(0, |(_, template)| template.count);
            assert_eq!(found, whole);
        }
    }
}
