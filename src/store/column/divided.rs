//! Values that are split, with their kinds, and put together again for who asks for all of them.

use std::sync::OnceLock;

use super::coded::Coded;
use super::kinds::Kinds;
use super::split::Split;
use super::texts::Texts;
use crate::event::ValueRef;

/// Values that are split, and their texts once someone asked for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Divided {
    pub(super) kinds: Kinds,
    pub(super) split: Split,
    pub(super) texts: OnceLock<Texts>,
}

impl Divided {
    /// What has codes, split; in the shortest form if this `is_final`.
    pub(super) fn of(coded: &Coded, is_final: bool) -> Self {
        let mut divided = Self::default();
        for value in coded.codes().iter().filter_map(|code| coded.value(*code)) {
            divided.push(value, is_final);
        }
        divided
    }

    /// Adds a value; in the shortest form if this `is_final`.
    #[inline]
    pub(super) fn push(&mut self, value: ValueRef<'_>, is_final: bool) {
        self.kinds.push(self.split.len(), value.kind);
        self.split.push(value.bytes, is_final);
    }

    pub(super) fn value(&self, index: usize) -> Option<ValueRef<'_>> {
        Some(ValueRef::new(self.kinds.at(index)?, self.texts().get(index)?))
    }

    pub(super) fn texts(&self) -> &Texts {
        self.texts.get_or_init(|| self.split.texts())
    }

    pub(super) fn clear(&mut self) {
        self.kinds.clear();
        self.split.clear();
        self.texts = OnceLock::new();
    }
}
