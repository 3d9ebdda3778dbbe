//! Several changes at once.

use std::borrow::Cow;

use super::Family;

/// Several changes that become durable together or not at all.
#[derive(Default)]
pub struct Write<'a>(Vec<Change<'a>>);

/// One of them.
pub(super) struct Change<'a> {
    pub(super) family: Family,
    pub(super) key: Cow<'a, [u8]>,
    /// `None` deletes the key.
    pub(super) value: Option<Cow<'a, [u8]>>,
}

impl<'a> Write<'a> {
    /// Sets `key` to `value`.
    pub fn put(
        &mut self,
        family: Family,
        key: impl Into<Cow<'a, [u8]>>,
        value: impl Into<Cow<'a, [u8]>>,
    ) {
        self.0.push(Change { family, key: key.into(), value: Some(value.into()) });
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes `key`.
    pub fn delete(&mut self, family: Family, key: impl Into<Cow<'a, [u8]>>) {
        self.0.push(Change { family, key: key.into(), value: None });
    }

    /// All of them, in order.
    pub(super) fn changes(&self) -> &[Change<'a>] {
        &self.0
    }
}

impl std::fmt::Debug for Write<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Write").field("changes", &self.0.len()).finish_non_exhaustive()
    }
}
