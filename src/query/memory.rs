//! The memory that the answers of all running queries take together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::memory::{Budget, By};

/// What is left of it, in bytes.
#[derive(Debug)]
pub struct Memory {
    left: AtomicUsize,
    from: From,
}

/// Where a [`Memory`] is from.
#[derive(Debug)]
enum From {
    /// It was there.
    Nowhere,
    /// All that is taken of it is also of this, which others share.
    Within(Arc<Budget>),
    /// It is taken from this, when it is wanted, and kept to the end.
    Of(Arc<Memory>),
}

/// What one thread of a query has taken of it, given back when dropped.
#[derive(Debug)]
pub(super) struct Share<'m> {
    memory: &'m Memory,
    /// What was taken of the whole, and what of that is in use.
    taken: usize,
    used: usize,
}

impl Memory {
    /// So many bytes, for all queries.
    pub const fn new(bytes: usize) -> Self {
        Self { left: AtomicUsize::new(bytes), from: From::Nowhere }
    }

    /// The same, as far as others leave as much of what they share with queries.
    pub const fn within(bytes: usize, shared: Arc<Budget>) -> Self {
        Self { left: AtomicUsize::new(bytes), from: From::Within(shared) }
    }

    /// What one query has of `all`: whatever it takes it keeps until it is dropped, so that the answer
    /// has its memory for as long as there is one.
    pub const fn of_one(all: Arc<Self>) -> Self {
        Self { left: AtomicUsize::new(0), from: From::Of(all) }
    }

    fn take(&self, bytes: usize) -> bool {
        let less = |left: usize| left.checked_sub(bytes);
        let is_left = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).is_ok();
        match &self.from {
            From::Nowhere => is_left,
            From::Of(all) => is_left || all.take(bytes),
            From::Within(shared) => {
                let is_there = is_left && shared.try_take(By::Queries, with_text(bytes)).is_ok();
                if is_left && !is_there {
                    self.left.fetch_add(bytes, Ordering::AcqRel);
                }
                is_there
            }
        }
    }

    fn give(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::AcqRel);
        if let From::Within(shared) = &self.from {
            shared.give(By::Queries, with_text(bytes));
        }
    }
}

/// What is shared for so many bytes of an answer: they are made into text, which is there beside them.
const fn with_text(bytes: usize) -> usize {
    bytes.saturating_mul(2)
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let From::Of(all) = &self.from {
            all.give(self.left.load(Ordering::Acquire));
        }
    }
}

impl Default for Memory {
    /// As much as there is.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl<'m> Share<'m> {
    /// Nothing yet.
    pub(super) const fn new(memory: &'m Memory) -> Self {
        Self { memory, taken: 0, used: 0 }
    }

    /// Another share of the same memory.
    pub(super) const fn another(&self) -> Self {
        Self::new(self.memory)
    }

    /// Takes `bytes` more, if there are as many.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let used = self.used.saturating_add(bytes);
        if used > self.taken {
            // Some ahead, so that not every value asks those of other threads; but not the last.
            let short = used - self.taken;
            let more = [short.max(STEP), short].into_iter().find(|more| self.memory.take(*more));
            match more {
                Some(more) => self.taken += more,
                None => return false,
            }
        }
        self.used = used;
        true
    }

    /// Says that `bytes` are no longer needed.
    pub(super) fn give(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
        let spare = (self.taken - self.used).saturating_sub(STEP);
        if spare > 0 {
            self.taken -= spare;
            self.memory.give(spare);
        }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.memory.give(self.taken);
    }
}

/// Bytes that a thread takes ahead.
const STEP: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_there_is_and_all_is_given_back() {
        let memory = Memory::new(100_000);
        let mut one = Share::new(&memory);
        let mut other = Share::new(&memory);
        assert!(one.take(1));
        assert!(other.take(30_000), "one has taken some ahead, but not all");
        assert!(!other.take(10_000));
        assert!(!one.take(70_001) && !one.take(usize::MAX));
        assert!(one.take(65_535), "what was taken ahead is there");
        one.give(65_536);
        drop(other);
        assert!(one.take(100_000));
        drop(one);
        assert_eq!(memory.left.load(Ordering::Relaxed), 100_000);
    }
}
