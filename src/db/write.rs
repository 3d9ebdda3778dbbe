//! Several changes at once.

use std::borrow::Cow;

use serde_json::Value;

use super::Family;

/// Several changes that become durable together or not at all.
#[derive(Default)]
pub struct Write<'a> {
    changes: Vec<Change<'a>>,
    remarks: Vec<Remark>,
}

/// What changes mean, for whoever records them ([`Recorder`](super::Recorder)). Where nobody does,
/// it is passed over.
#[derive(Clone, Debug, PartialEq)]
pub struct Remark {
    /// What happens, such as `segment.sealed`.
    pub event: &'static str,
    /// To what.
    pub resource: String,
    /// What was there before.
    pub old: Option<Value>,
    /// What is there from now on.
    pub new: Option<Value>,
}

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
        self.changes.push(Change { family, key: key.into(), value: Some(value.into()) });
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Removes `key`.
    pub fn delete(&mut self, family: Family, key: impl Into<Cow<'a, [u8]>>) {
        self.changes.push(Change { family, key: key.into(), value: None });
    }

    /// Says what the changes mean.
    pub fn remark(&mut self, remark: Remark) {
        self.remarks.push(remark);
    }

    /// What was said of the changes.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// What is put into `meta`, by key; `None` is deleted.
    pub fn meta(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let meta = self.changes.iter().filter(|change| change.family == Family::Meta);
        meta.map(|change| (&*change.key, change.value.as_deref()))
    }

    /// All of them, in order.
    pub(super) fn changes(&self) -> &[Change<'a>] {
        &self.changes
    }
}

impl std::fmt::Debug for Write<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Write").field("changes", &self.changes.len()).finish_non_exhaustive()
    }
}
