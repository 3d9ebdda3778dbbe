//! What the last looks at a sender found: as many as fit into a word.

use serde::{Deserialize, Serialize};

/// Whether something was so at each of the last 64 looks; the last one in the lowest bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Looks(u64);

impl Looks {
    /// Takes one more.
    pub(super) fn add(&mut self, is: bool) {
        self.0 = self.0 << 1 | u64::from(is);
    }

    /// At how many of the last it was so.
    pub(super) fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether it was so at one of the last few: else it was mended.
    pub(super) fn is_recent(self) -> bool {
        self.0 & RECENT != 0
    }
}

/// The last 16.
const RECENT: u64 = 0xffff;

/// How many looks are remembered.
pub(super) const LOOKS: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_mended_is_forgotten() {
        let mut looks = Looks::default();
        looks.add(true);
        assert_eq!((looks.count(), looks.is_recent()), (1, true));
        (0..15).for_each(|_| looks.add(false));
        assert_eq!((looks.count(), looks.is_recent()), (1, true));
        looks.add(false);
        assert_eq!((looks.count(), looks.is_recent()), (1, false));
        (0..64).for_each(|_| looks.add(false));
        assert_eq!(looks.count(), 0);
    }
}
