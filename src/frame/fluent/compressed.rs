//! Entries in gzip, unpacked as there is memory for it.

use super::inflate;
use super::{CUT, Entry, Fluent, Found, NO_ENTRY, Scan, State};

impl Fluent {
    pub(super) fn compressed(
        &mut self,
        rest: &[u8],
        at: &mut usize,
        left: usize,
        has_option: bool,
    ) -> Found {
        let plain = std::mem::take(&mut self.plain);
        let entry = self.entry(plain.get(self.plain_used..).unwrap_or_default(), true);
        self.plain = plain;
        match entry {
            Entry::Whole(len) => {
                self.plain_used += len;
                self.scan = Scan::new(1);
                return Found::Entry;
            }
            Entry::Part(len) => self.plain_used += len,
            Entry::Bad => return self.end("fluent.entry", NO_ENTRY),
        }
        self.plain.drain(..self.plain_used.min(self.plain.len()));
        self.plain_used = 0;
        let needed = inflate::STATE + self.plain.len() + inflate::PIECE;
        self.wants = needed.saturating_sub(self.granted);
        if self.wants > 0 {
            return Found::More;
        }
        let Some(inflate) = &mut self.inflate else {
            return self.end("fluent.gzip", "gzip, but found none");
        };
        let input = rest.get(..left).unwrap_or(rest);
        let inflated = match inflate.run(input, &mut self.plain) {
            Ok(inflated) => inflated,
            Err(found) => return self.end("fluent.gzip", &format!("gzip, but found {found}")),
        };
        *at += inflated.taken;
        let left = left - inflated.taken;
        self.state = State::Compressed { left, has_option };
        if inflated.made > 0 || (inflated.taken > 0 && left > 0) {
            return Found::Next;
        }
        if left > 0 {
            return Found::More;
        }
        if !inflate.is_whole() {
            return self.end("fluent.gzip", "whole gzip, but found its beginning");
        }
        if !self.plain.is_empty() || self.oversize.is_active() {
            return self.end("fluent.entry", CUT);
        }
        self.drop_packed();
        self.enter(State::Option { has_option })
    }

    /// Gives back what unpacking took.
    pub(super) fn drop_packed(&mut self) {
        (self.inflate, self.plain) = (None, Vec::new());
        (self.granted, self.wants) = (0, 0);
    }
}
