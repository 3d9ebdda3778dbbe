//! One template of a split column: what its texts have in common, and what varies.

use super::super::octets::is_token;
use super::slot::Slot;
use super::texts::Texts;

/// What is constant in some texts, and what varies.
#[derive(Clone, Debug, Default)]
pub(in crate::store) struct Template {
    /// What stands before the first variable, between each two, and after the last.
    pub(super) constants: Texts,
    pub(super) slots: Vec<Slot>,
    /// How many texts there are of it.
    pub(super) count: u32,
    /// The constants with [`VARIABLE`](super::key::VARIABLE) after each, where the template may be looked for.
    pub(super) key: Box<[u8]>,
}

impl Template {
    /// How many texts there are of it.
    pub(in crate::store) fn count(&self) -> u32 {
        self.count
    }

    /// What is constant: what stands before, between and after the variables.
    pub(in crate::store) fn constants(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.constants.iter()
    }

    /// What varies, one slot for each place.
    pub(in crate::store) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Whether all of its texts varies, and one of them is more than a token: it may be of another
    /// template.
    pub(super) fn is_whole(&self) -> bool {
        let [slot] = &*self.slots else { return false };
        let is_one = |text: &[u8]| text.iter().all(|octet| is_token(*octet));
        self.constants.bytes() == 0 && !slot.texts.iter().all(is_one)
    }

    /// Whether it is that of `text` with these variables.
    #[inline]
    pub(super) fn is_of(&self, text: &[u8], variables: &[(usize, usize)]) -> bool {
        self.constants.are(text, pieces(variables, text.len()))
    }

    /// Whether a text of it may have `text` in it, which is in lower case. No run of word
    /// characters goes over the edge between what is constant and what varies.
    pub(super) fn may_hold(&self, text: &str, scratch: &mut Vec<u8>) -> bool {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut runs = text.split(|c| !is_word(c)).filter(|run| !run.is_empty());
        runs.all(|run| {
            self.constants.may_hold(run, scratch)
                || self.slots.iter().any(|slot| slot.may_hold(run, scratch))
        })
    }

    /// Appends the text of its row `nth`.
    pub(super) fn write(&self, nth: usize, out: &mut Vec<u8>) {
        let mut constants = self.constants.iter();
        out.extend_from_slice(constants.next().unwrap_or_default());
        for (slot, constant) in self.slots.iter().zip(constants) {
            slot.write(nth, out);
            out.extend_from_slice(constant);
        }
    }
}

/// Where in a text of that length is what stands before, between and after its variables.
#[inline]
pub(super) fn pieces(
    variables: &[(usize, usize)],
    len: usize,
) -> impl Iterator<Item = (usize, usize)> {
    let starts = std::iter::once(0).chain(variables.iter().map(|(_, end)| *end));
    let ends = variables.iter().map(|(start, _)| *start).chain(std::iter::once(len));
    starts.zip(ends)
}
