//! The head of a message that is too long, while the rest of it is dropped as it arrives.

/// Keeps the first `max_len` bytes of one message and counts the others.
///
/// Empty, and without memory of its own, unless such a message is on its way.
#[derive(Debug)]
pub(super) struct Oversize {
    max_len: usize,
    /// What the transport adds after a message, and is no part of its length.
    blank: fn(u8) -> bool,
    head: Vec<u8>,
    /// All bytes pushed.
    len: u64,
    /// How many of those, at the end, were blank.
    blank_tail: u64,
    finished: bool,
}

impl Oversize {
    pub(super) fn new(max_len: usize, blank: fn(u8) -> bool) -> Self {
        Self { max_len, blank, head: Vec::new(), len: 0, blank_tail: 0, finished: false }
    }

    /// Whether a message is being kept.
    pub(super) fn is_active(&self) -> bool {
        self.len > 0
    }

    /// Whether nothing of it so far is more than the transport's.
    pub(super) fn is_blank(&self) -> bool {
        self.len == self.blank_tail
    }

    /// The memory held, in bytes.
    pub(super) fn held(&self) -> usize {
        self.head.capacity()
    }

    /// Takes the next bytes of the message.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = self.max_len.saturating_sub(self.head.len());
        let kept = bytes.get(..room).unwrap_or(bytes);
        if self.head.capacity() - self.head.len() < kept.len() {
            // Doubles, but never past the limit, and never for what was only announced.
            self.head.reserve_exact(kept.len().max(self.head.len()).min(room));
        }
        self.head.extend_from_slice(kept);
        self.len += bytes.len() as u64;
        match bytes.iter().rposition(|&byte| !(self.blank)(byte)) {
            Some(last) => self.blank_tail = (bytes.len() - 1 - last) as u64,
            None => self.blank_tail += bytes.len() as u64,
        }
    }

    /// The message: what was kept, and its length where that is not all of it.
    ///
    /// It stays until [`recycle`](Self::recycle).
    pub(super) fn finish(&mut self) -> (&[u8], Option<u64>) {
        self.finished = true;
        let len = self.len - self.blank_tail;
        let fits = usize::try_from(len).ok().and_then(|len| self.head.get(..len));
        fits.map_or((&self.head, Some(len)), |head| (head, None))
    }

    /// Frees a message that was handed out.
    #[inline]
    pub(super) fn recycle(&mut self) {
        if self.finished {
            self.clear();
        }
    }

    /// Forgets the message.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.max_len, self.blank);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::is_line_end;

    #[test]
    fn keeps_the_head_and_counts_the_rest() {
        #[rustfmt::skip]
        let table = [
            // pushed, one by one         kept       of
            (&["abcdef"][..],             "abcd",    Some(6)),
            (&["a", "bc", "def"],         "abcd",    Some(6)),
            (&["abcdef\r", "\n\n"],       "abcd",    Some(6)),
            (&["abcd\r", "\n\n"],         "abcd",    None),
            (&["ab\r", "\n\n"],           "ab",      None),
            (&["ab\n\n", "\n", "c"],      "ab\n\n",  Some(6)),
            (&["\n\n\n\n\n\n"],           "",        None),
        ];
        for (pushes, want, len) in table {
            let mut oversize = Oversize::new(4, is_line_end);
            pushes.iter().for_each(|text| oversize.push(text.as_bytes()));
            assert_eq!(oversize.finish(), (want.as_bytes(), len), "{pushes:?}");
            assert!(oversize.held() <= 4);
            oversize.recycle();
            assert_eq!(oversize.held(), 0);
            assert!(!oversize.is_active());
        }
    }
}
