//! Texts that are split, taken over by another split: those of one template together, and what is
//! whole one by one.

use super::key::VARIABLE;
use super::slot::Slot;
use super::split::Split;
use super::template::Template;

/// What a [`Split`] remembers of another while it takes texts from it, and memory for that.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Whether every template that there is room for is made.
    is_final: bool,
    /// By the other's template where its texts go.
    own: Vec<Own>,
    /// By the own template the other's.
    others: Vec<Option<u16>>,
    /// Which texts of each of the other's templates are to be taken.
    nth: Vec<Vec<u32>>,
    /// The templates of which some are.
    used: Vec<u16>,
    text: Vec<u8>,
}

/// Where texts of a template of the other go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    Unknown,
    /// All to the template of this number.
    One(u16),
    /// Each to its own.
    Each,
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
            if let Own::One(own) = self.own_template(other, *number, taken) {
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
        let Some(Own::One(own)) = taken.own.get(number).copied() else { return 0 };
        let (Some(own), Some(from), Some(nth)) = (
            self.templates.get_mut(usize::from(own)),
            other.templates.get(number),
            taken.nth.get_mut(number),
        ) else {
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

    /// Where the texts of a template of `other` go. Its own is found or added, unless there is no
    /// room.
    fn own_template(&mut self, other: &Self, number: u16, taken: &mut Taken) -> Own {
        let at = usize::from(number);
        let known = taken.own.get(at).copied().unwrap_or(Own::Each);
        if known != Own::Unknown {
            return known;
        }
        let adopted = other.templates.get(at).and_then(|from| self.adopted(from));
        let own = adopted.filter(|own| taken.is_first(*own, number)).map_or(Own::Each, Own::One);
        if let Some(known) = taken.own.get_mut(at) {
            *known = own;
        }
        own
    }

    /// The own template that is the same as `from`, which is added if it is not there.
    fn adopted(&mut self, from: &Template) -> Option<u16> {
        if from.is_whole() || memchr::memchr(VARIABLE, from.constants.data()).is_some() {
            return None;
        }
        self.key.set(from.constants.data(), from.constants.ranges());
        self.find_key().or_else(|| {
            self.has_room(from.slots.len()).then(|| {
                let slots = from.slots.iter().map(|_| Slot::default()).collect();
                let constants = from.constants.clone();
                self.insert(Template { constants, slots, ..Template::default() })
            })
        })
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
        self.own.resize(templates, Own::Unknown);
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

    /// Whether the template `number` is the first of the other's whose texts go to this own one. Those
    /// of two would come one after the other.
    fn is_first(&mut self, own: u16, number: u16) -> bool {
        let at = usize::from(own);
        self.others.resize(self.others.len().max(at + 1), None);
        let theirs = self.others.get_mut(at).expect("made room for");
        *theirs.get_or_insert(number) == number
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

    /// Words with a digit are a template, and were kept whole before it was one.
    #[test]
    fn texts_of_two_templates_that_are_one_here_are_in_order() {
        let mut other = Split::default();
        let texts: Vec<String> = (0..20).map(|n| format!("x{n}y")).collect();
        for (n, text) in texts.iter().enumerate() {
            let number = other.template_of(text.as_bytes(), false);
            other.push_to(if n % 3 == 1 { WHOLE } else { number }, text.as_bytes());
        }
        for indices in [(0..20).collect::<Vec<u32>>(), (3..20).filter(|n| n % 4 > 0).collect()] {
            let (mut own, mut taken) = (Split::default(), Taken::default());
            own.take(&other, &indices, &other.nth(), &mut taken);
            let wanted = indices.iter().map(|n| texts.get(*n as usize).map(String::as_bytes));
            assert!(own.texts().iter().map(Some).eq(wanted));
        }
    }
}
